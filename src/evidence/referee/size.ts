/**
 * What it costs to say which units are active on a row, in bits:
 *
 *   log₂(C + 1) + log₂ binom(C, k) + precision · Σ rank
 *
 * how many of C, which ones, and how strong each of the k is: as many numbers as its rank, for a head of 16 dimensions is told by 16 numbers and not by
 * one (`description-length.ts`). What it leaves out: what the components themselves cost to write
 * down, which is paid once and not a row.
 */

/** Bits of one number of a unit's strength: as many as a half-precision number has. */
export const PRECISION_BITS = 16;

/** The cost of saying which k of C, for each k from 0 on. */
export function indexBits(C: number): Float64Array {
  const table = new Float64Array(C + 1);
  let choose = 0;
  for (let k = 0; k <= C; k++) {
    if (k > 0) choose += Math.log2(C - k + 1) - Math.log2(k);
    table[k] = Math.log2(C + 1) + choose;
  }
  return table;
}

/** Most sizes between the least and all. */
const MOST = 10;
/** The least size that is asked for, but for none. */
const LEAST = 1 / 4;

/** Mean units a row to ask about: 0, then a geometric ladder from a quarter to all, by twos where that is not too many. */
export function ladderTo(all: number): number[] {
  if (all <= LEAST) return [0, all];
  const factor = 2 ** Math.max(1, Math.log2(all / LEAST) / MOST);
  const rungs: number[] = [];
  for (let size = LEAST; size < all * 0.999; size *= factor) rungs.push(size);
  return [0, ...rungs, all];
}
