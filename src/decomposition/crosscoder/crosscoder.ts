/**
 * Crosscoders: one set of latents that reads several hook points at once and writes all of them, so that a feature which lives in many layers is one
 * latent and not one a layer (Lindsey, Templeton, Marcus, Conerly, Batson & Olah 2024).
 *
 *     z = ReLU(Σ_p x_p W_enc,p + b_enc)      x_p ≈ z W_dec,p + b_dec,p
 */
import type { WeightSpec } from "../../network/network.ts";
import {
  add,
  axisSize,
  einsum,
  mul,
  relabel,
  relu,
  reshape,
  sizesOf,
  slice,
  sqrt,
  square,
  sum,
  type Tensor,
  type Tensors,
  transpose,
} from "../../tensor/index.ts";
import type { Coder } from "../activation/coder.ts";

/** Its size, and where it acts. */
export interface CrosscoderShape {
  /** Its name, and of its weights. */
  readonly site: string;
  /** Hook points, all of one width. */
  readonly points: readonly string[];
  readonly width: number;
  readonly C: number;
}

/** Its weights, by what they are. */
export interface Crosscoder {
  readonly W_enc: Tensor<"point d_in C">;
  readonly b_enc: Tensor<"C">;
  readonly W_dec: Tensor<"C point d_out">;
  readonly b_dec: Tensor<"point d_out">;
}

export function crosscoderWeights({ site, points, width, C }: CrosscoderShape): WeightSpec[] {
  const point = points.length;
  return [
    { name: `${site}.W_enc`, axes: "point d_in C", shape: [point, width, C] },
    { name: `${site}.b_enc`, axes: "C", shape: [C] },
    { name: `${site}.W_dec`, axes: "C point d_out", shape: [C, point, width] },
    { name: `${site}.b_dec`, axes: "point d_out", shape: [point, width] },
  ];
}

export function crosscoderAt(tensors: Tensors, site: string): Crosscoder {
  return {
    W_enc: tensors[`${site}.W_enc`] as Crosscoder["W_enc"],
    b_enc: tensors[`${site}.b_enc`] as Crosscoder["b_enc"],
    W_dec: tensors[`${site}.W_dec`] as Crosscoder["W_dec"],
    b_dec: tensors[`${site}.b_dec`] as Crosscoder["b_dec"],
  };
}

/** One point of what runs over points. */
function atPoint<A extends string>(x: Tensor, point: number, axes: A): Tensor<A> {
  const part = slice(x, "point" as never, point, point + 1);
  const { point: _, ...sizes } = sizesOf(part) as Readonly<Record<string, number>>;
  return reshape(part, axes, sizes as never);
}

/** The latents of rows of each point, in the points' order. */
export function crosscoderLatents(
  { W_enc, b_enc }: Crosscoder,
  rows: readonly Tensor<"batch d_in">[],
): Tensor<"batch C"> {
  const read = rows.map((x, p) => einsum("batch d_in, d_in C -> batch C", x, atPoint(W_enc, p, "d_in C")));
  return relu(
    add(
      read.reduce((total, part) => add(total, part)),
      b_enc,
    ),
  );
}

/** What latents write at one point. */
export function crosscoderOutput(
  { W_dec, b_dec }: Crosscoder,
  z: Tensor<"batch C">,
  point: number,
): Tensor<"batch d_out"> {
  const written = einsum("batch C, C d_out -> batch d_out", z, atPoint(W_dec, point, "C d_out"));
  return add(written, atPoint(b_dec, point, "d_out"));
}

/** `Σ_p ‖W_dec,c,p‖`: what a latent of 1 writes at all points together, each point's by its length. `C`. */
export function decoderLengths(W_dec: Tensor<"C point d_out">): Tensor<"C"> {
  return sum(sqrt(add(sum(square(W_dec), "d_out"), 1e-30)), "point") as Tensor<"C">;
}

const BITS = 32;

/** The crosscoder of a site, whose weights are among the tensors it is given. */
export function crosscoderCoder(shape: CrosscoderShape): Coder {
  const { site: name, points, width, C } = shape;
  const flat = (carried: Tensor<"C m batch">): Tensor<"C batch"> => sum(carried, "m") as Tensor<"C batch">;
  return {
    site: { name, dIn: width * points.length, dOut: width * points.length },
    reads: points,
    writes: points,
    count: C,
    rank: 1,
    bits: BITS * (2 * width * points.length + 1),
    encode: (tensors, read) => {
      const z = crosscoderLatents(
        crosscoderAt(tensors, name),
        points.map((point) => read[point]!),
      );
      const own = transpose(z, "C batch");
      return reshape(own, "C m batch", { C, m: 1, batch: axisSize(own, "batch") });
    },
    decode: (tensors, carried, point) => {
      const { W_dec } = crosscoderAt(tensors, name);
      return einsum("C batch, C d_out -> batch d_out", flat(carried), atPoint(W_dec, points.indexOf(point), "C d_out"));
    },
    bias: (tensors, _, point) =>
      relabel(atPoint(crosscoderAt(tensors, name).b_dec, points.indexOf(point), "d_out"), "d_out"),
    // Over all points at once: the length of what is written at each of them, put end to end.
    magnitudes: (tensors, carried) => {
      const { W_dec } = crosscoderAt(tensors, name);
      const squared = sum(sum(square(W_dec), "d_out"), "point") as Tensor<"C">;
      return mul(flat(carried), sqrt(add(squared, 1e-30)));
    },
  };
}
