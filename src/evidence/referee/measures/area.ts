/**
 * The area under a curve of divergence against size: the mean over `log₂(1 + size)` from no unit to as many as any subject has. Between the sizes that were
 * asked about it is a straight line in that scale; before the first and after the last it stays as it is. The logarithm, because what a
 * hundred units more are worth depends on whether there are ten or ten thousand.
 *
 * Both coordinates of a point are means over prompts. To first order the area is then the mean of one number a prompt, its share of the divergences and what
 * its share of the sizes does to the area:
 *
 *   a_i = Σ_j w_j d_ij + Σ_j (∂A / ∂x_j) (dx_j / dk_j) (k_ij - mean k_j)
 *
 * whose mean is the area exactly, and whose spread is the area's (infinitesimal jackknife, Jaeckel 1972). Without the second sum prompts that happen to need more
 * units would count as sure.
 */
import { meanOfNumbers } from "../../../intervention/bootstrap.ts";
import type { Answer } from "../trial.ts";

/**
 * One number a prompt, whose mean is the area.
 *
 * @param most where the axis ends; points beyond it do not count
 */
export function areaOf(answers: readonly Answer[], axis: "size" | "bits", most: number): Float64Array {
  const end = Math.log2(1 + most);
  const points = answers
    .map((answer) => ({
      x: Math.min(end, Math.log2(1 + answer[axis])),
      size: answer[axis],
      sizes: axis === "size" ? answer.sizes : answer.costs,
      divergence: answer.divergence,
      mean: meanOfNumbers(answer.divergence),
    }))
    .sort((a, b) => a.x - b.x);
  const area = new Float64Array(points[0]!.divergence.length);
  points.forEach((point, p) => {
    const [before, after] = [points[p - 1], points[p + 1]];
    const weight = ((after?.x ?? 2 * end - point.x) - (before?.x ?? -point.x)) / 2 / end;
    // Moved to the right, a point takes the place of what comes after it and leaves its own to what comes before.
    const fall = ((before?.mean ?? point.mean) - (after?.mean ?? point.mean)) / 2;
    const slope = point.x < end ? fall / end / ((1 + point.size) * Math.LN2) : 0;
    for (let i = 0; i < area.length; i++) {
      area[i]! += weight * point.divergence[i]! + slope * (point.sizes[i]! - point.size);
    }
  });
  return area;
}
