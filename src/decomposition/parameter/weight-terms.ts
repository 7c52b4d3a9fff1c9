/** The terms of the objective that weights alone decide. */
import type { Network, Site } from "../../network/network.ts";
import type { Tensor, Tensors } from "../../tensor/index.ts";
import { faithfulness, relativeFaithfulness } from "./losses/faithfulness.ts";
import type { Term } from "./reconstructions.ts";
import type { ParameterSettings } from "./settings.ts";
import { subcomponentsOf, weightDelta } from "./subcomponents.ts";

/** Faithfulness, which is always reported, and locality where it has a weight. */
export function weightTerms(
  network: Network,
  weights: Tensors,
  components: Tensors,
  settings: ParameterSettings,
  _threshold: number | Tensor<"">,
): Term[] {
  return [
    {
      name: "faithfulness",
      coefficient: settings.faithfulness,
      value: faithfulnessOf(network, weights, components, settings.relativeFaithfulness),
    },
  ];
}

/** How far components are from adding up to the network's matrices, in either form. */
export function faithfulnessOf(network: Network, weights: Tensors, components: Tensors, relative: boolean): Tensor<""> {
  const sites = network.sites.map((site: Site) => {
    const W = network.matrix(weights, site.name);
    return { W, delta: weightDelta(W, subcomponentsOf(components, site)) };
  });
  return relative ? relativeFaithfulness(sites) : faithfulness(sites.map(({ delta }) => delta));
}
