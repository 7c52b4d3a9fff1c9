/** What importance functions other than scalar gates read: the vectors that go into sites. */
import { MechanistError } from "../../../error.ts";
import { stopGradient, type Tensor } from "../../../tensor/index.ts";
import { rowsOf } from "../subcomponents.ts";
import type { SeenSite } from "./importance.ts";

/**
 * The vector that goes into a site's matrix, one row an example and position. No gradient goes back through it: importances are trained
 * on what the network does, and never train what it does.
 */
export function vectorOf(seen: SeenSite): Tensor<"batch d_in"> {
  return stopGradient(rowsOf(expectVector(seen).activation));
}

/** Refuses a site that looks rows up instead of multiplying by its matrix: nothing goes into it but the number of a token. */
export function expectVector(seen: SeenSite): SeenSite {
  if (seen.activation.dtype === "f32") return seen;
  throw new MechanistError(
    "BadArgument",
    `importance of ${seen.site.name}: expected a vector that goes into the site, got token ids; scalar gates can do without`,
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
