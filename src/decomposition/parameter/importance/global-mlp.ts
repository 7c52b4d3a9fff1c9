/**
 * Causal importance by one MLP for all sites: from the vectors that go into them, side by side in the order in which the network meets
 * them, through hidden layers that all share, to one head a site (the "global shared MLP" of the SPD repository). It sees the whole network at
 * one position, and nothing of the others.
 */
import { concat } from "../../../tensor/index.ts";
import type { ImportanceFunction, Slots } from "./importance.ts";
import { head, headWeights, hiddenLayers, hiddenWeights } from "./dense.ts";
import { bySite, vectorOf, widthOf } from "./seen.ts";
import { drawn, type StartedWeight } from "./start.ts";

/** One MLP with hidden layers of these widths. */
export function globalMlp(widths: readonly number[]): ImportanceFunction {
  const parts = (slots: readonly Slots[]): StartedWeight[] => {
    const dIn = slots.reduce((total, { site }) => total + widthOf(site), 0);
    return [
      ...hiddenWeights("importance", dIn, widths),
      ...slots.flatMap((one) => headWeights(one, widths.at(-1) ?? dIn)),
    ];
  };
  return {
    weights: parts,
    start: (slots, key) => drawn(parts(slots), key),
    preactivations: (weights, seen) => {
      const sites = [...bySite(seen).values()];
      const everything = concat(sites.map(vectorOf), "d_in");
      const hidden = hiddenLayers(weights, "importance", widths.length, everything);
      return Object.fromEntries(sites.map(({ site }) => [site.name, head(weights, site, hidden)]));
    },
  };
}
