/**
 * A score at a size that all subjects are compared at. The threshold that makes a size comes from reference data, so that on the prompts themselves a subject has a
 * little more or less, by chance. Asked at three thresholds near it, it is read off between them where the prompts' own mean size is the one wanted:
 *
 *   s(K) = s_j + (s_{j+1} - s_j) (K - k_j) / (k_{j+1} - k_j),   k_j ≤ K ≤ k_{j+1}
 *
 * with s_j and k_j the score and the mean size at threshold j. Both are means over prompts and are drawn anew together, so each draw has a threshold of its own and
 * the band holds what the threshold's movement does. Where no threshold makes the size (equal scores, fewer units), it is the nearest score there is.
 */
import { meanOfNumbers } from "../../../intervention/bootstrap.ts";
import type { Measured } from "../noise.ts";
import type { Trial } from "../trial.ts";
import type { Hearing } from "./hearing.ts";

/** What thresholds come from: a trial, or prompts of another kind. */
export type Sized = Pick<Trial, "thresholds" | "sizes">;

/** Thresholds lie so many standard errors of the mean size apart, but for the least and the most part of it. */
const APART = 3 * Math.SQRT2;
const LEAST = 1 / 50;
const MOST = 1 / 2;

/** A threshold, and the units a row above it on each prompt. */
export interface Rung {
  readonly threshold: number;
  readonly sizes: Float64Array;
}

/**
 * Thresholds near a size, the one that reference data has for it first.
 *
 * @param least none of them is below
 */
export async function rungsAround(
  trial: Sized,
  size: number,
  least = Number.NEGATIVE_INFINITY,
): Promise<readonly Rung[]> {
  const rung = async (threshold: number): Promise<Rung> => ({ threshold, sizes: await trial.sizes(threshold) });
  const [middle] = await trial.thresholds([size]);
  const first = await rung(Math.max(middle!, least));
  const step = Math.min(MOST, Math.max(LEAST, (APART * standardError(first.sizes)) / size));
  const beside = await trial.thresholds([size * (1 - step), size * (1 + step)]);
  const distinct = new Set(beside.map((threshold) => Math.max(threshold, least)));
  distinct.delete(first.threshold);
  return [first, ...(await Promise.all([...distinct].map(rung)))];
}

/** Thresholds near what a subject itself calls active; of one that calls nothing so, near the size of those it is made of. */
export async function ownRungs({ trial, chance, natural, naturalSizes }: Hearing): Promise<readonly Rung[]> {
  if (naturalSizes === undefined) return [{ threshold: natural, sizes: chance }];
  return rungsAround(trial, meanOfNumbers(naturalSizes));
}

/**
 * A score of each rung as one, at a size.
 *
 * @param wanted units a row, or so many as another subject has on each prompt
 */
export function readOff(
  rungs: readonly (Rung & { readonly measured: Measured })[],
  wanted: number | Float64Array,
): Measured {
  if (rungs.length === 1) return rungs[0]!.measured;
  const another = typeof wanted === "number" ? [] : [wanted];
  const channels = [...rungs.flatMap(({ measured, sizes }) => [...measured.channels, sizes]), ...another];
  const combine = (means: readonly number[]): number => {
    let at = 0;
    const points = rungs.map(({ measured }) => {
      const score = measured.combine(means.slice(at, at + measured.channels.length));
      at += measured.channels.length + 1;
      return { score, size: means[at - 1]! };
    });
    const size = typeof wanted === "number" ? wanted : means[at]!;
    points.sort((a, b) => a.size - b.size);
    const after = points.findIndex((point) => point.size >= size);
    if (after === 0) return points[0]!.score;
    if (after === -1) return points.at(-1)!.score;
    const [a, b] = [points[after - 1]!, points[after]!];
    return a.score + ((b.score - a.score) * (size - a.size)) / (b.size - a.size);
  };
  const { groups } = rungs[0]!.measured;
  return { channels, combine, ...(groups !== undefined && { groups }) };
}

function standardError(numbers: Float64Array): number {
  const n = numbers.length;
  const mean = meanOfNumbers(numbers);
  return Math.sqrt(numbers.reduce((total, x) => total + (x - mean) ** 2, 0) / (n - 1) / n);
}
