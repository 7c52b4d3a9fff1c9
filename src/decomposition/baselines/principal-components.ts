/**
 * Principal components: the directions of most variance (Pearson 1901; Hotelling 1933), the eigenvectors of the covariance. Of all subspaces of k dimensions
 * they leave over the least, `Σ_{i>k} λ_i` (Eckart & Young 1936).
 */
import type { Fitting } from "./fitting.ts";
import { type Dense, rowsOfMatrix, symmetricEigen } from "./linear-algebra.ts";
import { centredRows, meanProduct, meanRow, type SampledRows } from "./sample.ts";

export interface PrincipalComponents {
  readonly mean: Float32Array;
  /** Variances from the largest down, of all directions. */
  readonly variances: Float64Array;
  /** The first `count` directions, `count d`, orthonormal. */
  readonly directions: Dense;
}

export async function principalComponents(
  rows: SampledRows,
  count: number,
  fitting: Fitting,
): Promise<PrincipalComponents> {
  const mean = meanRow(rows);
  const centred = centredRows(rows, mean);
  const covariance = await meanProduct(centred, centred, fitting);
  const { values, vectors } = symmetricEigen(covariance);
  const first = Array.from({ length: count }, (_, i) => i);
  return { mean, variances: values.map((x) => Math.max(0, x)), directions: rowsOfMatrix(vectors, first) };
}
