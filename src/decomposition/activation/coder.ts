/**
 * A code: what is read at some hook points is written as a sum of components at the same points or at others.
 *
 *   z = encode(what is read),   what is written at point p = bias_p + Σ_c decode_p(z_c) + what is left over there
 *
 * A dictionary is one, and so are neurons, heads, principal components, a transcoder, a crosscoder.
 */
import type { Network, Site } from "../../network/network.ts";
import {
  axisNames,
  axisSize,
  reshape,
  sizesOf,
  sum,
  type Tensor,
  type Tensors,
  transpose,
} from "../../tensor/index.ts";

/** What is read at each hook point, one row an example and position: `batch d_in`. */
export type Reading = Readonly<Record<string, Tensor<"batch d_in">>>;

export interface Coder {
  /** Its name, and how wide what it reads and what it writes are. Where it reads what it writes, the name of the hook point. */
  readonly site: Site;
  /** Hook points whose values it reads. */
  readonly reads: readonly string[];
  /** Hook points at which it writes. */
  readonly writes: readonly string[];
  /** How many components it has, and the rank of each. */
  readonly count: number;
  readonly rank: number;
  /** What a component costs to write down, in bits. */
  readonly bits: number;
  /** What each component carries: `C m batch`, m the rank. */
  encode(tensors: Tensors, read: Reading): Tensor<"C m batch">;
  /** What components that carry so much write at a point together; linear in `carried`. */
  decode(tensors: Tensors, carried: Tensor<"C m batch">, point: string): Tensor<"batch d_out">;
  /** What is written at a point without any component, `d_out` or `batch d_out`; nothing where it is zero. */
  bias?(tensors: Tensors, read: Reading, point: string): Tensor | undefined;
  /** How long what each component writes is, over all points: `C batch`. */
  magnitudes(tensors: Tensors, carried: Tensor<"C m batch">): Tensor<"C batch">;
}

/** The axes of a value that make up its rows: the example, and where there are any the positions. */
const ROWS = new Set(["batch", "pos"]);

/** A value at a hook point, one row an example and position: heads and what they carry side by side. */
export function pointRows(value: Tensor): Tensor<"batch d_in"> {
  const { batch, d_in } = rowSizes(value);
  return reshape(value, "batch d_in", { batch, d_in });
}

/** What was written row by row as a value like the one at the hook point. */
export function likePoint(rows: Tensor<"batch d_out">, value: Tensor): Tensor {
  return reshape(rows, value.axes, sizesOf(value));
}

function rowSizes(value: Tensor): { readonly batch: number; readonly d_in: number } {
  const sizes = { batch: 1, d_in: 1 };
  for (const axis of axisNames(value.axes)) sizes[ROWS.has(axis) ? "batch" : "d_in"] *= axisSize(value, axis);
  return sizes;
}

/** Latents of a row as what components of rank one carry. */
export function asCarried(latents: Tensor<"batch C">): Tensor<"C m batch"> {
  const own = transpose(latents, "C batch");
  return reshape(own, "C m batch", { ...sizesOf(own), m: 1 });
}

/** What components of rank one carry, one latent each. */
export function latentsOf(carried: Tensor<"C m batch">): Tensor<"C batch"> {
  return sum(carried, "m") as Tensor<"C batch">;
}

/** Whether all that a code reads is there before it first writes: what else is replaced on the way then shows in what it reads. */
export function readsBeforeWriting({ points }: Network, { reads, writes }: Coder): boolean {
  const place = (point: string): number => points.findIndex(({ name }) => name === point);
  return Math.max(...reads.map(place)) <= Math.min(...writes.map(place));
}
