/**
 * How far the components of each site are from adding up to its matrix. The mean over all weights, which methods minimise, may hide one site
 * among many that carries the whole damage; errors relative to each matrix do not. Neither ranks sites by what the damage does to the output.
 */
import { componentFactors, type Decomposition } from "../decomposition/decomposition.ts";
import { interpret, type Values } from "../engine/index.ts";
import { sizeOf } from "../tensor/index.ts";

export interface SiteFaithfulness {
  /** `Σ_ij Δ_ij²`. */
  readonly squaredError: number;
  /** `‖Δ‖² / ‖W‖²`, Frobenius. */
  readonly relative: number;
  /** How many weights the matrix has. */
  readonly weights: number;
}

/** Each site's, in float64. */
export function siteFaithfulness(decomposition: Decomposition): Readonly<Record<string, SiteFaithfulness>> {
  const { network, tensors, values } = decomposition;
  return Object.fromEntries(
    network.sites.map((site) => {
      const { W, V, U } = interpret(
        { W: network.matrix(tensors, site.name), ...componentFactors(decomposition, site) },
        values,
      );
      return [site.name, faithfulnessOf(W, V, U)];
    }),
  );
}

/** The mean squared error over all weights (SPD paper, L_faithfulness). */
export function meanFaithfulness(sites: Readonly<Record<string, SiteFaithfulness>>): number {
  const all = Object.values(sites);
  return all.reduce((sum, x) => sum + x.squaredError, 0) / all.reduce((sum, x) => sum + x.weights, 0);
}

/**
 * @param W `d_in d_out`
 * @param V `d_in C`, or `d_in C m` where components have rank m
 * @param U `C d_out`, or `C m d_out`
 */
export function faithfulnessOf(W: Values, V: Values, U: Values): SiteFaithfulness {
  const [dIn, dOut] = W.shape as [number, number];
  // Which component a factor belongs to does not matter to the sum.
  const C = sizeOf(V.shape.slice(1));
  const left = new Float64Array(dOut);
  let [squaredError, norm] = [0, 0];
  for (let i = 0; i < dIn; i++) {
    for (let o = 0; o < dOut; o++) left[o] = W.data[i * dOut + o]!;
    norm += left.reduce((sum, w) => sum + w * w, 0);
    for (let c = 0; c < C; c++) {
      const read = V.data[i * C + c]!;
      if (read === 0) continue;
      for (let o = 0; o < dOut; o++) left[o]! -= read * U.data[c * dOut + o]!;
    }
    squaredError += left.reduce((sum, w) => sum + w * w, 0);
  }
  return { squaredError, relative: norm > 0 ? squaredError / norm : 0, weights: dIn * dOut };
}
