/**
 * Dictionaries as files have them: which hook points they say they are of, their weights, and what they claim of themselves. Whatever a format
 * does to activations before its encoder sees them is folded into the weights when they are read, so that a stored dictionary acts on activations
 * as the network has them; what depends on the row at hand (`constant_norm_rescale`, `layer_norm`) cannot be, and stays with it.
 */
import type { Values } from "../../../engine/values.ts";
import type { Code, Dictionary } from "../dictionary.ts";
import type { Normalisation } from "../settings.ts";

/** The weights of a dictionary by what they are, with axes `d_in`, `d_out` and `C`. */
export type StoredWeights = Readonly<Partial<Record<keyof Dictionary, Values>>>;

/** What a file says of how its dictionary does; nothing of it is taken on trust. */
export interface Claims {
  /** Mean number of latents above 0. */
  readonly l0?: number;
  readonly explainedVariance?: number;
  /** Fraction of rows at which each latent is above 0. */
  readonly firing?: ArrayLike<number>;
}

/** What a stored dictionary says of where it is from. */
export interface Origin {
  /** The network's name, as its makers write it. */
  readonly model?: string;
  /** sha256 of the network's weights; files written here have it. */
  readonly network?: string;
}

/** A dictionary, or a transcoder: what it reads and what it writes are then two points. */
export interface StoredDictionary extends Origin {
  readonly code: Code;
  /** TopK: how many latents of a row are kept. */
  readonly k?: number;
  readonly normalization: Normalisation;
  /** Hook points as the file names them; absent where it names none. */
  readonly reads?: string;
  readonly writes?: string;
  readonly weights: StoredWeights;
  readonly claims: Claims;
  /**
   * Whether activations were scaled to a mean length of `√d_in` by a number that the file does not have: it is left to be measured and folded
   * (`withScale`).
   */
  readonly unscaled?: boolean;
}

/** A cross-layer transcoder: latents that read at one layer and write at it and at all later ones. */
export interface StoredCrossLayer extends Origin {
  readonly code: "relu" | "jumprelu";
  /** In the order of the layers. `W_dec` is `C layer d_out`, from its own layer on. */
  readonly layers: readonly { readonly reads: string; readonly writes: string; readonly weights: StoredWeights }[];
  readonly claims: Claims;
}

/** What a folder holds. */
export type Stored =
  | { readonly kind: "dictionaries"; readonly dictionaries: readonly StoredDictionary[] }
  | { readonly kind: "cross-layer"; readonly transcoder: StoredCrossLayer };

/** Files of a folder, by name. */
export type StoredFiles = Readonly<Record<string, Uint8Array | string>>;

/** The sizes of a stored dictionary. */
export function storedSizes({ W_enc, W_dec }: StoredWeights): {
  readonly dIn: number;
  readonly C: number;
  readonly dOut: number;
} {
  const [dIn, C] = W_enc!.shape as [number, number];
  return { dIn, C, dOut: W_dec!.shape.at(-1)! };
}

/** Whether it reads one point and writes another. */
export function isTranscoder({ reads, writes, weights }: StoredDictionary): boolean {
  const { dIn, dOut } = storedSizes(weights);
  return reads !== writes || dIn !== dOut || weights.W_skip !== undefined;
}
