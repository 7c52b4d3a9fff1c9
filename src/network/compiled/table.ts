/** Functions of a number as sums of ReLUs: the MLP gadgets for numerical inputs. */
import type { Category } from "./language.ts";

/** `relu(x - at)`, times `change` in the sum. */
export interface Kink {
  readonly at: number;
  readonly change: number;
}

/** The straight lines between points: `y(x) = start + Σ change · relu(x - at)`, constant below the first point. */
export function interpolation(xs: readonly number[], ys: readonly number[]): { start: number; kinks: Kink[] } {
  const slopes = xs.map((x, i) => (i === 0 ? 0 : (ys[i]! - ys[i - 1]!) / (x - xs[i - 1]!)));
  const kinks = xs.flatMap((at, i) => {
    const change = (slopes[i + 1] ?? 0) - slopes[i]!;
    // Beyond the last point nothing comes, so its kink is never felt.
    return i === xs.length - 1 || Math.abs(change) < 1e-9 ? [] : [{ at, change }];
  });
  return { start: ys[0]!, kinks };
}

/** Where a table of categories goes from one to the next: `slope · (relu(x - rise) - relu(x - top))` goes from 0 to 1. */
export interface Step {
  readonly from: Category;
  readonly to: Category;
  readonly rise: number;
  readonly top: number;
}

/**
 * The steps of a table of categories. Each takes the middle half of the gap between two numbers, so that an error of less than a quarter
 * of the gap changes nothing.
 */
export function steps(xs: readonly number[], categories: readonly Category[]): Step[] {
  return xs.slice(1).flatMap((x, i) => {
    const [before, from, to] = [xs[i]!, categories[i]!, categories[i + 1]!];
    const gap = x - before;
    return from === to ? [] : [{ from, to, rise: before + gap / 4, top: x - gap / 4 }];
  });
}
