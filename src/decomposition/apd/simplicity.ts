/** Simplicity: what is active should have low rank. */
import { add, axisSize, clamp, mean, mul, pow, sqrt, sum, type Tensor } from "../../tensor/index.ts";
import type { Factors } from "../decomposition.ts";
import { squaredNorms } from "../full-network/factors.ts";

/** Squared norms are kept above this, where the derivative of a root would be infinite. */
const SMALLEST = 1e-12;

/**
 * `(1/N) Σ_c s_c(x) Σ_l Σ_m (‖V_c,l,m‖² ‖U_c,l,m‖²)^(p/2)`, a mean over examples (APD, L_simple): the p-th power of each rank-one factor's
 * length, of the components that are active. Were the factors orthogonal it would be the Schatten norm `Σ σ^p`; gradient descent finds
 * such ones because they are cheaper.
 *
 * N is the number of parameters taken apart, as in faithfulness. The formula of the paper has no such factor; without it the published
 * coefficients (20 beside faithfulness 1 for 40-10) would leave next to nothing of components. That it is N was chosen for 5-2, where
 * components then shrink as published; it is not known to be what the paper did.
 *
 * @param factors at each site that has a matrix of its own
 * @param active  1 where a component is active
 * @param p       ≤ 1, so that one long factor is cheaper than two short ones
 * @returns       ≥ 0
 */
export function simplicity(factors: readonly Factors[], active: Tensor<"C batch">, p: number): Tensor<""> {
  const length = (part: Factors): Tensor<"C"> => {
    const squared = clamp(squaredNorms(part), SMALLEST, Infinity);
    return sum(p === 1 ? sqrt(squared) : pow(squared, p / 2), "m");
  };
  const cost = factors.map(length).reduce((a, b) => add(a, b));
  const parameters = factors.reduce((total, { V, U }) => total + axisSize(V, "d_in") * axisSize(U, "d_out"), 0);
  return mul(sum(mul(mean(active, "batch"), cost)), 1 / parameters);
}
