/**
 * Canonical correlations of two sets of activations, and SVCCA (Raghu et al. 2017): the same among the singular directions that carry most
 * of each set's variance. Any invertible linear map leaves canonical correlations as they are; SVCCA's choice of directions it does change.
 */
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import { MechanistError } from "../error.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import type { Key } from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";
import { centred, expectPaired } from "./activations.ts";
import { similarity, type Similarity } from "./similarity.ts";

/** Variances below this share of the largest are rounding. */
const ROUNDING = 1e-11;
/** The share of variance that SVCCA keeps. */
const KEPT_VARIANCE = 0.99;

/** The canonical correlations, largest first: as many as the smaller set has dimensions. */
export function canonicalCorrelations(x: Rows, y: Rows, keptVariance = 1): number[] {
  const n = expectPaired("CCA", x, y);
  const [a, b] = [whitened(x, keptVariance), whitened(y, keptVariance)];
  if (n <= a.columns + b.columns) {
    throw new MechanistError(
      "BadArgument",
      `CCA: expected more rows than the ${a.columns + b.columns} dimensions of both sets, got ${n}`,
    );
  }
  const { diagonal } = new SingularValueDecomposition(a.transpose().mmul(b), { autoTranspose: true });
  return diagonal.slice(0, Math.min(a.columns, b.columns)).map((r) => Math.min(1, r));
}

/** The mean canonical correlation, 0 to 1. */
export function meanCanonicalCorrelation(x: Rows, y: Rows): number {
  return meanOfNumbers(canonicalCorrelations(x, y));
}

/** SVCCA: the mean canonical correlation among the directions that carry 99 % of each set's variance. */
export function singularVectorAlignment(x: Rows, y: Rows): number {
  return meanOfNumbers(canonicalCorrelations(x, y, KEPT_VARIANCE));
}

/** CCA and SVCCA beside what they are when the rows of one set are in a random order, which is far above 0 where rows are few. */
export function canonicalSimilarity(
  x: Rows,
  y: Rows,
  key: Key,
): { readonly cca: Similarity; readonly svcca: Similarity } {
  return {
    cca: similarity(meanCanonicalCorrelation, x, y, key, CAUTION),
    svcca: similarity(singularVectorAlignment, x, y, key, CAUTION),
  };
}

const CAUTION =
  "that two networks use the same features: what matters little to a set counts as much as what matters most";

/** Orthonormal columns that span the centred rows' directions of most variance. */
function whitened(rows: Rows, keptVariance: number): Matrix {
  const { data, columns } = centred(rows);
  const n = data.length / columns;
  const X = Matrix.from1DArray(n, columns, data as unknown as number[]);
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(X.transpose().mmul(X), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((i, j) => realEigenvalues[j]! - realEigenvalues[i]!);
  const total = realEigenvalues.reduce((a, b) => a + Math.max(0, b), 0);
  const least = realEigenvalues[order[0]!]! * ROUNDING;
  let sofar = 0;
  const kept = order.filter((i) => {
    const wanted = realEigenvalues[i]! > least && sofar < keptVariance * total;
    if (wanted) sofar += realEigenvalues[i]!;
    return wanted;
  });
  const basis = X.mmul(eigenvectorMatrix.subMatrixColumn(kept));
  kept.forEach((i, column) => basis.mulColumn(column, 1 / Math.sqrt(realEigenvalues[i]!)));
  return basis;
}
