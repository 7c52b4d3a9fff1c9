/**
 * Representational similarity analysis (Kriegeskorte et al. 2008): whether two sets of activations find the same pairs of inputs far apart.
 * Spearman's correlation of the Euclidean distances between all pairs: rotations and one scale leave it as it is.
 */
import { MechanistError } from "../error.ts";
import type { Key } from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";
import { expectPaired } from "./activations.ts";
import { spearman } from "./rank-correlation.ts";
import { similarity, type Similarity } from "./similarity.ts";

/** All pairs are held at once: more rows than this would be more than two million of them. */
const MOST_ROWS = 2000;

/** The distance of each pair of rows, first of all pairs with row 0. */
function distances({ data, columns }: Rows): Float64Array {
  const n = data.length / columns;
  const found = new Float64Array((n * (n - 1)) / 2);
  let at = 0;
  for (let a = 0; a < n; a++) {
    for (let b = a + 1; b < n; b++) {
      let squares = 0;
      for (let j = 0; j < columns; j++) squares += (data[a * columns + j]! - data[b * columns + j]!) ** 2;
      found[at++] = Math.sqrt(squares);
    }
  }
  return found;
}

/** From -1 to 1. */
export function distanceCorrelation(x: Rows, y: Rows): number {
  const n = expectPaired("RSA", x, y);
  if (n > MOST_ROWS) throw new MechanistError("BadArgument", `RSA: expected at most ${MOST_ROWS} rows, got ${n}`);
  return spearman(distances(x), distances(y));
}

/** The correlation beside what it is when the rows of one set are in a random order. */
export function representationalSimilarity(x: Rows, y: Rows, key: Key): Similarity {
  return similarity(distanceCorrelation, x, y, key, "which inputs are told apart, or how: distances forget directions");
}
