/**
 * Features of known structure for what finds directions: how strongly each is present in an example, and the direction it has in a space that has
 * fewer dimensions than there are features. An activation is `x = Σ_j c_j F_j` (Sharkey, Braun & Millidge 2022; Elhage et al. 2022).
 *
 * Each structure is a toy on which a way to find directions may fail in a manner of its own: parents with children (absorption, Chanin et al. 2024), pairs
 * that come together (hedging, Chanin & Garriga-Alonso 2025), families of near directions (splitting, Bricken et al. 2023), circles (Engels et al. 2024), animals
 * that share attributes (composition).
 */
import { MechanistError } from "../error.ts";
import {
  add,
  and,
  cast,
  concat,
  constant,
  cos,
  equal,
  gather,
  type Key,
  less,
  mul,
  randomNormal,
  reshape,
  sin,
  slice,
  type Tensor,
  uniform,
  where,
} from "../tensor/index.ts";
import { wholeNumbers } from "./draws.ts";

/**
 * - `independent`: each feature on its own
 * - `hierarchy`: families of a parent and children that are only there where it is
 * - `pairs`: two features each as likely as a parent, with a correlation between being there
 * - `families`: one member at a time, of near directions
 * - `circles`: two features, cosine and sine of an angle drawn uniformly
 * - `animals`: two features, legs and tail, in combinations that an animal is
 */
export const FEATURE_STRUCTURES = ["independent", "hierarchy", "pairs", "families", "circles", "animals"] as const;
export type FeatureStructure = (typeof FEATURE_STRUCTURES)[number];

/** Legs and tail: a snake, a giraffe, a dog, and what has neither. */
const ANIMALS: readonly (readonly [number, number])[] = [
  [0, 1],
  [1, 1],
  [1, 0],
  [0, 0],
];

export interface SuperposedFeatures {
  readonly features: number;
  readonly structure: FeatureStructure;
  /** How likely a feature outside families is there. */
  readonly probability: number;
  /** How many families there are; the features after them are independent. 0: as many as fit. */
  readonly families: number;
  /** Features of a family. */
  readonly familySize: number;
  /** How likely a family, its parent, or each of a pair is there. */
  readonly familyProbability: number;
  /** How likely a child is where its parent is. */
  readonly childProbability: number;
  /** Of being there, between the two of a pair. */
  readonly correlation: number;
  /** Animals there are, 3 or 4; all as likely. */
  readonly animals: number;
  /** Values of features that are there come from U[low, high). */
  readonly low: number;
  readonly high: number;
}

/** How many features the families have together, and how many families there are. */
function familiesOf({ structure, features, families, familySize }: SuperposedFeatures): {
  count: number;
  size: number;
} {
  if (structure === "independent") return { count: 0, size: 1 };
  const size = structure === "hierarchy" || structure === "families" ? familySize : 2;
  if (features < size) {
    throw new MechanistError("BadArgument", `${structure}: expected at least ${size} features, got ${features}`);
  }
  const most = structure === "animals" ? 1 : Math.floor(features / size);
  return { count: families === 0 ? most : Math.min(families, most), size };
}

/** Features that have to do with one another, a family each; a parent before its children. */
export function featureFamilies(
  options: SuperposedFeatures,
): readonly { readonly structure: FeatureStructure; readonly members: readonly number[] }[] {
  const { count, size } = familiesOf(options);
  return Array.from({ length: count }, (_, family) => ({
    structure: options.structure,
    members: Array.from({ length: size }, (__, i) => family * size + i),
  }));
}

/**
 * How strongly each feature is present, as a traced program of draws.
 *
 * @param name names the draws, so that two batches in one program differ
 * @returns    `batch feature`; 0 where a feature is not there
 */
export function featureCoefficients(name: string, options: SuperposedFeatures, batch: number): Tensor<"batch feature"> {
  const { features, probability, low, high } = options;
  const { count, size } = familiesOf(options);
  const free = features - count * size;
  const sizes = { batch, feature: free };
  const single = (): Tensor<"batch feature"> =>
    where(
      less(uniform(`${name}/active`, "batch feature", sizes), probability),
      add(mul(uniform(`${name}/value`, "batch feature", sizes), high - low), low),
      0,
    );
  if (count === 0) return single();
  const families = inFamilies(name, options, batch, count, size);
  const flat = reshape(families, "batch feature", { batch, feature: count * size });
  return free === 0 ? flat : (concat([flat, single()], "feature") as Tensor<"batch feature">);
}

