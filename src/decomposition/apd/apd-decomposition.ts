/**
 * What APD found, as something that can be masked. A component matters on an input (1) where its attribution is above what batch top-k took at the
 * least in training, and does not (0) elsewhere: APD knows nothing in between. Its remainder is what the components have not learnt.
 */
import type { NamedValues } from "../../engine/index.ts";
import type { Network } from "../../network/network.ts";
import { partnerOf } from "../full-network/factors.ts";
import { FullNetworkDecomposition } from "../full-network/full-network-decomposition.ts";
import { activeAbove } from "../full-network/threshold.ts";
import { attributions } from "./attribution.ts";
import { apdWeights, partsOf } from "./parts.ts";
import type { ApdSettings } from "./settings.ts";

/**
 * @param weights    the network's own
 * @param components what `apd` found
 */
export function apdDecomposition(
  network: Network,
  weights: NamedValues,
  components: NamedValues,
  settings: ApdSettings,
): FullNetworkDecomposition {
  return new FullNetworkDecomposition(network, weights, components, {
    count: settings.components,
    weights: apdWeights(network, settings),
    factors: (tensors, site) => partsOf(network, tensors, site),
    determined: (site) => partnerOf(network, site) !== undefined,
    activity: (tensors, x) => activeAbove(attributions(network, tensors, tensors, x, settings.attributionsAt), tensors),
  });
}
