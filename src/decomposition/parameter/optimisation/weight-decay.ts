/**
 * Weight decay scaled by causal importance (Vigouroux & Sharkey 2026, targeted parameter decomposition): components that nothing in the
 * batch needs shrink away, components that something needs do not shrink at all. Without a loss on faithfulness nothing else would
 * move the ones that nobody needs.
 */
import { maximum, max, mul, sub, type Tensor } from "../../../tensor/index.ts";
import type { Subcomponents } from "../subcomponents.ts";

/**
 * How much each component mattered where it mattered most: the largest of its importances over the rows of all batches.
 *
 * @param importances one site's lower-leaky importances, `C batch` for each stream of data
 */
export function mostImportance(importances: readonly Tensor<"C batch">[]): Tensor<"C"> {
  return importances.map((g) => max(g, "batch") as Tensor<"C">).reduce((a, b) => maximum(a, b));
}

/**
 * One site's subcomponents after the decay, which follows the optimiser's step: column c of V and row c of U are multiplied by
 * `1 - rate · decay · (1 - most_c)`.
 *
 * @param parts as the optimiser left them
 * @param most  `mostImportance`, from before the step
 * @param rate  the learning rate, a scalar
 * @param decay 0.1 in the paper
 */
export function decayed({ V, U }: Subcomponents, most: Tensor<"C">, rate: Tensor<"">, decay: number): Subcomponents {
  const kept = sub(1, mul(sub(1, most), mul(rate, decay)) as Tensor<"C">);
  return { V: mul(V, kept), U: mul(U, kept) };
}
