/**
 * Crosscoders: one set of latents that reads several hook points at once and writes all of them, so that a feature which lives in many layers is one
 * latent and not one a layer (Lindsey, Templeton, Marcus, Conerly, Batson & Olah 2024).
 *
 *     z = ReLU(Σ_p x_p W_enc,p + b_enc)      x_p ≈ z W_dec,p + b_dec,p
 */
import type { WeightSpec } from "../../network/network.ts";
import { add, einsum, mul, relu, select, sqrt, square, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import { asCarried, type Coder, latentsOf } from "../activation/coder.ts";

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

/** The latents of rows of each point, in the points' order. */
export function crosscoderLatents(
  { W_enc, b_enc }: Crosscoder,
  rows: readonly Tensor<"batch d_in">[],
): Tensor<"batch C"> {
  const read = rows.map((x, p) => einsum("batch d_in, d_in C -> batch C", x, select(W_enc, "point", p)));
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
  const written = einsum("batch C, C d_out -> batch d_out", z, select(W_dec, "point", point));
  return add(written, select(b_dec, "point", point));
}

/** `Σ_p ‖W_dec,c,p‖`: what a latent of 1 writes at all points together, each point's by its length. `C`. */
export function decoderLengths(W_dec: Tensor<"C point d_out">): Tensor<"C"> {
  return sum(sqrt(add(sum(square(W_dec), "d_out"), 1e-30)), "point") as Tensor<"C">;
}

const BITS = 32;

/** The crosscoder of a site, whose weights are among the tensors it is given. */
export function crosscoderCoder(shape: CrosscoderShape): Coder {
  const { site: name, points, width, C } = shape;
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
      return asCarried(z);
    },
    decode: (tensors, carried, point) => {
      const { W_dec } = crosscoderAt(tensors, name);
      return einsum(
        "C batch, C d_out -> batch d_out",
        latentsOf(carried),
        select(W_dec, "point", points.indexOf(point)),
      );
    },
    bias: (tensors, _, point) => select(crosscoderAt(tensors, name).b_dec, "point", points.indexOf(point)),
    // Over all points at once: the length of what is written at each of them, put end to end.
    magnitudes: (tensors, carried) => {
      const { W_dec } = crosscoderAt(tensors, name);
      const squared = sum(sum(square(W_dec), "d_out"), "point") as Tensor<"C">;
      return mul(latentsOf(carried), sqrt(add(squared, 1e-30)));
    },
  };
}
