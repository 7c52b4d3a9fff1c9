/** Importance minimality: as few subcomponents as possible should matter on an input. */
import { add, mul, sum, type Tensor } from "../../../tensor/index.ts";
import { type ImportancePenalty, penalised } from "./activity-means.ts";

/**
 * `Σ_sites Σ_c φ(g_c)`, averaged over the batch, with φ the penalty: `g^p` (SPD paper, L_importance-minimality) or smooth L0 (param-decomp
 * SPEC, S9); not divided by the number of sites. It is the sum of the `activityMeans`.
 *
 * @param importances upper-leaky causal importances, `C batch` for each site
 * @param penalty     what an importance costs; a number or scalar tensor p stands for `{ p }`
 * @returns           about how many subcomponents matter on an input, ≥ 0
 */
export function importanceMinimality(
  importances: readonly Tensor<"C batch">[],
  penalty: ImportancePenalty | number | Tensor<"">,
): Tensor<""> {
  const cost: ImportancePenalty = typeof penalty === "number" || "op" in penalty ? { p: penalty } : penalty;
  const totals = importances.map((g) => mul(sum(penalised(g, cost)), 1 / g.shape[1]!));
  return totals.reduce((a, b) => add(a, b));
}
