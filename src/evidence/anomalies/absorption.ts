/**
 * Absorption: the latent of a general feature is silent where a special one is there, though the general one is there, too, since the special
 * one's latent writes both (Chanin et al. 2024).
 */
import type { Measure, Outcome } from "./measure.ts";
import { type Place, strengthOf } from "./place.ts";
import { meanWhere, presence } from "./co-occurrence.ts";
import { featureStrength, nearestComponents, SAME_DIRECTION, type TrueFeatures } from "./true-features.ts";

export const ABSORPTION: Measure = {
  title: "absorption",
  formula:
    "E[|z_c| | parent and child] / E[|z_c| | parent without any child], c the component nearest to the parent; absorbed where below 0.1",
  source: "Chanin et al. 2024 (A is for Absorption), as a ratio",
  unit: "share of pairs of parent and child",
  reduction: "over pairs whose parent has a component of cosine 0.9",
  control: "the same with features that have nothing to do with the parent in the place of its children",
  rule: "above 0",
  establishes: "that a component is silent on inputs of which the feature it stands for is true",
  doesNotEstablish:
    "that parents without a component of their own are free of it: latents that died leave parent and child merged, which counts apart",
};

export interface AbsorptionDetails {
  readonly pairs: readonly {
    readonly parent: number;
    readonly child: number;
    readonly component: number;
    readonly cosine: number;
    /** Strength with the child over strength without. */
    readonly ratio: number;
  }[];
  /** Pairs whose parent has no component of cosine 0.9, and of those the ones whose nearest component acts more with the child than without. */
  readonly withoutComponent: number;
  readonly merged: number;
}

const SILENT = 0.1;
const MERGED = 1.1;
/** Rows that a mean takes at least. */
const FEWEST = 10;
/** Features of which all pairs are looked at. */
const MOST = 128;

/** Pairs in which the second feature is there only where the first is, and the first sometimes without. */
function hierarchicalPairs({ truth, rows }: Place): (readonly [parent: number, child: number])[] {
  if (truth === undefined || truth.count > MOST) return [];
  const there = Array.from({ length: truth.count }, (_, j) => presence(featureStrength(truth, rows, j)));
  const counts = there.map((on) => on.reduce((a, b) => a + b, 0));
  const found: [number, number][] = [];
  for (let parent = 0; parent < there.length; parent++) {
    for (let child = 0; child < there.length; child++) {
      if (child === parent || counts[child]! < FEWEST || counts[parent]! < counts[child]! + FEWEST) continue;
      // A parent that is nearly always there holds whatever it is.
      if (counts[parent]! > 0.95 * rows) continue;
      if (there[child]!.every((on, row) => on === 0 || there[parent]![row] === 1)) found.push([parent, child]);
    }
  }
  return found;
}

/** @param pairs which are looked at; those of which the child is only there where the parent is, unless given */
export function absorption(place: Place, pairs = hierarchicalPairs(place)): Outcome<AbsorptionDetails> {
  const { truth } = place;
  if (truth === undefined) return { missing: "no features are known here" };
  if (place.directions === undefined) return { missing: "needs components of one direction each" };
  if (pairs.length === 0) return { missing: "no feature is known that is there only where another is" };
  const nearest = nearestComponents(place);
  if (nearest.length === 0) return { missing: "no component acts" };
  const ratioOf = (parent: number, child: number, children: readonly number[]): number => {
    const z = strengthOf(place, nearest[parent]!.component);
    const on = (feature: number, row: number): boolean => truth.strengths[feature * place.rows + row] !== 0;
    const both = meanWhere(z, (row) => on(parent, row) && on(child, row));
    const alone = meanWhere(
      z,
      (row) => on(parent, row) && !on(child, row) && children.every((other) => !on(other, row)),
    );
    return both.rows < FEWEST || alone.rows < FEWEST ? NaN : both.mean / alone.mean;
  };
  const all = pairs.map(([parent, child]) => {
    const children = pairs.filter(([other]) => other === parent).map(([, one]) => one);
    const { component, cosine } = nearest[parent]!;
    return { parent, child, component, cosine, ratio: ratioOf(parent, child, children) };
  });
  const counted = all.filter(({ cosine, ratio }) => cosine >= SAME_DIRECTION && Number.isFinite(ratio));
  const lost = all.filter(({ cosine }) => cosine < SAME_DIRECTION);
  const details = {
    pairs: all,
    withoutComponent: lost.length,
    merged: lost.filter(({ ratio }) => ratio > MERGED).length,
  };
  if (counted.length === 0) {
    return {
      missing: `none of ${all.length} parents has a component of cosine 0.9 (${details.merged} merged with a child)`,
    };
  }
  const strangers = counted.flatMap(({ parent }) =>
    unrelated(truth, pairs, parent).map((other) => ratioOf(parent, other, [])),
  );
  const known = strangers.filter(Number.isFinite);
  const value = counted.filter(({ ratio }) => ratio < SILENT).length / counted.length;
  return {
    value,
    control: known.length === 0 ? null : known.filter((ratio) => ratio < SILENT).length / known.length,
    present: value > 0,
    n: counted.length,
    counted: "pairs of parent and child",
    details,
  };
}

function unrelated({ count }: TrueFeatures, pairs: readonly (readonly [number, number])[], parent: number): number[] {
  const related = pairs.filter((pair) => pair.includes(parent)).flat();
  return Array.from({ length: count }, (_, j) => j)
    .filter((j) => j !== parent && !related.includes(j))
    .slice(0, 8);
}
