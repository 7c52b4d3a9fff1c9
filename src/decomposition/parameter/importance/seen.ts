/** What importance functions other than scalar gates read: the vectors that go into sites. */
import { MechanistError } from "../../../error.ts";
import type { Site } from "../../../network/network.ts";
import { stopGradient, type Tensor } from "../../../tensor/index.ts";
import { rowsOf } from "../subcomponents.ts";
import type { SeenSite } from "./importance.ts";

/**
 * The vector that goes into a site's matrix, one row an example and position. No gradient goes back through it: importances are trained
 * on what the network does, and never train what it does.
 */
export function vectorOf({ activation }: SeenSite): Tensor<"batch d_in"> {
  return stopGradient(rowsOf(activation));
}

/** How long the vector is that goes into a site. Refuses one that looks rows up: nothing goes into it but a token's number. */
export function widthOf({ name, dIn, indexed = false }: Site): number {
  if (!indexed) return dIn;
  const others = "gates and transformers at hook points need none";
  throw new MechanistError(
    "BadArgument",
    `importance of ${name}: expected a vector that goes into it, got token ids; ${others}`,
  );
}

/** Sites by name, in the order in which they are met. Each must be met once: an importance is of one use of a matrix at one position. */
export function bySite(seen: readonly SeenSite[]): ReadonlyMap<string, SeenSite> {
  const found = new Map<string, SeenSite>();
  for (const one of seen) {
    const { name } = one.site;
    if (found.has(name)) {
      const times = seen.filter(({ site }) => site.name === name).length;
      throw new MechanistError("BadArgument", `importance of ${name}: expected one product in a run, got ${times}`);
    }
    found.set(name, one);
  }
  return found;
}
