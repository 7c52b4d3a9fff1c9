/** Random orthogonal bases. */
import { type Key, randomNormal } from "../../tensor/index.ts";

/**
 * A matrix with orthonormal rows, drawn uniformly: Gram and Schmidt's process, twice for the last digits, on independent normal vectors.
 *
 * @returns row-major, `size` by `size`, in float64
 */
export function randomOrthogonal(key: Key, size: number): Float64Array {
  const rows = Float64Array.from(randomNormal(key, size * size));
  const row = (i: number): Float64Array => rows.subarray(i * size, (i + 1) * size);
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  for (let i = 0; i < size; i++) {
    const own = row(i);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const before = row(j);
        const along = dot(own, before);
        for (let d = 0; d < size; d++) own[d]! -= along * before[d]!;
      }
    }
    const norm = Math.sqrt(dot(own, own));
    for (let d = 0; d < size; d++) own[d]! /= norm;
  }
  return rows;
}
