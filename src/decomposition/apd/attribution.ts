/**
 * APD's attributions: how much each component matters on each input, to first order in the parameters.
 *
 *   A_c(x) = √( (1/d_L) Σ_o ( Σ_l Σ_ij ∂f_o(x; θ)/∂θ_l,ij · P_c,l,ij )² )
 *
 * (Braun et al. 2025, "Interpretability in Parameter Space", section 3). They say what an infinitely small change would do, and are wrong
 * where the network bends before the whole component is gone.
 */
import type { Network } from "../../network/network.ts";
import {
  add,
  constant,
  contract,
  einsum,
  mul,
  reshape,
  sizesOf,
  sqrt,
  square,
  stopGradient,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { componentProduct, innerActivation } from "../full-network/factors.ts";
import { watchedRun } from "../full-network/watched-run.ts";
import { partsOf } from "./parts.ts";

/** Whose parameters gradients are taken at: the network's own, or the sum of the components. */
export type AttributionsAt = "target" | "components";

/**
 * The attributions on a batch. No gradient flows through them.
 *
 * The gradient of output o with respect to a matrix is `a ⊗ δ_o` on one example, so its product with `P_c` is that of `δ_o` with `a P_c`: one
 * backward pass an output, and no gradient is ever as large as the parameters.
 *
 * @param weights    the network's own
 * @param components `<site>.parts.V` and `<site>.parts.U`
 * @returns          ≥ 0, in units of the output
 */
export function attributions(
  network: Network,
  weights: Tensors,
  components: Tensors,
  x: Tensor,
  at: AttributionsAt,
): Tensor<"C batch"> {
  const whole: Parameters<typeof watchedRun>[3] = (site, activation) =>
    componentProduct(activation, partsOf(network, components, site));
  const run = watchedRun(network, weights, x, at === "components" ? whole : undefined);
  const parts = network.sites.map((site, i) => {
    const factors = partsOf(network, components, site);
    return { U: factors.U, inner: innerActivation(run.activations[i]!, factors) };
  });
  const outputs = eachOutput(run.output);
  const squares = outputs.map((output) => {
    const slopes = run.slopes(output);
    const changes = parts.map(({ U, inner }, i) => {
      const written = einsum("batch d_out, C m d_out -> C m batch", slopes[i]!, U);
      return sum(mul(inner, written), "m");
    });
    return square(changes.reduce((a, b) => add(a, b)));
  });
  const total = squares.reduce((a, b) => add(a, b));
  return stopGradient(sqrt(mul(total, 1 / outputs.length)));
}

/** Each output of the network, summed over examples. */
function eachOutput(output: Tensor): readonly Tensor<"">[] {
  const { batch, ...others } = sizesOf(output) as Record<string, number>;
  const out = Object.values(others).reduce((a, b) => a * b, 1);
  const flat = reshape(output, "batch out", { batch: batch!, out });
  return Array.from({ length: out }, (_, o) => {
    const chosen = Array.from({ length: out }, (__, i) => Number(i === o));
    return sum(contract(flat, constant("out", { out }, chosen), "batch")) as Tensor as Tensor<"">;
  });
}
