/** Where tokens stand: position tables, and the turning of queries and keys. */
import {
  add,
  axisSize,
  broadcast,
  concat,
  constant,
  gather,
  maximum,
  mul,
  neg,
  relabel,
  reshape,
  slice,
  sub,
  cast,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import type { Positions, RotaryPositions, TransformerConfig } from "./config.ts";

/** The numbers 0, 1, … along an axis. */
export function indices<A extends string>(axis: A, size: number): Tensor<A> {
  const data = Array.from({ length: size }, (_, i) => i);
  return constant(axis, { [axis]: size } as never, data, "i32");
}

/**
 * Each token's position, from 0 at the first that is not padding; padding itself is at 0.
 *
 * @returns `pos`, or `batch pos` where there is padding
 */
export function positionIds(count: number, padding: Tensor<"batch"> | undefined): Tensor {
  const all = indices("pos", count);
  if (padding === undefined) return all;
  const sizes = { batch: axisSize(padding, "batch"), pos: count };
  const from = sub(broadcast(cast(all, "f32"), "batch pos", sizes), cast(padding, "f32"));
  return cast(maximum(from, 0), "i32");
}

/**
 * The table of absolute positions, `context d_model`: learned, or sines and cosines of geometric frequencies
 * (Vaswani et al. 2017, section 3.5).
 */
export function positionTable({ positions, context, dModel }: TransformerConfig, weights: Tensors): Tensor | undefined {
  if (positions.kind !== "absolute") return undefined;
  if (positions.table === "learned") return weights["pos_embed.W_pos"];
  const data = Array.from({ length: context * dModel }, (_, i) => {
    const [position, dimension] = [Math.floor(i / dModel), i % dModel];
    const angle = position / 10_000 ** ((2 * Math.floor(dimension / 2)) / dModel);
    return dimension % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
  return constant("context d_model", { context, d_model: dModel }, data);
}

/** Each token's row of the table: `pos d_model`, or `batch pos d_model` where there is padding. */
export function positionEmbedding(table: Tensor, ids: Tensor): Tensor {
  return gather(table as Tensor<"context d_model">, ids, "context") as Tensor;
}

/** Whether positions turn queries and keys. */
export const isRotary = (positions: Positions): positions is RotaryPositions => positions.kind === "rotary";

/**
 * Turns each pair of dimensions by `position · frequency` (Su et al. 2021, equation 34).
 *
 * @param x   `batch pos … d_head`
 * @param ids `pos` or `batch pos`
 */
export function rotate(config: RotaryPositions, x: Tensor, ids: Tensor): Tensor {
  const { frequencies, pairs, scale } = config;
  const half = frequencies.length;
  // No position is beyond the last one, and a context may be far longer than what runs.
  const context = axisSize(x, "pos");
  const turned = slice(x, "d_head", 0, 2 * half);
  const passed = axisSize(x, "d_head") > 2 * half ? slice(x, "d_head", 2 * half, axisSize(x, "d_head")) : undefined;
  const [cosine, sine] = [Math.cos, Math.sin].map((f) => {
    const data = Array.from(
      { length: context * half },
      (_, i) => scale * f(Math.floor(i / half) * frequencies[i % half]!),
    );
    return gather(constant("context d_head", { context, d_head: half }, data), ids, "context");
  }) as [Tensor, Tensor];
  const rotated =
    pairs === "halves"
      ? joined(slice(turned, "d_head", 0, half), slice(turned, "d_head", half, 2 * half), cosine, sine, "d_head")
      : neighbours(turned, half, cosine, sine);
  return passed === undefined ? rotated : concat([rotated, passed], "d_head");
}

/** The turned pairs (a, b), side by side along `axis`. */
function joined(a: Tensor, b: Tensor, cosine: Tensor, sine: Tensor, axis: string): Tensor {
  return concat([add(mul(a, cosine), neg(mul(b, sine))), add(mul(b, cosine), mul(a, sine))], axis);
}

function neighbours(x: Tensor, half: number, cosine: Tensor, sine: Tensor): Tensor {
  const leading = x.axes.replace(/ d_head$/, "");
  const sizes = Object.fromEntries(leading.split(" ").map((axis) => [axis, axisSize(x, axis)]));
  const split = reshape(x, `${leading} pair side`, { ...sizes, pair: half, side: 2 });
  const named = (t: Tensor): Tensor => relabel(t, t.axes.replace("d_head", "pair"));
  const side = (at: number): Tensor => slice(split, "side", at, at + 1);
  const turned = joined(side(0), side(1), named(cosine), named(sine), "side");
  return reshape(turned, x.axes, { ...sizes, d_head: 2 * half });
}
