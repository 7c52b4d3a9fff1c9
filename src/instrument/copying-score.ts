/**
 * Does a head copy: does looking at a token raise that token's own logit? The sum of the eigenvalues of its full OV circuit over the sum of
 * their moduli (Elhage et al. 2021): 1 where all are positive, -1 where all are negative, about 0 for a random matrix.
 */
import { Matrix } from "ml-matrix";
import type { RunnableNetwork } from "../network/run.ts";
import { foldIn, type Key, randomNormal } from "../tensor/index.ts";
import { expectTransformer, headCircuits, type HeadPlace, headsOf } from "./attention-circuits.ts";
import { FactoredMatrix } from "./factored-matrix.ts";
import { type Finding, spreadOf } from "./finding.ts";

export interface CopyingRow extends HeadPlace {
  /** From -1 to 1; nothing where the circuit is zero. */
  readonly score: number | null;
}

export interface CopyingTable extends Finding {
  readonly rows: readonly CopyingRow[];
  /** What random circuits of that rank score: the noise of one head. */
  readonly random: { readonly mean: number; readonly deviation: number };
}

/** Random circuits that the noise is taken of. */
const DRAWS = 64;

/** Every head. */
export function copyingScores({ network, weights }: RunnableNetwork, key: Key): CopyingTable {
  const made = expectTransformer("copying", network);
  const { dHead } = made.config.attention;
  const rows = headsOf(made).map((place) => ({
    ...place,
    score: eigenvalueCopying(headCircuits(made, weights, place).fullOV),
  }));
  // The eigenvalues of a random circuit are those of a random square of its rank.
  const draws = Array.from({ length: DRAWS }, (_, i) => {
    const square = Array.from(randomNormal(foldIn(key, i), dHead * dHead));
    return eigenvalueCopying(new FactoredMatrix(Matrix.from1DArray(dHead, dHead, square), Matrix.eye(dHead)))!;
  });
  return {
    rows,
    random: spreadOf(draws),
    n: rows.length,
    counted: "heads",
    nullDescription: `${DRAWS} Gaussian circuits of rank ${dHead}`,
    doesNotEstablish:
      "that the head is ever used to copy: where it looks is not in it, and neither are norms' divisors and what other blocks write",
  };
}

/** Eigenvalues below this share of the largest are rounding. */
const ROUNDING = 1e-9;

/** The sum of eigenvalues over the sum of their moduli; nothing where all are 0. */
export function eigenvalueCopying(circuit: FactoredMatrix): number | null {
  const { real, imaginary } = circuit.eigenvalues();
  const moduli = real.map((x, i) => Math.hypot(x, imaginary[i]!));
  const least = Math.max(...moduli) * ROUNDING;
  let [sum, total] = [0, 0];
  moduli.forEach((modulus, i) => {
    if (modulus <= least) return;
    sum += real[i]!;
    total += modulus;
  });
  return total === 0 ? null : sum / total;
}
