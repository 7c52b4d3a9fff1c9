/**
 * Composition missed: where features come in few combinations, latents stand for combinations (a snake, a giraffe, a dog) and none for what
 * combinations are made of (legs, a tail). Combinations of two features that are never all seen cannot be told from features of their own.
 */
import { foldIn, keyFromSeed, randomPermutation } from "../../tensor/index.ts";
import type { Measure, Outcome } from "./measure.ts";
import { type Place, strengthOf } from "./place.ts";
import { hasBothSigns } from "./signs.ts";
import { correlation } from "./co-occurrence.ts";
import { featureStrength, type TrueFeatures } from "./true-features.ts";

export const COMPOSITION: Measure = {
  title: "composition missed",
  formula:
    "1 - (features with a component of their own) / features; own: of all features and combinations of its family it follows this one most, r ≥ 0.9",
  source: "the animals of Mechanist's benchmarks, with distinct codes (snake 0 1, giraffe 1 1, dog 1 0)",
  unit: "share of features",
  reduction: "over features of families that come in combinations",
  control: "the same with rows in another order: how much of it nothing at all would do",
  rule: "above 0",
  establishes: "that components follow what features come together as, and not the features",
  doesNotEstablish:
    "that combinations are the wrong units: on the data alone they explain as much with fewer active; what the network does with them decides",
};

export interface CompositionDetails {
  readonly features: number;
  readonly featuresFound: number;
  /** Combinations that occur, and those with a component of their own. */
  readonly combinations: number;
  readonly combinationsFound: number;
  /** Components of the place that are neither's. */
  readonly neither: number;
}

const FOLLOWS = 0.9;
const FEWEST = 10;

export function composition(place: Place, seed = 0): Outcome<CompositionDetails> {
  const { truth, rows, C } = place;
  if (truth === undefined) return { missing: "no features are known here" };
  const families = truth.families.filter(({ structure }) => structure === "animals");
  if (families.length === 0) return { missing: "no features are known that come in combinations" };
  const things = families.flatMap(({ members }) => [
    ...members.map((j) => ({ feature: true, strength: featureStrength(truth, rows, j) })),
    ...combinationsOf(truth, rows, members).map((strength) => ({ feature: false, strength })),
  ]);
  const foundOn = (order: readonly number[] | undefined): Set<number> => {
    const owners = new Set<number>();
    for (let c = 0; c < C; c++) {
      const own = strengthOf(place, c);
      const z = order === undefined ? own : own.map((_, row) => own[order[row]!]!);
      // What writes nothing where a thing is there follows its absence: its own direction would be the opposite one. What acts both ways has no own one.
      const both = hasBothSigns(place, c);
      const followed = things.map(({ strength }) => {
        const r = correlation(z, strength);
        return both ? Math.abs(r) : r;
      });
      const best = followed.reduce((a, r, i) => (r > followed[a]! ? i : a), 0);
      if (followed[best]! >= FOLLOWS) owners.add(best);
    }
    return owners;
  };
  const [found, byChance] = [
    foundOn(undefined),
    foundOn(Array.from(randomPermutation(foldIn(keyFromSeed(seed), "composition"), rows))),
  ];
  const features = things.filter(({ feature }) => feature).length;
  const count = (owners: Set<number>, wanted: boolean): number =>
    [...owners].filter((i) => things[i]!.feature === wanted).length;
  const value = 1 - count(found, true) / features;
  return {
    value,
    control: 1 - count(byChance, true) / features,
    present: value > 0,
    n: features,
    counted: "features",
    details: {
      features,
      featuresFound: count(found, true),
      combinations: things.length - features,
      combinationsFound: count(found, false),
      neither: C - found.size,
    },
  };
}

/** The combinations of some features that occur, but for none of them at all: for each, 1 where it is there. */
function combinationsOf(truth: TrueFeatures, rows: number, members: readonly number[]): Float32Array[] {
  const seen = new Map<string, Float32Array>();
  for (let row = 0; row < rows; row++) {
    const code = members.map((j) => (truth.strengths[j * rows + row] === 0 ? 0 : 1)).join("");
    if (!code.includes("1")) continue;
    if (!seen.has(code)) seen.set(code, new Float32Array(rows));
    seen.get(code)![row] = 1;
  }
  return [...seen.values()].filter((on) => on.reduce((a, b) => a + b, 0) >= FEWEST);
}
