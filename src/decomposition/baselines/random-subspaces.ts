/** Random directions and subspaces: what any finding is to be held against. */
import { foldIn, type Key } from "../../tensor/index.ts";
import { dense, type Dense, pseudoInverse, randomOrthonormalRows } from "./linear-algebra.ts";

/** So many subspaces of so many dimensions, each uniform and independent of the others, with orthonormal directions: `(count rank) × width`. */
export function randomSubspaces(count: number, rank: number, width: number, key: Key): Dense {
  const data = new Float64Array(count * rank * width);
  for (let c = 0; c < count; c++) {
    data.set(randomOrthonormalRows(rank, width, foldIn(key, c)).data, c * rank * width);
  }
  return dense(count * rank, width, data);
}

/** What reads rows so that directions write them as nearly as they can, with the least numbers where there is a choice: the pseudo-inverse, `width × (count rank)`. */
export function leastSquaresEncoder(directions: Dense): Dense {
  return pseudoInverse(directions);
}

/**
 * The largest absolute cosine between one direction and `count` random ones of `width` dimensions, its mean: what MMCS is by chance.
 *
 *   E[max] = ∫₀¹ 1 - P(|cos| ≤ t)^count dt,   |cos| having the density c (1 - t²)^((width - 3) / 2)
 *
 * @param width at least 2
 */
export function expectedLargestCosine(count: number, width: number): number {
  // With t = sin a the density is cosᵈ⁻² a, which is finite everywhere; both integrals by the midpoint rule.
  const steps = 20_000;
  const step = Math.PI / 2 / steps;
  const weight = (i: number): number => Math.cos((i + 0.5) * step) ** (width - 2);
  let all = 0;
  for (let i = 0; i < steps; i++) all += weight(i);
  let [below, mean] = [0, 0];
  for (let i = 0; i < steps; i++) {
    const inside = weight(i) / all;
    mean += (1 - (below + inside / 2) ** count) * Math.cos((i + 0.5) * step) * step;
    below += inside;
  }
  return mean;
}
