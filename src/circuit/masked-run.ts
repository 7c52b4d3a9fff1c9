/**
 * A run on masked components that is cut at each of them: what a component passes on is a value of its own, behind which no gradient flows.
 * A gradient from one component to another then runs only through what lies between the matrices, residual stream, attention and
 * non-linearities, and never through a third component (VPD, "prompt-level attribution").
 */
import type { Masks } from "../decomposition/decomposition.ts";
import {
  fromRows,
  innerActivation,
  ownProduct,
  siteRows,
  subcomponentsOf,
  weightDelta,
} from "../decomposition/parameter/subcomponents.ts";
import { MechanistError } from "../error.ts";
import { add, einsum, mul, stopGradient, type Tensor } from "../tensor/index.ts";
import type { RankOneDecomposition } from "./subject.ts";

/** What a cut run is made of; rows are examples, or positions of examples in `batch pos` order. */
export interface CutRun {
  readonly output: Tensor;
  /** Sites in the order they were met. */
  readonly order: readonly string[];
  /** What each site's matrix read, `batch d_in` or `batch pos d_in`. */
  readonly read: Readonly<Record<string, Tensor>>;
  /** Inner activations `h_c = V[:, c] · a`. */
  readonly inner: Readonly<Record<string, Tensor<"C batch">>>;
  /** What each component passes on, `q_c = h_c · mask_c`. Gradients end here. */
  readonly passed: Readonly<Record<string, Tensor<"C batch">>>;
  /** What each site's remainder writes, `batch d_out`, where remainders are kept. Gradients end here. */
  readonly remainder: Readonly<Record<string, Tensor<"batch d_out">>>;
  /** What enters the network, by name: `embed` and `pos_embed` of tokens, else `input`. Gradients end here. */
  readonly entering: Readonly<Record<string, Tensor>>;
}

/** The points at which tokens enter a network. */
const ENTRANCES: Readonly<Record<string, string>> = { hook_embed: "embed", hook_pos_embed: "pos_embed" };

export interface CutOptions {
  /** Whether what components leave over is kept, a source of its own; an importance-masked run leaves it out. */
  readonly remainder?: boolean;
  /** What is passed on in place of `h · mask`, for a site: values that are held still, for instance. */
  readonly passing?: (site: string, passed: Tensor<"C batch">) => Tensor<"C batch">;
  /** Likewise for what the remainder writes. */
  readonly leaving?: (site: string, written: Tensor<"batch d_out">) => Tensor<"batch d_out">;
}

/** Traces the run. */
export function cutRun(
  { network, sites, tensors }: RankOneDecomposition,
  x: Tensor,
  masks: Masks,
  { remainder = false, passing, leaving }: CutOptions = {},
): CutRun {
  const order: string[] = [];
  const read: Record<string, Tensor> = {};
  const inner: Record<string, Tensor<"C batch">> = {};
  const passed: Record<string, Tensor<"C batch">> = {};
  const left: Record<string, Tensor<"batch d_out">> = {};
  const entering: Record<string, Tensor> = x.dtype === "f32" ? { input: x } : {};
  const output = network.forward(tensors, x, {
    matmul: (site, activation, W) => {
      const mask = masks[site.name];
      if (mask === undefined || !sites.some(({ name }) => name === site.name)) return undefined;
      if (site.name in inner) {
        throw new MechanistError(
          "Refused",
          `${site.name}: expected a matrix that is used once in a run, got a second use`,
        );
      }
      const [rows, parts] = [siteRows(activation), subcomponentsOf(tensors, site)];
      order.push(site.name);
      read[site.name] = activation;
      const h = innerActivation(rows, parts);
      inner[site.name] = h;
      const masked = stopGradient(mul(h, mask));
      const q = passing?.(site.name, masked) ?? masked;
      passed[site.name] = q;
      let written = einsum("C batch, C d_out -> batch d_out", q, parts.U);
      if (remainder) {
        const delta = weightDelta(W, parts);
        const rest = stopGradient(ownProduct(rows, delta));
        left[site.name] = leaving?.(site.name, rest) ?? rest;
        written = add(written, left[site.name]!);
      }
      return fromRows(written, activation);
    },
    at: (point, value) => {
      const name = ENTRANCES[point];
      if (name === undefined || x.dtype === "f32") return undefined;
      entering[name] = stopGradient(value);
      return entering[name];
    },
  });
  return { output, order, read, inner, passed, remainder: left, entering };
}
