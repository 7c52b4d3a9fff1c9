/** How well scores agree: with other scores, and with the truth. */
import { meanOfNumbers } from "./bootstrap.ts";

/** Pearson's correlation of two lists; NaN where one of them is constant. */
export function pearson(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [meanOfNumbers(a), meanOfNumbers(b)];
  let [both, ofA, ofB] = [0, 0, 0];
  a.forEach((x, i) => {
    both += (x - meanA) * (b[i]! - meanB);
    ofA += (x - meanA) ** 2;
    ofB += (b[i]! - meanB) ** 2;
  });
  return both / Math.sqrt(ofA * ofB);
}

/**
 * The area under the receiver operating characteristic: how often something true has a larger score than something false, a tie counted
 * as half. 0.5 is chance. NaN where all are true or all are false.
 *
 * @param tie scores that differ by no more than this are tied: what is zero but for rounding ranks nothing
 */
export function areaUnderCurve(scores: readonly number[], truth: readonly boolean[], tie = 1e-9): number {
  let [won, pairs] = [0, 0];
  scores.forEach((score, i) => {
    if (!truth[i]) return;
    scores.forEach((other, j) => {
      if (truth[j]) return;
      pairs++;
      won += Math.abs(score - other) <= tie ? 0.5 : score > other ? 1 : 0;
    });
  });
  return won / pairs;
}
