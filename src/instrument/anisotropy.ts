/** Anisotropy (Mimno & Thompson 2017; Ethayarajh 2019): how much activations all point the same way, so that cosines between them mislead. */
import type { Rows } from "../training/linear-regression.ts";
import { centred, columnMeans, rowCount } from "./activations.ts";
import type { Finding } from "./finding.ts";

export interface Anisotropy extends Finding {
  /** The mean cosine of all pairs of rows. */
  readonly meanCosine: number;
  /** The same after the mean is taken away: the null, about 0. */
  readonly centredCosine: number;
  /** `‖μ‖² / (‖μ‖² + tr Σ)`: what a common mean alone would make of it. */
  readonly predicted: number;
}

/** Measures it. */
export function anisotropy(rows: Rows): Anisotropy {
  const n = rowCount(rows);
  const mean = columnMeans(rows).reduce((total, x) => total + x * x, 0);
  const apart = centred(rows).data as Float64Array;
  const variance = apart.reduce((total, x) => total + x * x, 0) / (n - 1);
  return {
    meanCosine: meanCosine(rows),
    centredCosine: meanCosine(centred(rows)),
    predicted: mean / (mean + variance),
    n,
    counted: "rows",
    nullDescription: "the same rows less their mean",
    doesNotEstablish:
      "that a representation is poor: a common mean carries nothing and does no harm where a bias takes it away",
  };
}

/** Over all pairs of different rows; rows of zeros count as orthogonal to all. */
function meanCosine({ data, columns }: Rows): number {
  const n = data.length / columns;
  const sum = new Float64Array(columns);
  let selves = 0;
  for (let row = 0; row < n; row++) {
    let squares = 0;
    for (let j = 0; j < columns; j++) squares += data[row * columns + j]! ** 2;
    if (squares === 0) continue;
    selves++;
    for (let j = 0; j < columns; j++) sum[j]! += data[row * columns + j]! / Math.sqrt(squares);
  }
  return (sum.reduce((total, x) => total + x * x, 0) - selves) / (n * (n - 1));
}
