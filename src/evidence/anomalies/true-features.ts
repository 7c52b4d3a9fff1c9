/**
 * The features that a value is known to be the sum of: `x = Σ_j a_j F_j`, with unit directions `F_j`. Where a network's mechanisms are known
 * its inputs are the strengths of features, and a weight holds their directions; that the sum is the value is checked on the rows at hand.
 */
import { type Decomposition } from "../../decomposition/decomposition.ts";
import { interpret } from "../../engine/index.ts";
import type { KnownMechanisms } from "../../training/known-mechanisms.ts";
import { dot, lengthOf } from "../../instrument/random-directions.ts";
import type { Place } from "./place.ts";
import { hasBothSigns } from "./signs.ts";

/** Features that have to do with one another. */
export interface FeatureFamily {
  readonly structure: string;
  readonly members: readonly number[];
}

export interface TrueFeatures {
  readonly count: number;
  /** Unit directions, `feature d`. */
  readonly directions: Float32Array;
  /** How strongly each is there, in units of what it adds to the value: `feature row`. */
  readonly strengths: Float32Array;
  readonly families: readonly FeatureFamily[];
}

/** The share of the value's square that may be missing from the sum: float32's rounding. */
const ROUNDING = 1e-5;
/** A feature whose direction is shorter than this share of the longest is not represented. */
const SHORTEST = 0.05;

/** The true features at a place; nothing where the value is no sum of known ones. */
export function trueFeatures(
  decomposition: Decomposition,
  known: KnownMechanisms,
  inputs: Float32Array,
  place: Omit<Place, "directions" | "truth">,
): TrueFeatures | undefined {
  const { rows, width } = place;
  const n = inputs.length / rows;
  const { network, tensors, values } = decomposition;
  const sites = network.sites.filter(
    ({ name, features }) => features === "in" && known.patterns?.sites[name]?.pattern === "identity",
  );
  const named = known.directions ? { directions: tensors[known.directions.weight]! } : {};
  const matrices = Object.fromEntries(sites.map(({ name }) => [name, network.matrix(tensors, name)]));
  for (const { data, shape } of Object.values(interpret({ ...named, ...matrices }, values))) {
    if (shape[0] !== n || shape[1] !== width || !isTheSum(place, inputs, data)) continue;
    const lengths = Array.from({ length: n }, (_, j) => lengthOf(data.slice(j * width, (j + 1) * width)));
    const longest = Math.max(...lengths);
    const kept = lengths.map((_, j) => j).filter((j) => lengths[j]! > SHORTEST * longest);
    const directions = new Float32Array(kept.length * width);
    const strengths = new Float32Array(kept.length * rows);
    kept.forEach((j, i) => {
      for (let k = 0; k < width; k++) directions[i * width + k] = data[j * width + k]! / lengths[j]!;
      for (let row = 0; row < rows; row++) strengths[i * rows + row] = inputs[row * n + j]! * lengths[j]!;
    });
    const families = (known.directions?.families ?? []).flatMap(({ structure, members }) => {
      const own = members.map((j) => kept.indexOf(j));
      return own.includes(-1) ? [] : [{ structure, members: own }];
    });
    return { count: kept.length, directions, strengths, families };
  }
  return undefined;
}

function isTheSum(
  { x, rows, width }: Pick<Place, "x" | "rows" | "width">,
  c: Float32Array,
  F: ArrayLike<number>,
): boolean {
  const n = c.length / rows;
  const looked = Math.min(rows, 256);
  let [missing, all] = [0, 0];
  for (let row = 0; row < looked; row++) {
    for (let k = 0; k < width; k++) {
      let made = 0;
      for (let j = 0; j < n; j++) made += c[row * n + j]! * F[j * width + k]!;
      missing += (x[row * width + k]! - made) ** 2;
      all += x[row * width + k]! ** 2;
    }
  }
  return all > 0 && missing < ROUNDING * all;
}

/** How strongly one feature is there on all rows. */
export const featureStrength = ({ strengths }: TrueFeatures, rows: number, j: number): Float32Array =>
  strengths.subarray(j * rows, (j + 1) * rows);

/** A feature with the component whose direction is nearest. */
export interface FeatureMatch {
  readonly feature: number;
  readonly component: number;
  /** Between the two directions; the component's taken the other way where it acts with a negative sign. */
  readonly cosine: number;
}

/** A component has a feature's direction from here on (splitting: Bricken et al. 2023 look at clusters of such latents). */
export const SAME_DIRECTION = 0.9;

/**
 * For each feature the component of the nearest direction, of those that act on some row. Components that act with both signs may point the other
 * way. None where no component acts.
 */
export function nearestComponents(place: Place): FeatureMatch[] {
  const { truth, directions, width, C, z, rows } = place;
  if (truth === undefined || directions === undefined) return [];
  const acting = Array.from({ length: C }, (_, c) => c).filter((c) =>
    z.subarray(c * rows, (c + 1) * rows).some((strength) => strength !== 0),
  );
  if (acting.length === 0) return [];
  const signed = acting.map((c) => hasBothSigns(place, c));
  return Array.from({ length: truth.count }, (_, feature) => {
    const own = truth.directions.subarray(feature * width, (feature + 1) * width);
    let best = { feature, component: acting[0]!, cosine: -Infinity };
    acting.forEach((c, i) => {
      const raw = dot(own, directions.subarray(c * width, (c + 1) * width));
      const cosine = signed[i] ? Math.abs(raw) : raw;
      if (cosine > best.cosine) best = { feature, component: c, cosine };
    });
    return best;
  });
}
