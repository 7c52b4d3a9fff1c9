/**
 * Splitting: with more latents, what was one becomes several of nearly the same direction (Bricken et al. 2023). Measured against features that
 * are known, or against a smaller decomposition of the same network.
 */
import { dot, randomDirections } from "../../instrument/random-directions.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";
import type { Measure, Outcome } from "./measure.ts";
import { directionOf, type Place, strengthOf } from "./place.ts";
import { hasBothSigns } from "./signs.ts";
import { SAME_DIRECTION } from "./true-features.ts";

export const SPLITTING: Measure = {
  title: "splitting",
  formula: "mean over targets with at least one of: components that act with cosine above 0.9 to the target",
  source: "Bricken et al. 2023 (Towards Monosemanticity), as a count",
  unit: "components a target, 1: none",
  reduction: "over components of the smaller decomposition, where there is one; else over known features",
  control: "as many random directions in the place of the components",
  rule: "above 1.1",
  establishes: "that several components share a direction where one stood, or where one feature is known to be",
  doesNotEstablish:
    "that the parts are not features of their own: families of near directions are found out by a larger dictionary in the same way",
};

export interface SplittingDetails {
  /** What directions are held against. */
  readonly against: "a smaller decomposition" | "known features";
  /** How many components there are, and in the smaller one. */
  readonly components: number;
  readonly targets: number;
  /** Targets without any component. */
  readonly lost: number;
  /** Of pairs of components with one target, the rows on which both act over those on which either does: 0 for parts, 1 for doubles. */
  readonly acrossSiblings: number | null;
}

const PRESENT_ABOVE = 1.1;

/** @param smaller the same place in a decomposition with fewer components */
export function splitting(place: Place, smaller?: Place, seed = 0): Outcome<SplittingDetails> {
  const { directions, width, truth } = place;
  if (directions === undefined) return { missing: "needs components of one direction each" };
  const targets = smaller === undefined ? truth && allOf(truth.directions, width) : acting(smaller);
  if (targets === undefined) return { missing: "needs a smaller or larger decomposition, or known features" };
  const own = acting(place);
  if (own.length === 0) return { missing: "no component acts" };
  const groups = groupsOf(
    targets,
    own.map(({ direction }) => direction),
    own.map(({ c }) => hasBothSigns(place, c)),
  );
  const held = groups.filter((group) => group.length > 0);
  const random = randomDirections(foldIn(keyFromSeed(seed), "splitting"), own.length, width);
  const byChance = groupsOf(targets, random).filter((group) => group.length > 0);
  const value = held.length === 0 ? 0 : meanOfNumbers(held.map((group) => group.length));
  const pairs = held.flatMap((group) => group.flatMap((a, i) => group.slice(i + 1).map((b) => [a, b] as const)));
  const overlaps = pairs
    .slice(0, 1000)
    .map(([a, b]) => overlap(strengthOf(place, own[a]!.c), strengthOf(place, own[b]!.c)));
  return {
    value,
    control: byChance.length === 0 ? 0 : meanOfNumbers(byChance.map((group) => group.length)),
    present: value > PRESENT_ABOVE,
    n: held.length,
    counted: smaller === undefined ? "known features with a component" : "components of the smaller decomposition",
    details: {
      against: smaller === undefined ? "known features" : "a smaller decomposition",
      components: own.length,
      targets: targets.length,
      lost: targets.length - held.length,
      acrossSiblings: overlaps.length === 0 ? null : meanOfNumbers(overlaps),
    },
  };
}

interface Directed {
  readonly c: number;
  readonly direction: Float32Array;
}

const allOf = (directions: Float32Array, width: number): Directed[] =>
  Array.from({ length: directions.length / width }, (_, c) => ({ c, direction: directionOf(directions, width, c) }));

/** The components that act on some row. */
function acting(place: Place): Directed[] {
  const all = allOf(place.directions ?? new Float32Array(), place.width);
  return all.filter(({ c }) => strengthOf(place, c).some((z) => z !== 0));
}

/** For each target the directions that are its own: nearest to it, and near enough; either way where they act both ways. */
function groupsOf(
  targets: readonly Directed[],
  directions: readonly ArrayLike<number>[],
  signed: readonly boolean[] = [],
): number[][] {
  const groups: number[][] = targets.map(() => []);
  directions.forEach((direction, i) => {
    let [best, nearest] = [-Infinity, 0];
    targets.forEach((target, t) => {
      const raw = dot(direction, target.direction);
      const cosine = signed[i] ? Math.abs(raw) : raw;
      if (cosine > best) [best, nearest] = [cosine, t];
    });
    if (best > SAME_DIRECTION) groups[nearest]!.push(i);
  });
  return groups;
}

function overlap(a: Float32Array, b: Float32Array): number {
  let [both, either] = [0, 0];
  for (let row = 0; row < a.length; row++) {
    if (a[row] !== 0 && b[row] !== 0) both++;
    if (a[row] !== 0 || b[row] !== 0) either++;
  }
  return either === 0 ? 0 : both / either;
}
