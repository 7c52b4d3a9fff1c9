/** Bootstrap intervals of a mean over positions, which come in examples: those are what is drawn anew (Efron 1979; Cameron et al. 2008). */
import { type Interval, RESAMPLES } from "../intervention/bootstrap.ts";
import { type Key, randomBits } from "../tensor/index.ts";

/**
 * The 95 % percentile interval of `Σ totals / Σ counts`, examples drawn anew with their positions; nothing for fewer than two examples
 * that have any.
 *
 * @param totals of each example, the sum over its positions
 * @param counts of each example, how many positions that is
 */
export function ratioInterval(key: Key, totals: readonly number[], counts: readonly number[]): Interval | null {
  const n = totals.length;
  if (counts.filter((count) => count > 0).length < 2) return null;
  const bits = randomBits(key, RESAMPLES * n);
  const ratios: number[] = [];
  for (let r = 0; r < RESAMPLES; r++) {
    let [total, count] = [0, 0];
    for (let i = 0; i < n; i++) {
      const pick = Math.floor((bits[r * n + i]! / 2 ** 32) * n);
      total += totals[pick]!;
      count += counts[pick]!;
    }
    if (count > 0) ratios.push(total / count);
  }
  ratios.sort((a, b) => a - b);
  const at = (q: number): number => ratios[Math.min(ratios.length - 1, Math.floor(q * ratios.length))]!;
  return [at(0.025), at(0.975)];
}
