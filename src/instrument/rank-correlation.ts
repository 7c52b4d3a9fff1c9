/** Spearman's rank correlation: Pearson's of the ranks, ties sharing the mean of theirs. */
import { pearson } from "../intervention/agreement.ts";

/** The rank of each number from 0; equal numbers share the mean of their ranks. */
export function ranks(numbers: ArrayLike<number>): number[] {
  const order = Array.from({ length: numbers.length }, (_, i) => i).sort((a, b) => numbers[a]! - numbers[b]!);
  const found = Array.from({ length: numbers.length }, () => 0);
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && numbers[order[end]!] === numbers[order[start]!]) end++;
    for (let i = start; i < end; i++) found[order[i]!] = (start + end - 1) / 2;
    start = end;
  }
  return found;
}

/** From -1 to 1; NaN where one of the lists is constant. */
export function spearman(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return pearson(ranks(a), ranks(b));
}
