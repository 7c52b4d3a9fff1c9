/**
 * Causal importance by one MLP a site: from the vector that goes into the site, through hidden layers that its components share, to one
 * pre-activation for each (the "shared MLP" of the SPD repository, the layerwise MLP of param-decomp).
 *
 * It sees what the whole site sees, where a scalar gate sees one direction of it, and costs one hidden layer a site instead of one a
 * component. The price: where features lie in superposition it need not recover them, as gates do.
 */
import type { ImportanceFunction, Slots } from "./importance.ts";
import { head, headWeights, hiddenLayers, hiddenWeights } from "./dense.ts";
import { bySite, vectorOf, widthOf } from "./seen.ts";
import { drawn, type StartedWeight } from "./start.ts";

/** One MLP a site, with hidden layers of these widths. */
export function layerwiseMlp(widths: readonly number[]): ImportanceFunction {
  const parts = (slots: readonly Slots[]): StartedWeight[] =>
    slots.flatMap((one) => [
      ...hiddenWeights(`importance.${one.site.name}`, widthOf(one.site), widths),
      ...headWeights(one, widths.at(-1) ?? one.site.dIn),
    ]);
  return {
    weights: parts,
    start: (slots, key) => drawn(parts(slots), key),
    preactivations: (weights, seen) =>
      Object.fromEntries(
        [...bySite(seen)].map(([name, one]) => {
          const hidden = hiddenLayers(weights, `importance.${name}`, widths.length, vectorOf(one));
          return [name, head(weights, one.site, hidden)];
        }),
      ),
  };
}
