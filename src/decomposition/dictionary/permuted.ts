/**
 * A permutation of `0 … count - 1` that is computed place by place and takes no memory: a Feistel network over the next power of four, walked on until
 * it lands within (Black & Rogaway 2002).
 */
import { type Key, threefry2x32 } from "../../tensor/random.ts";

const ROUNDS = 4;

/** Where `index` goes. */
export function permuted(key: Key, index: number, count: number): number {
  const bits = Math.max(1, Math.ceil(Math.log2(Math.max(2, count)) / 2));
  const half = 2 ** bits;
  let at = index;
  do {
    let [left, right] = [Math.floor(at / half), at % half];
    for (let round = 0; round < ROUNDS; round++) {
      const [mixed] = threefry2x32(key, [round, right]);
      [left, right] = [right, (left ^ (mixed & (half - 1))) >>> 0];
    }
    at = left * half + right;
  } while (at >= count);
  return at;
}
