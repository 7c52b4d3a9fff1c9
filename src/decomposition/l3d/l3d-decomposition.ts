/**
 * What L3D found. A direction is a way to move the weights, not a piece of them, so what removing one means has to be said: here it takes away
 * from the weights their projection on it, `⟨V_in, W⟩ V_out`. So the components are these projections; the remainder, which is most of the
 * weights where directions are few, is what no direction accounts for, and what components add up to without it need not be the network.
 *
 * Moving along directions, which is what they were made for, is `moved`; how much a small move does is `impacts`.
 *
 * A direction matters on an input (1) where `|V_in g|` is above what batch top-k kept at the least in training, and does not (0) elsewhere.
 * With the reference outputs `mean` and `sample` gradients depend on the other examples of the batch, and so does that.
 */
import type { NamedValues } from "../../engine/index.ts";
import type { Network, Site } from "../../network/network.ts";
import { abs, add, einsum, mul, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import type { Factors } from "../decomposition.ts";
import { componentProduct, factorsNamed } from "../full-network/factors.ts";
import { FullNetworkDecomposition } from "../full-network/full-network-decomposition.ts";
import { activeAbove } from "../full-network/threshold.ts";
import { directionsOf, projections } from "./directions.ts";
import { gradientFactors } from "./gradient-factors.ts";
import { l3dWeights } from "./l3d.ts";
import type { L3dSettings } from "./settings.ts";

export class L3dDecomposition extends FullNetworkDecomposition {
  readonly #settings: L3dSettings;

  /**
   * @param weights    the network's own
   * @param components what `l3d` found
   */
  constructor(network: Network, weights: NamedValues, components: NamedValues, settings: L3dSettings) {
    super(network, weights, components, {
      count: settings.subnetworks,
      weights: l3dWeights(network, settings),
      factors: (tensors, site) => projectedFactors(network, tensors, site),
      determined: () => false,
      activity: (tensors, x) => {
        const gradients = gradientFactors(network, tensors, x, settings.reference);
        return activeAbove(abs(projections(gradients, directionsOf(network, tensors, "V_in"))), tensors);
      },
    });
    this.#settings = settings;
  }

  /** How fast each example's divergence from the reference rises along each direction, `∇D · v` with v of length 1. */
  impacts(x: Tensor): Tensor<"C batch"> {
    const gradients = gradientFactors(this.network, this.tensors, x, this.#settings.reference);
    return projections(gradients, directionsOf(this.network, this.tensors, "V_out"));
  }

  /** The network's output with the weights moved along directions, `W + Σ_c δ_c v_c`, by so much for each example. */
  moved(x: Tensor, steps: Tensor<"C batch">): Tensor {
    return this.network.forward(this.tensors, x, {
      matmul: (site, given, W) => {
        if (!this.sites.some(({ name }) => name === site.name)) return undefined;
        const activation = given as Tensor<"batch d_in">;
        const product = einsum("batch d_in, d_in d_out -> batch d_out", activation, W);
        return add(product, componentProduct(activation, factorsNamed(this.tensors, `${site.name}.V_out`), steps));
      },
    });
  }
}

/** `⟨V_in, W⟩ V_out` of each direction at a site, the product being over all sites. */
function projectedFactors(network: Network, tensors: Tensors, site: Site): Factors {
  const parts = network.sites.map(({ name }) => {
    const { V, U } = factorsNamed(tensors, `${name}.V_in`);
    const read = einsum("d_in d_out, d_in C m -> C m d_out", network.matrix(tensors, name), V);
    return sum(mul(read, U), "m d_out");
  });
  const { V, U } = factorsNamed(tensors, `${site.name}.V_out`);
  return {
    V: mul(
      V,
      parts.reduce((x, y) => add(x, y)),
    ),
    U,
  };
}
