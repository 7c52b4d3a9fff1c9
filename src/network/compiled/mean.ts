/** Means without rounding errors, so that `x === 0` or `x < 1 / 3` of a mean is what it says. */

/** Means of numbers such as programs have are fractions with denominators far below this. */
const LARGEST_DENOMINATOR = 10_000;
/** A number this near to such a fraction is meant to be it. */
const NEAR = 1e-10;

/** A sum divided by a count; the fraction next to that, where it is one with a small denominator but for rounding. */
export function meanOf(sum: number, count: number): number {
  const mean = sum / count;
  // The convergents of the continued fraction: each is the best approximation for its denominator.
  let [before, numerator] = [1, Math.floor(mean)];
  let [beneath, denominator] = [0, 1];
  let rest = mean - numerator;
  while (Math.abs(mean - numerator / denominator) > NEAR) {
    const next = Math.floor(1 / rest);
    rest = 1 / rest - next;
    [before, numerator] = [numerator, next * numerator + before];
    [beneath, denominator] = [denominator, next * denominator + beneath];
    if (denominator > LARGEST_DENOMINATOR) return mean;
  }
  return numerator / denominator;
}
