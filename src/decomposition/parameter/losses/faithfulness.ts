/** Faithfulness: the subcomponents must add up to the network's own matrices. */
import { add, div, mul, sizeOf, square, sum, type Tensor } from "../../../tensor/index.ts";

type Matrix = Tensor<"d_in d_out">;

/**
 * `(1/N) Σ_sites Σ_ij Δ_ij²`, with N the number of parameters taken apart (SPD paper, L_faithfulness; VPD, L_ΔL2).
 *
 * @param deltas what each site's subcomponents leave over, `d_in d_out`
 * @returns      a mean of squared weights, ≥ 0
 */
export function faithfulness(deltas: readonly Matrix[]): Tensor<""> {
  const parameters = deltas.reduce((total, delta) => total + sizeOf(delta.shape), 0);
  return mul(
    deltas.map((delta) => sum(square(delta))).reduce((a, b) => add(a, b)),
    1 / parameters,
  );
}

/**
 * The mean over sites of `‖Δ‖² / ‖W‖²` (param-decomp SPEC, S17): each site counts the same however large its weights are, so that one
 * coefficient serves networks of all sizes and no broken site hides behind the others.
 *
 * @param sites what each site's subcomponents leave over, and its own matrix, which must not be zero
 * @returns     a share of squared weights, ≥ 0; 1 where all components are zero
 */
export function relativeFaithfulness(sites: readonly { readonly delta: Matrix; readonly W: Matrix }[]): Tensor<""> {
  const shares = sites.map(({ delta, W }) => div(sum(square(delta)), sum(square(W))));
  return mul(
    shares.reduce((a, b) => add(a, b)),
    1 / sites.length,
  );
}
