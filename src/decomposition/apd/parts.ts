/** The tensors that hold APD's components: for every matrix of the network, each component's part. */
import type { Network, Site, WeightSpec } from "../../network/network.ts";
import type { Tensors } from "../../tensor/index.ts";
import type { Factors } from "../decomposition.ts";
import { factorCount, factorsNamed, factorWeights, ownSites, partnerOf, transposed } from "../full-network/factors.ts";
import { THRESHOLD } from "../full-network/threshold.ts";
import type { ApdSettings } from "./settings.ts";

/** `<site>.parts.V`, `<site>.parts.U` for each site that has a matrix of its own, and `threshold`. */
export function apdWeights(
  network: Network,
  { components, factors }: Pick<ApdSettings, "components" | "factors">,
): WeightSpec[] {
  const parts = ownSites(network).flatMap((site) =>
    factorWeights(site, `${site.name}.parts`, components, factorCount(site, factors)),
  );
  return [...parts, THRESHOLD];
}

/** A site's parts, the transposes of its partner's where they share a matrix. */
export function partsOf(network: Network, tensors: Tensors, site: Site): Factors {
  const partner = partnerOf(network, site);
  const own = factorsNamed(tensors, `${(partner ?? site).name}.parts`);
  return partner === undefined ? own : transposed(own);
}
