/** A similarity of two sets of activations beside its noise: what it is when the rows of one are in a random order. */
import { foldIn, type Key, randomPermutation } from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";
import { expectPaired, pickedRows } from "./activations.ts";
import { type Finding, type Nulled, nulled } from "./finding.ts";

export interface Similarity extends Finding, Nulled {}

/** How many orders the null is made of. */
const ORDERS = 20;

/** Measures, and measures again on rows in random orders. */
export function similarity(
  measure: (x: Rows, y: Rows) => number,
  x: Rows,
  y: Rows,
  key: Key,
  doesNotEstablish: string,
): Similarity {
  const n = expectPaired("similarity", x, y);
  const draws = Array.from({ length: ORDERS }, (_, i) =>
    measure(x, pickedRows(y, randomPermutation(foldIn(key, i), n))),
  );
  return {
    ...nulled(measure(x, y), draws),
    n,
    counted: "rows",
    nullDescription: `the rows of one set in a random order, ${ORDERS} times`,
    doesNotEstablish,
  };
}
