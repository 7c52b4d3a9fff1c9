/** A program as heads and hidden units that read and write named directions of the residual stream, before there are any matrices. */
import type { Category } from "./language.ts";

/** One number of a matrix of a head: between a direction of the residual stream and a dimension of the head. */
export interface Entry {
  readonly direction: string;
  readonly dimension: number;
  readonly value: number;
}

/** An attention head. Its attention score is the dot product of query and key, not divided by anything. */
export interface HeadPlan {
  /** The sequence it serves. */
  readonly computes: string;
  readonly layer: number;
  readonly q: readonly Entry[];
  readonly k: readonly Entry[];
  readonly v: readonly Entry[];
  readonly o: readonly Entry[];
  readonly writes: readonly string[];
}

/** A direction with a weight. */
export type Weighted = readonly [direction: string, weight: number];

/** A hidden unit: the ReLU of a weighted sum of what it reads. */
export interface UnitPlan {
  readonly reads: readonly Weighted[];
  readonly writes: readonly Weighted[];
}

/** The hidden units of one layer that compute one sequence. */
export interface MlpPlan {
  readonly computes: string;
  readonly layer: number;
  readonly units: readonly UnitPlan[];
  readonly writes: readonly string[];
}

export interface Plan {
  readonly layers: number;
  /** The directions that embeddings write, with the tokens or positions that do. */
  readonly embed: readonly string[];
  readonly posEmbed: readonly string[];
  readonly heads: readonly HeadPlan[];
  readonly mlps: readonly MlpPlan[];
}

/**
 * 1 at the token that stands before every input, and nowhere else. Nothing else is ever written there, but by a head whose result no head
 * will look at, so heads that find nothing can look there and bring back nothing.
 */
export const BOS = "bos";
/** 1 at every token of the input and 0 before it: what a bias would be, were it not for the token before the input. */
export const ONE = "one";

/** The direction of a value of a categorical sequence. */
export function directionOf(label: string, value: Category): string {
  return `${label}:${value}`;
}
