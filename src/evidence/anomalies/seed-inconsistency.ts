/** Seed inconsistency: decompositions of one network that differ in their seed alone find different components (Paulo & Belrose 2025). */
import { linearSumAssignment } from "linear-sum-assignment";
import { Matrix } from "ml-matrix";
import { dot, randomDirections } from "../../instrument/random-directions.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, type Key, keyFromSeed } from "../../tensor/index.ts";
import type { Measure, Outcome } from "./measure.ts";
import { directionOf, type Place, strengthOf } from "./place.ts";
import { hasBothSigns } from "./signs.ts";
import { SAME_DIRECTION } from "./true-features.ts";

export const SEED_INCONSISTENCY: Measure = {
  title: "seed inconsistency",
  formula:
    "1 - (pairs of cosine above 0.9) / (components of the larger set), pairs by the assignment with the largest sum of cosines; of weights, cosine of what is read times cosine of what is written",
  source:
    "Paulo & Belrose 2025 (SAEs trained on the same data learn different features); one to one by the Hungarian method",
  unit: "share of components",
  reduction: "mean over pairs of seeds; components that act on some row",
  control: "as many random directions in both",
  rule: "above 0.2",
  establishes: "how many components a second seed does not find again",
  doesNotEstablish: "that what is found again is real: all seeds may err alike",
};

export interface SeedInconsistencyDetails {
  readonly seeds: number;
  /** By pair of seeds: components of the two, share without a partner, mean cosine of partners. */
  readonly pairs: readonly {
    readonly components: readonly [number, number];
    readonly alone: number;
    readonly cosine: number;
  }[];
}

const PRESENT_ABOVE = 0.2;
/** The assignment takes time with the cube of these. */
const MOST = 1024;

/** @param places the same place in decompositions with different seeds */
export function seedInconsistency(places: readonly Place[], seed = 0): Outcome<SeedInconsistencyDetails> {
  if (places.length < 2) return { missing: "needs a second seed" };
  if (places.some(({ directions }) => directions === undefined))
    return { missing: "needs components of one direction each" };
  const sides = places.map(sidesOf);
  const most = Math.max(...sides.map(({ length }) => length));
  if (most > MOST) return { missing: `matches at most ${MOST} components that act, got ${most}` };
  if (sides.some(({ length }) => length === 0)) return { missing: "no component of one of the seeds acts" };
  const indices = sides.flatMap((_, i) => sides.slice(i + 1).map((__, j) => [i, i + 1 + j] as const));
  const pairs = indices.map(([i, j]) => matched(sides[i]!, sides[j]!));
  const key = foldIn(keyFromSeed(seed), "seed inconsistency");
  const chance = indices.map(([i, j]) =>
    matched(random(sides[i]!, foldIn(key, 2 * i)), random(sides[j]!, foldIn(key, 2 * j + 1))),
  );
  const value = meanOfNumbers(pairs.map(({ alone }) => alone));
  return {
    value,
    control: meanOfNumbers(chance.map(({ alone }) => alone)),
    present: value > PRESENT_ABOVE,
    n: pairs.length,
    counted: "pairs of seeds",
    details: { seeds: places.length, pairs },
  };
}

/** What a component writes, and of weights what it reads; either way where it acts with both signs. */
interface Sides {
  readonly parts: readonly ArrayLike<number>[];
  readonly signed: boolean;
}

function sidesOf(place: Place): Sides[] {
  const { C, directions, readDirections, width } = place;
  const reads = readDirections && readDirections.length / C;
  return Array.from({ length: C }, (_, c) => c)
    .filter((c) => strengthOf(place, c).some((z) => z !== 0))
    .map((c) => ({
      parts: [directionOf(directions!, width, c), ...(readDirections ? [directionOf(readDirections, reads!, c)] : [])],
      signed: hasBothSigns(place, c),
    }));
}

const random = (like: readonly Sides[], key: Key): Sides[] =>
  like.map(({ parts, signed }, c) => ({
    parts: parts.map((side, i) => randomDirections(foldIn(foldIn(key, c), i), 1, side.length)[0]!),
    signed,
  }));

function matched(left: readonly Sides[], right: readonly Sides[]): SeedInconsistencyDetails["pairs"][number] {
  const cosines = Matrix.zeros(left.length, right.length);
  left.forEach((a, i) =>
    right.forEach((b, j) => {
      const cosine = a.parts.reduce((product, side, s) => product * dot(side, b.parts[s]!), 1);
      cosines.set(i, j, a.signed && b.signed ? Math.abs(cosine) : cosine);
    }),
  );
  // It works on the matrix it is given.
  const { rowAssignments } = linearSumAssignment(cosines.clone(), { maximaze: true });
  const found = Array.from(rowAssignments).flatMap((j, i) => (j >= 0 ? [cosines.get(i, j)] : []));
  const larger = Math.max(left.length, right.length);
  return {
    components: [left.length, right.length],
    alone: 1 - found.filter((cosine) => cosine > SAME_DIRECTION).length / larger,
    cosine: meanOfNumbers(found),
  };
}
