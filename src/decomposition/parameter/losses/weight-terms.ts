/** The terms of the objective that weights alone decide. */
import type { Network, Site } from "../../../network/network.ts";
import { MechanistError } from "../../../error.ts";
import { add, type Tensor, type Tensors } from "../../../tensor/index.ts";
import { faithfulness, relativeFaithfulness } from "./faithfulness.ts";
import { type FacingUnits, locality } from "./locality.ts";
import type { Term } from "./masked-reconstructions.ts";
import type { ParameterSettings } from "../settings.ts";
import { subcomponentsOf, weightDelta } from "../subcomponents.ts";

/**
 * Faithfulness, which is always reported, and locality where it has a weight.
 *
 * @param threshold of locality at this step
 */
export function weightTerms(
  network: Network,
  weights: Tensors,
  components: Tensors,
  settings: ParameterSettings,
  threshold: number | Tensor<"">,
): Term[] {
  const faithful = faithfulnessOf(network, weights, components, settings.relativeFaithfulness);
  const terms: Term[] = [{ name: "faithfulness", coefficient: settings.faithfulness, value: faithful }];
  if (settings.locality > 0)
    terms.push({
      name: "locality",
      coefficient: settings.locality,
      value: unitsTouched(network, components, threshold),
    });
  return terms;
}

/** About how many neurons and how many heads components touch: the sum of both kinds' means. */
function unitsTouched({ sites }: Network, components: Tensors, threshold: number | Tensor<"">): Tensor<""> {
  const kinds = [...new Set(sites.flatMap(({ units }) => units?.kind ?? []))];
  if (kinds.length === 0)
    throw new MechanistError("BadArgument", "locality: expected sites that face neurons or heads, got none");
  const facing = (kind: string): FacingUnits[] =>
    sites.flatMap((site) => {
      if (site.units?.kind !== kind) return [];
      const { V, U } = subcomponentsOf(components, site);
      const { side, count, uses } = site.units;
      return [{ vectors: side === "out" ? U : V, count, ...(uses !== undefined && { uses }) }];
    });
  return kinds.map((kind) => locality(facing(kind), threshold)).reduce((a, b) => add(a, b));
}

/** How far components are from adding up to the network's matrices, in either form. */
export function faithfulnessOf(network: Network, weights: Tensors, components: Tensors, relative: boolean): Tensor<""> {
  const sites = network.sites.map((site: Site) => {
    const W = network.matrix(weights, site.name);
    return { W, delta: weightDelta(W, subcomponentsOf(components, site)) };
  });
  return relative ? relativeFaithfulness(sites) : faithfulness(sites.map(({ delta }) => delta));
}
