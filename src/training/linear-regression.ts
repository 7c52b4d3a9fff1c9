/**
 * Least squares with an intercept, in float64: how well one set of numbers can be read off another linearly. Directions in which the
 * inputs hardly vary are left out, so that inputs that depend on one another are no trouble.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { MechanistError } from "../error.ts";
import type { NumberArray } from "../engine/index.ts";

/** Rows of numbers, row-major. */
export interface Rows {
  readonly columns: number;
  readonly data: NumberArray;
}

/** `y = (x - mean) W + intercept`. */
export interface LinearMap {
  /** Of each input. */
  readonly mean: Float64Array;
  /** `input output`, row-major. */
  readonly W: Float64Array;
  /** Of each output, its mean. */
  readonly intercept: Float64Array;
}

/** Variances below this share of the largest are float32's rounding, not signal. */
const RELATIVE_CUTOFF = 1e-11;

const countOf = ({ data, columns }: Rows): number => data.length / columns;

function expectRows(x: Rows, y: Rows): number {
  const [count, other] = [countOf(x), countOf(y)];
  if (count !== other || count < 1 || !Number.isInteger(count)) {
    throw new MechanistError(
      "ShapeMismatch",
      `linear regression: expected as many rows of x as of y, got ${count} and ${other}`,
    );
  }
  return count;
}

/** The map with the least squared error on these rows, of all such maps the one with the smallest weights. */
export function fitLinear(x: Rows, y: Rows): LinearMap {
  const count = expectRows(x, y);
  const [mean, intercept] = [columnMeans(x), columnMeans(y)];
  const [d, k] = [x.columns, y.columns];
  const gram = new Float64Array(d * d);
  const cross = new Float64Array(d * k);
  const row = new Float64Array(d);
  for (let n = 0; n < count; n++) {
    for (let i = 0; i < d; i++) row[i] = x.data[n * d + i]! - mean[i]!;
    for (let i = 0; i < d; i++) {
      const xi = row[i]!;
      for (let j = i; j < d; j++) gram[i * d + j]! += xi * row[j]!;
      for (let j = 0; j < k; j++) cross[i * k + j]! += xi * (y.data[n * k + j]! - intercept[j]!);
    }
  }
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) gram[i * d + j] = gram[j * d + i]!;
  return { mean, intercept, W: solved(gram, cross, d, k) };
}

function columnMeans(x: Rows): Float64Array {
  const means = new Float64Array(x.columns);
  for (let i = 0; i < x.data.length; i++) means[i % x.columns]! += x.data[i]!;
  return means.map((total) => total / countOf(x));
}

/** `gram⁻¹ cross`, with the pseudo-inverse by eigenvalues. */
function solved(gram: Float64Array, cross: Float64Array, d: number, k: number): Float64Array {
  const square = Matrix.from1DArray(d, d, gram as unknown as number[]);
  const { realEigenvalues, eigenvectorMatrix: Q } = new EigenvalueDecomposition(square, { assumeSymmetric: true });
  const least = Math.max(0, ...realEigenvalues) * RELATIVE_CUTOFF;
  const along = Q.transpose().mmul(Matrix.from1DArray(d, k, cross as unknown as number[]));
  realEigenvalues.forEach((value, i) => along.mulRow(i, value > least ? 1 / value : 0));
  return Float64Array.from(Q.mmul(along).to1DArray());
}

/** What the map makes of each row: `output` columns. */
export function applyLinear({ mean, W, intercept }: LinearMap, x: Rows): Float64Array {
  const [d, k, count] = [x.columns, intercept.length, countOf(x)];
  const out = new Float64Array(count * k);
  for (let n = 0; n < count; n++) {
    for (let j = 0; j < k; j++) out[n * k + j] = intercept[j]!;
    for (let i = 0; i < d; i++) {
      const xi = x.data[n * d + i]! - mean[i]!;
      for (let j = 0; j < k; j++) out[n * k + j]! += xi * W[i * k + j]!;
    }
  }
  return out;
}

/**
 * The share of the variance of `y`, all columns together, that the map explains: 1 where it is right everywhere, 0 where it is as good as
 * the mean of `y`, below 0 where it is worse.
 */
export function rSquared(map: LinearMap, x: Rows, y: Rows): number {
  expectRows(x, y);
  const predicted = applyLinear(map, x);
  const means = columnMeans(y);
  let [residual, total] = [0, 0];
  for (let i = 0; i < predicted.length; i++) {
    residual += (y.data[i]! - predicted[i]!) ** 2;
    total += (y.data[i]! - means[i % y.columns]!) ** 2;
  }
  return 1 - residual / total;
}