/** The members of all families. */
function inFamilies(
  name: string,
  { structure, familyProbability, childProbability, correlation, animals, low, high }: SuperposedFeatures,
  batch: number,
  count: number,
  size: number,
): Tensor<"batch family member"> {
  const sizes = { batch, family: count, member: size };
  const draw = uniform(`${name}/member`, "batch family member", sizes);
  const values = add(mul(uniform(`${name}/member value`, "batch family member", sizes), high - low), low);
  const there = less(uniform(`${name}/family`, "batch family", { batch, family: count }), familyProbability);
  const place = constant(
    "member",
    { member: size },
    Array.from({ length: size }, (_, i) => i),
  );
  const isFirst = equal(place, 0);
  switch (structure) {
    case "hierarchy":
      return where(and(less(where(isFirst, mul(draw, 0), draw), childProbability), there), values, 0);
    case "pairs": {
      const p = familyProbability;
      const [withFirst, without] = [p + correlation * (1 - p), p * (1 - correlation)];
      if (withFirst < 0 || without > 1) {
        const least = (-p / (1 - p)).toPrecision(3);
        throw new MechanistError(
          "BadArgument",
          `correlation: expected at least ${least} at probability ${p}, got ${correlation}`,
        );
      }
      const bound = where(there, withFirst, without) as Tensor<"batch family">;
      const second = cast(less(draw, bound), "f32");
      const both = where(isFirst, cast(spread(there, second), "f32"), second);
      return mul(both, values) as Tensor<"batch family member">;
    }
    case "families": {
      const chosen = wholeNumbers(`${name}/chosen`, "batch family", { batch, family: count }, size);
      const isChosen = equal(cast(spread(cast(chosen, "f32"), draw), "i32"), cast(place, "i32"));
      return where(and(isChosen, there), values, 0) as Tensor<"batch family member">;
    }
    case "circles": {
      const angle = mul(uniform(`${name}/angle`, "batch family", { batch, family: count }), 2 * Math.PI);
      const around = where(isFirst, spread(cos(angle), draw), spread(sin(angle), draw));
      const radius = spread(slice(values, "member", 0, 1), draw);
      return where(there, mul(around as Tensor, radius as Tensor), 0) as Tensor<"batch family member">;
    }
    default: {
      const codes = constant("animal member", { animal: animals, member: 2 }, ANIMALS.slice(0, animals).flat());
      const animal = wholeNumbers(`${name}/animal`, "batch family", { batch, family: count }, animals);
      const code = gather(codes, animal, "animal") as Tensor<"batch family member">;
      return mul(code, values);
    }
  }
}

/** A value of families, for every member. */
function spread(x: Tensor, like: Tensor<"batch family member">): Tensor {
  const asNumbers = cast(x, "f32");
  const [batch, family] = like.shape as [number, number];
  const value = reshape(asNumbers, "batch family", { batch, family }) as Tensor<"batch family">;
  return add(mul(like, 0), value);
}

/** How directions lie. */
export const FEATURE_GEOMETRIES = ["random", "orthogonal"] as const;
export type FeatureGeometry = (typeof FEATURE_GEOMETRIES)[number];

/**
 * Unit directions of features. Random ones are independent; orthogonal ones need as many dimensions as features. Members of a family have the cosine
 * `closeness` with one another, and the two of a circle, a pair or an animal are orthogonal.
 *
 * @returns row-major, `feature d`
 */
export function featureDirections(
  options: SuperposedFeatures & {
    readonly dimensions: number;
    readonly geometry: FeatureGeometry;
    readonly closeness: number;
  },
  key: Key,
): Float32Array {
  const { features, dimensions: d, geometry, structure, closeness } = options;
  const drawn = Float64Array.from(randomNormal(key, features * d));
  const row = (i: number): Float64Array => drawn.subarray(i * d, (i + 1) * d);
  if (geometry === "orthogonal" && features > d) {
    throw new MechanistError(
      "BadArgument",
      `geometry: expected at least ${features} dimensions for orthogonal features, got ${d}`,
    );
  }
  const { count, size } = familiesOf(options);
  for (let i = 0; i < features; i++) {
    const family = i < count * size ? Math.floor(i / size) : -1;
    const together = family >= 0 && ["pairs", "circles", "animals", "families"].includes(structure);
    const first = geometry === "orthogonal" ? 0 : together ? family * size : i;
    // More than there are dimensions cannot all be orthogonal.
    const before = i - first < d ? i - first : 0;
    for (let j = 1; j <= before; j++) project(row(i), row(i - j));
    normalise(row(i));
  }
  if (structure === "families") {
    for (let f = 0; f < count; f++) {
      const members = Array.from({ length: size }, (_, i) => row(f * size + i));
      const centre = normalise(Float64Array.from({ length: d }, (_, k) => members.reduce((sum, u) => sum + u[k]!, 0)));
      for (const member of members) turnTowards(member, centre, closeness, size);
    }
  }
  return Float32Array.from(drawn);
}

function project(x: Float64Array, onto: Float64Array): void {
  const dot = x.reduce((total, value, k) => total + value * onto[k]!, 0);
  for (let k = 0; k < x.length; k++) x[k]! -= dot * onto[k]!;
}

function normalise(x: Float64Array): Float64Array {
  const length = Math.hypot(...x);
  for (let k = 0; k < x.length; k++) x[k]! /= length;
  return x;
}

/** Turns one of `count` orthonormal vectors towards their mean direction, so that any two have the cosine `closeness`. */
function turnTowards(x: Float64Array, centre: Float64Array, closeness: number, count: number): void {
  // x = √(1/n) c + √(1 - 1/n) r, the r's with cosine -1/(n - 1): y = a c + √(1 - a²) r has y·y' = a² - (1 - a²)/(n - 1).
  const a = Math.sqrt((closeness * (count - 1) + 1) / count);
  const along = x.reduce((total, value, k) => total + value * centre[k]!, 0);
  const rest = normalise(x.map((value, k) => value - along * centre[k]!));
  for (let k = 0; k < x.length; k++) x[k] = a * centre[k]! + Math.sqrt(1 - a * a) * rest[k]!;
}
