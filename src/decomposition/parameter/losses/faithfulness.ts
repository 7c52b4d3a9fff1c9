/** Faithfulness: the subcomponents must add up to the network's own matrices. */
import { add, square, sum, mul, type Tensor, sizeOf } from "../../../tensor/index.ts";

/**
 * `(1/N) Σ_sites Σ_ij Δ_ij²`, with N the number of parameters taken apart (SPD paper, L_faithfulness).
 *
 * @param deltas what each site's subcomponents leave over, `d_in d_out`
 * @returns      a mean of squared weights, ≥ 0
 */
export function faithfulness(deltas: readonly Tensor<"d_in d_out">[]): Tensor<""> {
  const parameters = deltas.reduce((total, delta) => total + sizeOf(delta.shape), 0);
  return mul(
    deltas.map((delta) => sum(square(delta))).reduce((a, b) => add(a, b)),
    1 / parameters,
  );
}
