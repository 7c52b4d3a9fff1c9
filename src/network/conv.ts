/**
 * A small convolutional network on images: layers of square kernels with zeros beyond the edge, each followed by a ReLU, and a readout at
 * every pixel. Each kernel is a matrix that reads the patch around a pixel, `channel` fastest, then column, then row: sites, hooks and
 * components are those of any other network, and every pixel is a row.
 */
import {
  add,
  axisSize,
  constant,
  einsum,
  gather,
  pad,
  relabel,
  relu,
  reshape,
  type Tensor,
  type Tensors,
} from "../tensor/index.ts";
import { type Hooks, type Network, passing, type Site } from "./network.ts";

export interface ConvShape {
  readonly height: number;
  readonly width: number;
  /** Channels of an image. */
  readonly channels: number;
  /** Height and width of every kernel: odd, so that a pixel is in the middle. */
  readonly kernel: number;
  /** How many filters each layer has. */
  readonly filters: readonly number[];
  /** Numbers read out at each pixel. */
  readonly outputs: number;
}

/** The network's function, its sites and its hook points. Inputs are `batch pos feature`, pixels row by row; outputs `batch pos output`. */
export function conv({ height, width, channels, kernel, filters, outputs }: ConvShape): Network {
  const patch = patches(height, width, kernel);
  const layers = filters.map((dOut, l) => {
    const read = l === 0 ? channels : filters[l - 1]!;
    const units = { side: "out", kind: "neuron", count: dOut } as const;
    const site: Site = { name: `blocks.${l}.conv.W`, dIn: kernel * kernel * read, dOut, units };
    return { block: `blocks.${l}.conv`, site, read };
  });
  const last = filters.at(-1) ?? channels;
  const readout: Site = {
    name: "unembed.W_U",
    dIn: last,
    dOut: outputs,
    ...(filters.length > 0 && { units: { side: "in", kind: "neuron", count: last } }),
  };
  const sites = [...layers.map(({ site }) => site), readout];

  const matrix = (given: Tensors, name: string): Tensor<"d_in d_out"> => {
    const { dIn, dOut } = sites.find((site) => site.name === name)!;
    return reshape(given[name]!, "d_in d_out", { d_in: dIn, d_out: dOut });
  };

  const forward = (given: Tensors, x: Tensor, hooks: Hooks = {}): Tensor => {
    const product = (site: Site, activation: Tensor<"batch pos d_in">): Tensor<"batch pos d_out"> => {
      const W = matrix(given, site.name);
      const seen = hooks.matmul?.(site, activation, W) as Tensor<"batch pos d_out"> | undefined;
      return seen ?? einsum("batch pos d_in, d_in d_out -> batch pos d_out", activation, W);
    };
    let value: Tensor<"batch pos channel"> = relabel(x, "batch pos channel");
    for (const { block, site } of layers) {
      const into = add(product(site, patchesOf(value, patch)), given[`${block}.b`] as Tensor<"d_out">);
      const pre = passing(hooks, `${block}.hook_pre`, relabel(into, "batch pos filter"));
      value = relabel(passing(hooks, `${block}.hook_post`, relu(pre)), "batch pos channel");
    }
    const out = add(product(readout, relabel(value, "batch pos d_in")), given["unembed.b_U"] as Tensor<"d_out">);
    return passing(hooks, "unembed.hook_out", relabel(out, "batch pos output"));
  };

  return {
    input: { axes: "batch pos feature", dtype: "f32", sizes: { pos: height * width, feature: channels } },
    sites,
    weights: [
      ...layers.flatMap(({ block, site, read }) => [
        { name: site.name, axes: "row column channel filter", shape: [kernel, kernel, read, site.dOut] },
        { name: `${block}.b`, axes: "d_out", shape: [site.dOut] },
      ]),
      { name: "unembed.W_U", axes: "d_in d_out", shape: [last, outputs] },
      { name: "unembed.b_U", axes: "d_out", shape: [outputs] },
    ],
    points: [
      ...layers.flatMap(({ block }) =>
        ["hook_pre", "hook_post"].map((point) => ({ name: `${block}.${point}`, axes: "batch pos filter" })),
      ),
      { name: "unembed.hook_out", axes: "batch pos output" },
    ],
    forward,
    matrix,
  };
}

/** For each pixel the pixels around it, row by row; those beyond the edge are one more pixel, after the last. */
function patches(height: number, width: number, kernel: number): Tensor<"pos tap"> {
  const reach = (kernel - 1) / 2;
  const indices = Array.from({ length: height * width * kernel * kernel }, (_, i) => {
    const [pos, tap] = [Math.floor(i / kernel ** 2), i % kernel ** 2];
    const row = Math.floor(pos / width) + Math.floor(tap / kernel) - reach;
    const column = (pos % width) + (tap % kernel) - reach;
    const inside = row >= 0 && row < height && column >= 0 && column < width;
    return inside ? row * width + column : height * width;
  });
  return constant("pos tap", { pos: height * width, tap: kernel * kernel }, indices, "i32");
}

/** What a kernel reads at each pixel. */
function patchesOf(value: Tensor<"batch pos channel">, patch: Tensor<"pos tap">): Tensor<"batch pos d_in"> {
  const [batch, channel] = [axisSize(value, "batch"), axisSize(value, "channel")];
  const padded = pad(relabel(value, "batch pixel channel"), "pixel", 0, 1);
  const gathered = gather(padded, patch, "pixel");
  const [pos, tap] = patch.shape as [number, number];
  return reshape(gathered, "batch pos d_in", { batch, pos, d_in: tap * channel });
}
