/** What is counted of two things over the same rows: how they come together. */

/** Pearson's correlation; 0 where one of them never changes. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const n = a.length;
  let [ma, mb] = [0, 0];
  for (let i = 0; i < n; i++) {
    ma += a[i]! / n;
    mb += b[i]! / n;
  }
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : 0;
}

/** 1 where something is there, 0 elsewhere. */
export const presence = (strength: ArrayLike<number>): Uint8Array =>
  Uint8Array.from(strength, (value) => (value === 0 ? 0 : 1));

/** The mean of a strength over the rows that a test picks, in absolute value. */
export function meanWhere(
  strength: ArrayLike<number>,
  picks: (row: number) => boolean,
): { mean: number; rows: number } {
  let [total, rows] = [0, 0];
  for (let row = 0; row < strength.length; row++) {
    if (!picks(row)) continue;
    total += Math.abs(strength[row]!);
    rows++;
  }
  return { mean: total / rows, rows };
}
