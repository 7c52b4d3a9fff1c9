/**
 * What a dictionary is: an encoder that reads an activation and answers with latents, few of them above 0, and a decoder that writes what the
 * latents stand for (Bricken et al. 2023; Gao et al. 2024).
 *
 *     z = σ(x W_enc + b_enc)      y = z W_dec + b_dec (+ x W_skip)
 *
 * Rows are positions of examples. All weights act on activations as the network has them: whatever a method does to its inputs in training
 * (centring, scaling) is folded into the weights when they are saved, so that there is one way to read them.
 */
import { MechanistError } from "../../error.ts";
import type { WeightSpec } from "../../network/network.ts";
import { add, einsum, type Tensor, type Tensors } from "../../tensor/index.ts";

/** How latents come of what the encoder reads. */
const CODES = ["relu", "gated", "topk", "jumprelu"] as const;
export type Code = (typeof CODES)[number];

/** The size of a dictionary, and what weights it has. */
export interface DictionaryShape {
  /** Stands before the names of its weights: the hook point it acts at. */
  readonly site: string;
  readonly code: Code;
  readonly dIn: number;
  readonly dOut: number;
  /** How many latents. */
  readonly C: number;
  /** Whether what is read also goes on linearly (Paulo et al. 2025, skip transcoders). */
  readonly skip?: boolean;
}

/** The weights of one dictionary, by what they are. */
export interface Dictionary {
  readonly W_enc: Tensor<"d_in C">;
  /** All codes but gated. */
  readonly b_enc?: Tensor<"C">;
  readonly W_dec: Tensor<"C d_out">;
  readonly b_dec: Tensor<"d_out">;
  /** JumpReLU. */
  readonly threshold?: Tensor<"C">;
  /** Gated: biases of the gate and of the magnitude, and the logarithm of how much longer the magnitude's encoder is. */
  readonly b_gate?: Tensor<"C">;
  readonly b_mag?: Tensor<"C">;
  readonly r_mag?: Tensor<"C">;
  readonly W_skip?: Tensor<"d_in d_out">;
}

/** The vectors over latents that each code has beside the two matrices. */
const VECTORS: Readonly<Record<Code, readonly (keyof Dictionary)[]>> = {
  relu: ["b_enc"],
  topk: ["b_enc"],
  jumprelu: ["b_enc", "threshold"],
  gated: ["b_gate", "b_mag", "r_mag"],
};

/** The weights of a dictionary, as they are saved. */
export function dictionaryWeights({ site, code, dIn, dOut, C, skip = false }: DictionaryShape): WeightSpec[] {
  return [
    { name: `${site}.W_enc`, axes: "d_in C", shape: [dIn, C] },
    ...VECTORS[code].map((name) => ({ name: `${site}.${name}`, axes: "C", shape: [C] })),
    { name: `${site}.W_dec`, axes: "C d_out", shape: [C, dOut] },
    { name: `${site}.b_dec`, axes: "d_out", shape: [dOut] },
    ...(skip ? [{ name: `${site}.W_skip`, axes: "d_in d_out", shape: [dIn, dOut] }] : []),
  ];
}

/** The weights of the dictionary at a site, out of all that there are. */
export function dictionaryAt(tensors: Tensors, site: string): Dictionary {
  const prefix = `${site}.`;
  const own = Object.entries(tensors).filter(([name]) => name.startsWith(prefix));
  const found = Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
  const missing = ["W_enc", "W_dec", "b_dec"].find((name) => found[name] === undefined);
  if (missing !== undefined) {
    throw new MechanistError("BadArgument", `dictionary ${site}: expected weights ${site}.${missing}, got none`);
  }
  return found as unknown as Dictionary;
}

/** What the encoder reads before anything is cut off: `x W_enc`, `batch C`. */
export function encoded(x: Tensor<"batch d_in">, { W_enc }: Dictionary): Tensor<"batch C"> {
  return einsum("batch d_in, d_in C -> batch C", x, W_enc);
}

/**
 * What latents write: `z W_dec + b_dec`, and what skips them.
 *
 * @param x what was read; needed only where there is `W_skip`
 */
export function decoded(
  z: Tensor<"batch C">,
  { W_dec, b_dec, W_skip }: Dictionary,
  x?: Tensor<"batch d_in">,
): Tensor<"batch d_out"> {
  const written = add(einsum("batch C, C d_out -> batch d_out", z, W_dec), b_dec);
  if (W_skip === undefined) return written;
  return add(written, einsum("batch d_in, d_in d_out -> batch d_out", x!, W_skip));
}
