/** From a site's matrices to what is drawn of them. Arrays are row-major. */
import type { Analysis, SiteParts } from "./laboratory.ts";

/** The matrix of one component, `V[:, c] U[c, :]`, `d_in d_out`. */
export function componentMatrix({ dIn, dOut, count, V, U }: SiteParts, c: number): Float64Array {
  const out = new Float64Array(dIn * dOut);
  for (let i = 0; i < dIn; i++) {
    for (let o = 0; o < dOut; o++) out[i * dOut + o] = V[i * count + c]! * U[c * dOut + o]!;
  }
  return out;
}

/** A site's matrix as one hidden vector a feature, `feature hidden`: its rows where features come in, its columns where they go out. */
export function featureVectors({ dIn, dOut, features }: SiteParts, matrix: Float64Array): Float64Array {
  if (features !== "out") return matrix;
  const out = new Float64Array(matrix.length);
  for (let i = 0; i < dIn; i++) for (let o = 0; o < dOut; o++) out[o * dIn + i] = matrix[i * dOut + o]!;
  return out;
}

/**
 * A component's part for each feature as a length with a sign. All its feature vectors lie on one line, because its rank is one; the
 * sign says which way along it.
 */
export function signedLengths({ dIn, dOut, count, V, U, features }: SiteParts, c: number): Float64Array {
  const read = Float64Array.from({ length: dIn }, (_, i) => V[i * count + c]!);
  const write = U.subarray(c * dOut, (c + 1) * dOut);
  const [own, other] = features === "out" ? [write, read] : [read, write];
  const length = Math.hypot(...other);
  return Float64Array.from(own, (x) => x * length);
}

/** `W Wᵀ`, `feature feature`: how much features share directions. */
export function gram({ W, features, hidden }: Analysis): Float64Array {
  const out = new Float64Array(features * features);
  for (let i = 0; i < features; i++) {
    for (let j = 0; j < features; j++) {
      let sum = 0;
      for (let h = 0; h < hidden; h++) sum += W[i * hidden + h]! * W[j * hidden + h]!;
      out[i * features + j] = sum;
    }
  }
  return out;
}

/** Columns of `row column` in another order. */
export function reordered(values: ArrayLike<number>, columns: number, order: readonly number[]): Float64Array {
  const rows = columns === 0 ? 0 : values.length / columns;
  const out = new Float64Array(rows * order.length);
  for (let r = 0; r < rows; r++) order.forEach((c, i) => (out[r * order.length + i] = values[r * columns + c]!));
  return out;
}

/** The largest size among numbers; 0 for none. */
export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) if (Math.abs(values[i]!) > most) most = Math.abs(values[i]!);
  return most;
}

/** The longest of `row axis` vectors. */
export function longest(vectors: Float64Array, rows: number): number {
  const size = rows === 0 ? 0 : vectors.length / rows;
  let most = 0;
  for (let r = 0; r < rows; r++) most = Math.max(most, Math.hypot(...vectors.subarray(r * size, (r + 1) * size)));
  return most;
}

/** Frobenius norm. */
export function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));
}
