/** Means over examples, and their bootstrap intervals (Efron 1979). */
import { type Key, randomBits } from "../tensor/index.ts";

/** From and to. */
export type Interval = readonly [number, number];

/** The mean of some numbers; of none, not a number. */
export function meanOfNumbers(numbers: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < numbers.length; i++) total += numbers[i]!;
  return total / numbers.length;
}

/** How many times examples are drawn anew. */
export const RESAMPLES = 1000;

/**
 * A function that gives the 95 % percentile interval of the mean of `n` numbers. The draws are made once from the key, so that all rows of
 * a table are judged on the same ones. Nothing for fewer than two numbers, of which no interval can be made.
 */
export function bootstrap(key: Key, n: number): (numbers: readonly number[]) => Interval | null {
  if (n < 2) return () => null;
  const draws = Uint32Array.from(randomBits(key, RESAMPLES * n), (bits) => Math.floor((bits / 2 ** 32) * n));
  return (numbers) => {
    const means = new Float64Array(RESAMPLES);
    for (let r = 0; r < RESAMPLES; r++) {
      let total = 0;
      for (let i = 0; i < n; i++) total += numbers[draws[r * n + i]!]!;
      means[r] = total / n;
    }
    means.sort();
    const at = (q: number): number => means[Math.min(RESAMPLES - 1, Math.floor(q * RESAMPLES))]!;
    return [at(0.025), at(0.975)];
  };
}
