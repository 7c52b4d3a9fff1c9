/**
 * Matrices of a fit, in float64 and row-major: small enough for plain loops and ml-matrix. Eigenvectors of 512 dimensions take about a second, of 1024
 * about nine.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { MechanistError } from "../../error.ts";
import { type Key, randomNormal } from "../../tensor/index.ts";

/** `rows × columns` numbers. */
export interface Dense {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float64Array;
}

export function dense(rows: number, columns: number, data: ArrayLike<number>): Dense {
  return { rows, columns, data: data instanceof Float64Array ? data : Float64Array.from(data) };
}

export function transposed({ rows, columns, data }: Dense): Dense {
  return dense(
    columns,
    rows,
    Float64Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!),
  );
}

/** `A B`. */
export function product(a: Dense, b: Dense): Dense {
  if (a.columns !== b.rows) {
    throw new MechanistError("ShapeMismatch", `product: expected ${a.columns} rows, got ${b.rows}`);
  }
  const data = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++) {
    const out = data.subarray(i * b.columns, (i + 1) * b.columns);
    for (let k = 0; k < a.columns; k++) {
      const x = a.data[i * a.columns + k]!;
      if (x === 0) continue;
      for (let j = 0, at = k * b.columns; j < b.columns; j++, at++) out[j]! += x * b.data[at]!;
    }
  }
  return dense(a.rows, b.columns, data);
}

/** Rows, each times a number. */
export function scaledRows({ rows, columns, data }: Dense, by: (row: number) => number): Dense {
  const factors = Array.from({ length: rows }, (_, i) => by(i));
  return dense(
    rows,
    columns,
    data.map((x, i) => x * factors[Math.floor(i / columns)]!),
  );
}

/** Some rows, in this order. */
export function rowsOfMatrix({ columns, data }: Dense, chosen: readonly number[]): Dense {
  const out = new Float64Array(chosen.length * columns);
  chosen.forEach((row, i) => out.set(data.subarray(row * columns, (row + 1) * columns), i * columns));
  return dense(chosen.length, columns, out);
}

/** Eigenvalues from the largest down, and their eigenvectors as rows, the largest entry of each positive so that signs are the same each time. */
export function symmetricEigen(a: Dense): { readonly values: Float64Array; readonly vectors: Dense } {
  const n = a.rows;
  const decomposition = new EigenvalueDecomposition(new Matrix(toRows(a)), { assumeSymmetric: true });
  const { realEigenvalues, eigenvectorMatrix } = decomposition;
  const order = realEigenvalues.map((_, i) => i).sort((i, j) => realEigenvalues[j]! - realEigenvalues[i]!);
  const vectors = dense(n, n, new Float64Array(n * n));
  order.forEach((column, row) => {
    let largest = 0;
    for (let i = 0; i < n; i++) {
      const x = eigenvectorMatrix.get(i, column);
      // Of two that are as long to rounding, the first.
      if (Math.abs(x) > Math.abs(largest) * (1 + 1e-9)) largest = x;
    }
    for (let i = 0; i < n; i++) {
      vectors.data[row * n + i] = eigenvectorMatrix.get(i, column) * (largest < 0 ? -1 : 1);
    }
  });
  return { values: Float64Array.from(order, (i) => realEigenvalues[i]!), vectors };
}

/** Eigenvalues below this part of the largest count as 0. */
const NOTHING = 1e-12;

/** The pseudo-inverse of Moore and Penrose, by the eigenvectors of the smaller of `A Aᵀ` and `Aᵀ A`. */
export function pseudoInverse(a: Dense): Dense {
  if (a.rows > a.columns) return transposed(pseudoInverse(transposed(a)));
  const t = transposed(a);
  const { values, vectors } = symmetricEigen(product(a, t));
  const least = NOTHING * Math.max(values[0]!, 0);
  const inverse = product(
    transposed(vectors),
    scaledRows(vectors, (i) => (values[i]! > least ? 1 / values[i]! : 0)),
  );
  return product(t, inverse);
}

/** `(A Aᵀ)^-½ A`: the nearest matrix with orthonormal rows. */
export function nearestOrthonormal(a: Dense): Dense {
  const { values, vectors } = symmetricEigen(product(a, transposed(a)));
  const least = NOTHING * Math.max(values[0]!, 0);
  const scaled = scaledRows(product(vectors, a), (i) => (values[i]! > least ? 1 / Math.sqrt(values[i]!) : 0));
  return product(transposed(vectors), scaled);
}

/**
 * Orthonormal rows in directions drawn uniformly (by Haar's measure): normal draws, orthogonalised one after another, twice against rounding.
 *
 * @param rows at most `columns`
 */
export function randomOrthonormalRows(rows: number, columns: number, key: Key): Dense {
  const { data } = dense(rows, columns, randomNormal(key, rows * columns));
  for (let i = 0; i < rows; i++) {
    const own = data.subarray(i * columns, (i + 1) * columns);
    for (let pass = 0; pass < 2; pass++) {
      for (let j = 0; j < i; j++) {
        const other = data.subarray(j * columns, (j + 1) * columns);
        const along = dot(own, other);
        for (let k = 0; k < columns; k++) own[k]! -= along * other[k]!;
      }
      const length = Math.sqrt(dot(own, own));
      for (let k = 0; k < columns; k++) own[k]! /= length;
    }
  }
  return dense(rows, columns, data);
}

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}

function toRows({ rows, columns, data }: Dense): number[][] {
  return Array.from({ length: rows }, (_, i) => Array.from(data.subarray(i * columns, (i + 1) * columns)));
}
