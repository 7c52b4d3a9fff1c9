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
