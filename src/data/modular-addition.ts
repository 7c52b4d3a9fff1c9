/**
 * Addition modulo a prime, all pairs of it, split at random into a part for training and one for testing (Power et al. 2022; Nanda
 * et al. 2023).
 */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { type Key, randomPermutation } from "../tensor/index.ts";

/** Sums, in an order that the key decides. */
export interface Sums {
  /** i32 `batch pos`: a, b and the sign `=`, which is token p. */
  readonly tokens: Values<"batch pos">;
  /** i32 `batch`: (a + b) mod p. */
  readonly labels: Values<"batch">;
}

/**
 * All p² sums, each in one of the two parts.
 *
 * @param p             the modulus, from 2 to 1000
 * @param trainFraction how much of the table is for training, between 0 and 1; rounded down to whole sums
 */
export function modularAddition(p: number, trainFraction: number, key: Key): { train: Sums; test: Sums } {
  if (!(Number.isInteger(p) && p >= 2 && p <= 1000)) {
    throw new MechanistError("BadArgument", `modular addition: expected a whole modulus from 2 to 1000, got ${p}`);
  }
  const cut = Math.floor(trainFraction * p * p);
  if (!(cut >= 1 && cut < p * p)) {
    throw new MechanistError(
      "BadArgument",
      `modular addition: expected a fraction that leaves sums in both parts, got ${trainFraction} of ${p * p}`,
    );
  }
  const order = randomPermutation(key, p * p);
  return { train: sums(order.slice(0, cut), p), test: sums(order.slice(cut), p) };
}

function sums(pairs: readonly number[], p: number): Sums {
  const tokens = pairs.flatMap((pair) => [Math.floor(pair / p), pair % p, p]);
  const labels = pairs.map((pair) => (Math.floor(pair / p) + (pair % p)) % p);
  return {
    tokens: { axes: "batch pos", shape: [pairs.length, 3], dtype: "i32", data: Int32Array.from(tokens) },
    labels: { axes: "batch", shape: [pairs.length], dtype: "i32", data: Int32Array.from(labels) },
  };
}
