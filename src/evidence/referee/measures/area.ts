/**
 * The area under a curve of divergence against size, for each prompt: the mean over `log₂(1 + size)` from no unit to as many as any subject has. Between the
 * sizes that were asked about it is a straight line in that scale; before the first and after the last it stays as it is. The
 * logarithm, because what a hundred units more are worth depends on whether there are ten or ten thousand.
 */
import type { Answer } from "../trial.ts";

/**
 * The areas.
 *
 * @param most where the axis ends; points beyond it do not count
 */
export function areaOf(answers: readonly Answer[], axis: "size" | "bits", most: number): Float64Array {
  const end = Math.log2(1 + most);
  const points = answers
    .map((answer) => ({ x: Math.min(end, Math.log2(1 + answer[axis])), divergence: answer.divergence }))
    .sort((a, b) => a.x - b.x);
  const weights = points.map(({ x }, i) => {
    const before = i === 0 ? -x : points[i - 1]!.x;
    const after = i === points.length - 1 ? 2 * end - x : points[i + 1]!.x;
    return (after - before) / 2 / end;
  });
  const n = points[0]!.divergence.length;
  const area = new Float64Array(n);
  points.forEach(({ divergence }, p) => {
    for (let i = 0; i < n; i++) area[i]! += weights[p]! * divergence[i]!;
  });
  return area;
}
