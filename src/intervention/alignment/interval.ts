/** Intervals for fractions. */
import type { Interval } from "../bootstrap.ts";

/** The 95 % point of the normal distribution, two-sided. */
const Z = 1.959964;

/** Wilson's 95 % score interval for `hits` of `n` (Wilson 1927): it holds near 0 and 1 too, where the normal one does not. */
export function wilson(hits: number, n: number): Interval {
  const p = hits / n;
  const centre = (p + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const half = (Z * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n))) / (1 + (Z * Z) / n);
  return [Math.max(0, centre - half), Math.min(1, centre + half)];
}
