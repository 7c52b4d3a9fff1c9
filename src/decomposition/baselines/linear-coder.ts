/**
 * Directions at a hook point, read by a matrix and written by another: `z = (x - b) W_enc`, `x ≈ b + z W_dec`. Principal and independent components, random
 * directions and subspaces, turned bases, probes and aligned subspaces are all of this kind; what sets them apart is how the matrices come about.
 */
import type { NamedValues } from "../../engine/index.ts";
import { values } from "../../engine/index.ts";
import type { WeightSpec } from "../../network/network.ts";
import {
  add,
  einsum,
  mul,
  reshape,
  sizesOf,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import type { Coder, Reading } from "../activation/coder.ts";
import type { Dense } from "./linear-algebra.ts";

/** What is at a point. */
export interface LinearShape {
  /** The hook point. */
  readonly point: string;
  readonly width: number;
  readonly count: number;
  /** Directions of each component; 1 unless given. */
  readonly rank?: number;
  /** Whether what is read has an offset of its own, `z = (x - b) W_enc + b_enc`. */
  readonly offset?: boolean;
}

const BITS = 32;

/**
 * What a component costs to write down beside its index, in bits: 32 for each of its numbers that are neither the network's own nor follow from others.
 *
 * - A neuron, a head, a dimension of the standard basis: nothing but its index, `log₂ count`.
 * - A direction that is written, where what is read follows from all directions (transposed, or the pseudo-inverse): `32 d` a direction. A random one
 *   costs as much as one that was found, though its seed is shorter: it stands for any direction.
 * - A direction that is written, another that is read, and its offset: `32 (2 d + 1)`.
 *
 * What a site has once for all components, the mean for instance, is no component's.
 */
export const directionBits = (numbers: number): number => BITS * numbers;

/** The index of one of so many, in bits. */
export const indexBits = (count: number): number => Math.log2(count);

const rankOf = ({ rank = 1 }: LinearShape): number => rank;

/** The weights that hold it. */
export function linearWeights(shape: LinearShape): WeightSpec[] {
  const { point, width, count } = shape;
  const m = rankOf(shape);
  return [
    { name: `${point}.W_enc`, axes: "d_in C m", shape: [width, count, m] },
    { name: `${point}.W_dec`, axes: "C m d_out", shape: [count, m, width] },
    { name: `${point}.b`, axes: "d_in", shape: [width] },
    ...(shape.offset ? [{ name: `${point}.b_enc`, axes: "C m", shape: [count, m] }] : []),
  ];
}

/**
 * Their numbers.
 *
 * @param encoder `d × (C m)`
 * @param decoder `(C m) × d`
 * @param bias    zero unless given
 * @param offset  `C m` numbers, where there is one
 */
export function linearValues(
  shape: LinearShape,
  encoder: Dense,
  decoder: Dense,
  bias?: ArrayLike<number>,
  offset?: ArrayLike<number>,
): NamedValues {
  const { point, width, count } = shape;
  const m = rankOf(shape);
  return {
    [`${point}.W_enc`]: values("d_in C m", [width, count, m], encoder.data),
    [`${point}.W_dec`]: values("C m d_out", [count, m, width], decoder.data),
    [`${point}.b`]: values("d_in", [width], bias ?? new Float32Array(width)),
    ...(offset && { [`${point}.b_enc`]: values("C m", [count, m], offset) }),
  };
}

/** What all codes have that read and write one point and whose components write along `W_dec`, whatever they are found by. */
export function writesDirections(shape: LinearShape): Omit<Coder, "bits" | "encode" | "bias"> {
  const { point, width, count } = shape;
  const W_dec = (tensors: Tensors): Tensor<"C m d_out"> => tensors[`${point}.W_dec`] as Tensor<"C m d_out">;
  return {
    site: { name: point, dIn: width, dOut: width },
    reads: [point],
    writes: [point],
    count,
    rank: rankOf(shape),
    decode: (tensors, carried) => written(carried, W_dec(tensors)),
    magnitudes: (tensors, carried) => magnitudes(carried, W_dec(tensors)),
  };
}

/** The code. `bits` are those of one component. */
export function linearCoder(shape: LinearShape, bits: number): Coder {
  const { point, width } = shape;
  const bias = (tensors: Tensors): Tensor<"d_in"> => tensors[`${point}.b`] as Tensor<"d_in">;
  return {
    ...writesDirections(shape),
    bits,
    encode: (tensors, read: Reading) => {
      const W_enc = tensors[`${point}.W_enc`] as Tensor<"d_in C m">;
      const z = einsum("batch d_in, d_in C m -> C m batch", sub(read[point]!, bias(tensors)), W_enc);
      return shape.offset ? add(z, tensors[`${point}.b_enc`] as Tensor<"C m">) : z;
    },
    bias: (tensors) => reshape(bias(tensors), "d_out", { d_out: width }),
  };
}

/** What components that carry so much write together. */
function written(carried: Tensor<"C m batch">, W_dec: Tensor<"C m d_out">): Tensor<"batch d_out"> {
  return einsum("C m batch, C m d_out -> batch d_out", carried, W_dec);
}

/** The length of what each component writes: `|z| ‖W_dec‖` at rank one, else that of the sum over its directions. */
function magnitudes(carried: Tensor<"C m batch">, W_dec: Tensor<"C m d_out">): Tensor<"C batch"> {
  const { C, m, batch } = sizesOf(carried) as { C: number; m: number; batch: number };
  if (m === 1) {
    const own = reshape(carried, "C batch", { C, batch });
    const lengths = sqrt(sum(square(W_dec), "m d_out")) as Tensor<"C">;
    return mul(sqrt(square(own)), lengths);
  }
  const parts = einsum("C m batch, C m d_out -> C batch d_out", carried, W_dec);
  return sqrt(sum(square(parts), "d_out")) as Tensor<"C batch">;
}
