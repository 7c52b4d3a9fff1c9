/** Rows of activations: what dictionaries read and write, one row for each position of each example. */
import { MechanistError } from "../../error.ts";
import type { NamedValues } from "../../engine/index.ts";
import { fitsPattern, namesLike } from "../../network/site-patterns.ts";
import type { HookPoint, Network } from "../../network/network.ts";
import { weightInputs } from "../../network/network.ts";
import { pointRows } from "../activation/coder.ts";
import { axisNames, relabel, stopGradient, type Tensor, type Tensors } from "../../tensor/index.ts";

/** A network, its weights, and the data whose activations are read. */
export interface ActivationSource {
  readonly network: Network;
  readonly weights: NamedValues;
  /** Tables that batches are drawn from. */
  readonly tables?: NamedValues;
  /** A batch of inputs, as a program of draws. */
  readonly batch: (size: number) => Tensor;
  /** The token that rows are filled up with; its positions are no rows. */
  readonly padding?: number;
}

/** A hook point with how wide its rows are: all its axes but `batch` and `pos`, heads side by side. */
export interface RowPoint {
  readonly name: string;
  readonly width: number;
}

/** How many rows one example has: its positions. */
export function rowsAnExample(source: ActivationSource): number {
  const x = source.batch(1);
  const pos = axisNames(x.axes).indexOf("pos");
  return pos < 0 ? 1 : x.shape[pos]!;
}

/** The rows at some points of a run of the network on `x`, without gradient. */
export function rowsAt(
  network: Network,
  weights: Tensors,
  x: Tensor,
  points: readonly string[],
): Record<string, Tensor<"batch d">> {
  const found: Record<string, Tensor<"batch d">> = {};
  network.forward(weights, x, {
    at: (name, value) => {
      if (points.includes(name)) found[name] = relabel(stopGradient(pointRows(value)), "batch d");
      return undefined;
    },
  });
  return found;
}

/**
 * The points that a list of names and patterns means, with their widths.
 *
 * @throws `UnknownName` with the nearest where one means none; `BadArgument` where one has no rows
 */
export function rowPoints(network: Network, names: string, batch: (size: number) => Tensor): RowPoint[] {
  const all = network.points.map(({ name }) => name);
  const wanted = names.split(",").flatMap((part) => namesLike("hook point", part.trim(), all));
  const values = new Map<string, Tensor>();
  network.forward(weightInputs(network.weights), batch(1), {
    at: (name, value) => {
      values.set(name, value);
      return undefined;
    },
  });
  return [...new Set(wanted)].map((name) => {
    const value = values.get(name)!;
    const axes = axisNames(value.axes);
    const hasRows = axes[0] === "batch" && value.dtype === "f32" && !axes.includes("key") && !axes.includes("query");
    if (!hasRows || axes.length < 2) {
      throw new MechanistError("BadArgument", `point ${name}: expected vectors at positions, got "${value.axes}"`);
    }
    return { name, width: pointRows(value).shape[1]! };
  });
}

/** The point a dictionary is made at where none is asked for: the middle of the network, as far as it can be told. */
export function usualPoint(network: Network): HookPoint {
  const { points } = network;
  const streams = points.filter(({ name }) => fitsPattern("blocks.*.hook_resid_post", name));
  if (streams.length > 0) return streams[Math.floor((streams.length - 1) / 2)]!;
  // That of all positions comes before those of each.
  const hidden =
    points.find(({ name }) => name === "hook_hidden") ?? points.find(({ name }) => name.includes("hidden"));
  return hidden ?? points[Math.floor((points.length - 1) / 2)]!;
}
