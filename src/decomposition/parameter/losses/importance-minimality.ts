/** Importance minimality: as few subcomponents as possible should matter on an input. */
import { add, clamp, constant, mul, pow, square, sum, type Tensor } from "../../../tensor/index.ts";

/**
 * `Σ_sites Σ_c |g_c|^p`, averaged over the batch (SPD paper, L_importance-minimality); not divided by the number of sites.
 *
 * @param importances upper-leaky causal importances, `C batch` for each site
 * @param p           the exponent, a number, or a scalar tensor where it changes during the run; for p < 1 importances are kept
 *                    above 1e-12, where the gradient would be infinite
 * @returns           about how many subcomponents matter on an input, ≥ 0
 */
export function importanceMinimality(importances: readonly Tensor<"C batch">[], p: number | Tensor<"">): Tensor<""> {
  const powered = (g: Tensor<"C batch">): Tensor<"C batch"> => {
    if (p === 1) return g;
    if (p === 2) return square(g);
    const exponent = typeof p === "number" ? constant("", {}, p) : p;
    return pow(clamp(g, 1e-12, Infinity), exponent);
  };
  const totals = importances.map((g) => mul(sum(powered(g)), 1 / g.shape[1]!));
  return totals.reduce((a, b) => add(a, b));
}
