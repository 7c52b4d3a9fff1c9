/**
 * Cross-layer transcoders: latents that read the stream before one layer's MLP and write what that MLP and all later ones write, so that what a network
 * says again and again in many layers is said by one latent (Ameisen et al. 2025; Lindsey et al. 2025).
 *
 *     z_l = σ(x_l W_enc,l + b_enc,l)      MLP_m ≈ Σ_{l ≤ m} z_l W_dec,l→m + b_dec,m
 */
import type { WeightSpec } from "../../network/network.ts";
import { add, einsum, mul, select, sqrt, square, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import { asCarried, type Coder, latentsOf } from "../activation/coder.ts";
import { encode } from "../dictionary/encode.ts";
import type { Dictionary } from "../dictionary/dictionary.ts";

/** One layer of a cross-layer transcoder. */
export interface CrossLayerShape {
  /** Its name, and of its weights: the point it is the first to write. */
  readonly site: string;
  readonly code: "relu" | "jumprelu";
  readonly reads: string;
  /** What it writes: its own layer's point, and those of all later layers. */
  readonly writes: readonly string[];
  readonly dIn: number;
  readonly dOut: number;
  readonly C: number;
}

/** The weights of one layer, by what they are. `b_dec` belongs to the point of its own layer. */
export interface CrossLayer {
  readonly W_enc: Tensor<"d_in C">;
  readonly b_enc: Tensor<"C">;
  /** JumpReLU. */
  readonly threshold?: Tensor<"C">;
  readonly W_dec: Tensor<"C layer d_out">;
  readonly b_dec: Tensor<"d_out">;
}

export function crossLayerWeights({ site, code, writes, dIn, dOut, C }: CrossLayerShape): WeightSpec[] {
  return [
    { name: `${site}.W_enc`, axes: "d_in C", shape: [dIn, C] },
    { name: `${site}.b_enc`, axes: "C", shape: [C] },
    ...(code === "jumprelu" ? [{ name: `${site}.threshold`, axes: "C", shape: [C] }] : []),
    { name: `${site}.W_dec`, axes: "C layer d_out", shape: [C, writes.length, dOut] },
    { name: `${site}.b_dec`, axes: "d_out", shape: [dOut] },
  ];
}

export function crossLayerAt(tensors: Tensors, site: string): CrossLayer {
  const own = (name: string): Tensor | undefined => tensors[`${site}.${name}`];
  return {
    W_enc: own("W_enc") as CrossLayer["W_enc"],
    b_enc: own("b_enc") as CrossLayer["b_enc"],
    ...(own("threshold") && { threshold: own("threshold") as Tensor<"C"> }),
    W_dec: own("W_dec") as CrossLayer["W_dec"],
    b_dec: own("b_dec") as CrossLayer["b_dec"],
  };
}

/** What is written so many layers later: `C d_out`. */
export function decoderTo(W_dec: Tensor<"C layer d_out">, ahead: number): Tensor<"C d_out"> {
  return select(W_dec, "layer", ahead);
}

/** The length of all that a latent of 1 writes, its decoders put end to end (Ameisen et al. 2025). `C`. */
export function crossLayerLengths(W_dec: Tensor<"C layer d_out">): Tensor<"C"> {
  return sqrt(add(sum(sum(square(W_dec), "d_out"), "layer"), 1e-30)) as Tensor<"C">;
}

const BITS = 32;

/** A code that is one layer of a cross-layer transcoder. */
export interface CrossLayerCoder extends Coder {
  readonly crossLayer: CrossLayerShape;
}

/** One layer's latents, whose weights are among the tensors they are given. */
export function crossLayerCoder(shape: CrossLayerShape): CrossLayerCoder {
  const { site: name, code, reads, writes, dIn, dOut, C } = shape;
  return {
    crossLayer: shape,
    site: { name, dIn, dOut },
    reads: [reads],
    writes,
    count: C,
    rank: 1,
    bits: BITS * (dIn + writes.length * dOut + 1),
    encode: (tensors, read) => {
      // A layer encodes as a dictionary does; only what is written differs.
      const z = encode(code, read[reads]!, crossLayerAt(tensors, name) as unknown as Dictionary);
      return asCarried(z);
    },
    decode: (tensors, carried, point) => {
      const { W_dec } = crossLayerAt(tensors, name);
      return einsum("C batch, C d_out -> batch d_out", latentsOf(carried), decoderTo(W_dec, writes.indexOf(point)));
    },
    bias: (tensors, _, point) => (point === writes[0] ? crossLayerAt(tensors, name).b_dec : undefined),
    magnitudes: (tensors, carried) => mul(latentsOf(carried), crossLayerLengths(crossLayerAt(tensors, name).W_dec)),
  };
}
