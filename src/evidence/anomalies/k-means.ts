/** k-means (Lloyd 1982), started as k-means++ (Arthur & Vassilvitskii 2007): what clustering alone makes of rows. */
import { foldIn, type Key, randomUniform } from "../../tensor/index.ts";

/** Rows of numbers. */
export interface DenseRows {
  readonly rows: number;
  readonly width: number;
  readonly data: Float32Array;
}

/** Rounds, at most. */
export const ROUNDS = 100;

/** The centres of `count` clusters, `C d`; a cluster that loses all its rows starts anew at the row that is furthest from its centre. */
export function kMeans({ rows, width, data }: DenseRows, count: number, key: Key): Float32Array {
  const centres = firstCentres({ rows, width, data }, count, foldIn(key, "start"));
  const nearest = new Int32Array(rows).fill(-1);
  const distance = new Float64Array(rows);
  for (let round = 0; round < ROUNDS; round++) {
    let moved = false;
    const lengths = Float64Array.from({ length: count }, (_, c) => squareAt(centres, c * width, width));
    for (let row = 0; row < rows; row++) {
      let [best, least] = [0, Infinity];
      for (let c = 0; c < count; c++) {
        let product = 0;
        for (let k = 0; k < width; k++) product += data[row * width + k]! * centres[c * width + k]!;
        const far = lengths[c]! - 2 * product;
        if (far < least) [best, least] = [c, far];
      }
      if (nearest[row] !== best) moved = true;
      nearest[row] = best;
      distance[row] = least + squareAt(data, row * width, width);
    }
    if (!moved) break;
    const sums = new Float64Array(count * width);
    const sizes = new Int32Array(count);
    for (let row = 0; row < rows; row++) {
      const c = nearest[row]!;
      sizes[c]!++;
      for (let k = 0; k < width; k++) sums[c * width + k]! += data[row * width + k]!;
    }
    for (let c = 0; c < count; c++) {
      const furthest = sizes[c] === 0 ? distance.reduce((a, d, row) => (d > distance[a]! ? row : a), 0) : -1;
      if (furthest >= 0) distance[furthest] = 0;
      for (let k = 0; k < width; k++) {
        centres[c * width + k] = furthest >= 0 ? data[furthest * width + k]! : sums[c * width + k]! / sizes[c]!;
      }
    }
  }
  return centres;
}

/** Rows drawn one after another, each as likely as the square of its distance to the nearest so far. */
function firstCentres({ rows, width, data }: DenseRows, count: number, key: Key): Float32Array {
  const centres = new Float32Array(count * width);
  const draws = randomUniform(key, count);
  const distance = new Float64Array(rows).fill(Infinity);
  let chosen = Math.floor(draws[0]! * rows);
  for (let c = 0; c < count; c++) {
    centres.set(data.subarray(chosen * width, (chosen + 1) * width), c * width);
    let total = 0;
    for (let row = 0; row < rows; row++) {
      let far = 0;
      for (let k = 0; k < width; k++) far += (data[row * width + k]! - centres[c * width + k]!) ** 2;
      distance[row] = Math.min(distance[row]!, far);
      total += distance[row]!;
    }
    let left = draws[c + 1 === count ? c : c + 1]! * total;
    chosen = rows - 1;
    for (let row = 0; row < rows; row++) {
      left -= distance[row]!;
      if (left <= 0) {
        chosen = row;
        break;
      }
    }
  }
  return centres;
}

function squareAt(data: ArrayLike<number>, from: number, width: number): number {
  let total = 0;
  for (let k = from; k < from + width; k++) total += data[k]! ** 2;
  return total;
}
