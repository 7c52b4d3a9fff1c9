/**
 * Target-CI error: how many entries of the probe's importances differ from the pattern that the known mechanisms ask for
 * (SPD repository). 0 means solved; it counts entries, so one merged pair of features costs several.
 */
import type { Values } from "../engine/index.ts";
import { byTotal, groupOrder, oneEach } from "./assignment.ts";

/** How far from 0 or 1 an importance may be. */
const TOLERANCE = 0.1;

/**
 * One component for each input: after the best permutation, entries off the diagonal above the tolerance plus entries on it
 * below 1 minus the tolerance. Components beyond the inputs must stay within the tolerance everywhere.
 *
 * @param importances `batch C`, a row for each one-hot input
 */
export function identityError(importances: Values, tolerance: number = TOLERANCE): number {
  return sharedError(importances, oneEach(importances), tolerance);
}

/**
 * One component for each group of inputs, in the same way: on each input of a group its own component, and no other.
 *
 * @param groups inputs from 0, each in one group
 */
export function sharedError(
  importances: Values,
  groups: readonly (readonly number[])[],
  tolerance: number = TOLERANCE,
): number {
  const [rows, columns] = importances.shape as [number, number];
  const order = groupOrder(importances, groups);
  let errors = groups.slice(columns).flat().length;
  for (let i = 0; i < rows; i++) {
    order.forEach((c, place) => {
      const value = importances.data[i * columns + c]!;
      // Written so that a NaN is an error too.
      if (groups[place]?.includes(i) ? !(value >= 1 - tolerance) : !(value <= tolerance)) errors++;
    });
  }
  return errors;
}

/**
 * A mechanism of rank `count` that every input needs: of the `count` components with the largest totals each must reach 1 on some input, and
 * the others must stay within the tolerance everywhere.
 */
export function denseError(importances: Values, count: number, tolerance: number = TOLERANCE): number {
  const [rows, columns] = importances.shape as [number, number];
  const at = (i: number, c: number): number => importances.data[i * columns + c]!;
  const order = byTotal(importances);
  let errors = Math.max(0, count - columns);
  order.forEach((c, place) => {
    const column = Array.from({ length: rows }, (_, i) => at(i, c));
    if (place < count) errors += column.some((value) => value >= 1 - tolerance) ? 0 : 1;
    else errors += column.filter((value) => !(value <= tolerance)).length;
  });
  return errors;
}
