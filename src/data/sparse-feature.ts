/**
 * The sparse-feature generator of the toy models (Elhage et al. 2022; the modes of the APD and SPD experiments): most
 * features of an example are 0, the active ones have a value drawn from a range. It is a traced program of uniform
 * draws, so it runs on the device inside the training step and gives the same examples everywhere.
 */
import { MechanistError } from "../error.ts";
import {
  add,
  and,
  broadcast,
  cast,
  constant,
  einsum,
  greater,
  less,
  lessEqual,
  max,
  mul,
  neg,
  rename,
  sum,
  type Tensor,
  topK,
  uniform,
  where,
} from "../tensor/index.ts";

/**
 * How many features are active in an example: each on its own with `probability`, or exactly so many,
 * chosen uniformly.
 */
export const SPARSE_FEATURE_MODES = [
  "at-least-zero-active",
  "exactly-one-active",
  "exactly-two-active",
  "exactly-three-active",
  "exactly-four-active",
  "exactly-five-active",
] as const;
export type SparseFeatureMode = (typeof SPARSE_FEATURE_MODES)[number];

export interface SparseFeatureOptions {
  readonly features: number;
  readonly batch: number;
  /** How likely a feature is active, for the mode `at-least-zero-active`. */
  readonly probability: number;
  readonly mode?: SparseFeatureMode;
  /**
   * For the mode `at-least-zero-active`: an example without any active feature stays with this probability and is otherwise drawn
   * again; 1 unless said otherwise. Examples where nothing happens teach little.
   */
  readonly keepEmpty?: number;
  /** Active values come from U[low, high); 0 to 1 unless said otherwise. */
  readonly low?: number;
  readonly high?: number;
  /** Groups of features that are active together: when one member is, all get values. */
  readonly synced?: readonly (readonly number[])[];
}

/**
 * A batch of examples.
 *
 * @param name names the draws, so that two batches in one program differ
 * @returns    `batch feature`
 */
export function sparseFeatures(name: string, options: SparseFeatureOptions): Tensor<"batch feature"> {
  const { features, batch, mode = "at-least-zero-active", low = 0, high = 1 } = options;
  const sizes = { batch, feature: features };
  const draw = uniform(`${name}/active`, "batch feature", sizes);
  const count = SPARSE_FEATURE_MODES.indexOf(mode);
  const chosen =
    count > 0
      ? largest(draw, count, features)
      : (options.keepEmpty ?? 1) < 1
        ? fewEmpty(draw, uniform(`${name}/count`, "batch", { batch }), options)
        : less(draw, options.probability);
  const active = options.synced === undefined ? chosen : together(chosen, options.synced, features);
  const value = add(mul(uniform(`${name}/value`, "batch feature", sizes), high - low), low);
  return where(active, value, 0);
}

/** True at the `count` largest draws of each example: a uniformly random choice of that many features. */
function largest(draw: Tensor<"batch feature">, count: number, features: number): Tensor<"batch feature"> {
  if (count > features) {
    throw new MechanistError(
      "BadArgument",
      `sparse features: expected at least ${count} features for exactly ${count} active, got ${features}`,
    );
  }
  const { values } = topK(draw, "feature", count);
  const threshold = neg(max(neg(values), "k")) as Tensor as Tensor<"batch">;
  return lessEqual(threshold, draw);
}

/**
 * Independent features with all-zero examples drawn again: first how many are active, from the binomial distribution so changed,
 * then which, uniformly.
 */
function fewEmpty(
  draw: Tensor<"batch feature">,
  countDraw: Tensor<"batch">,
  { features, probability, keepEmpty = 1 }: SparseFeatureOptions,
): Tensor<"batch feature"> {
  const { upTo, most } = countDistribution(features, probability, keepEmpty);
  const { values } = topK(draw, "feature", most);
  const sizes = { batch: draw.shape[0]!, k: most };
  const u = broadcast(countDraw, "batch k", sizes);
  const bound = (from: number): Tensor<"k"> => constant("k", { k: most }, upTo.slice(from, from + most));
  // Place k of the sorted draws is the threshold where k + 1 features are active, which is where u lies in its interval.
  const here = and(lessEqual(bound(0), u), less(u, bound(1)));
  const threshold = sum(where(here, values as Tensor<"batch k">, 0), "k") as Tensor<"batch">;
  // Where none is active no draw reaches the threshold.
  const none = cast(less(countDraw, upTo[0]!), "f32");
  return lessEqual(add(threshold, mul(none, 2)), draw);
}

/** Cumulative probabilities of 0, 1, … active features, up to where the rest is below 1e-9. */
function countDistribution(features: number, p: number, keepEmpty: number): { upTo: number[]; most: number } {
  const none = (1 - p) ** features;
  const kept = 1 - none * (1 - keepEmpty);
  const upTo = [(none * keepEmpty) / kept];
  let exactly = none;
  for (let k = 1; k <= features && upTo[k - 1]! < 1 - 1e-9; k++) {
    exactly *= ((features - k + 1) / k) * (p / (1 - p));
    upTo.push(upTo[k - 1]! + exactly / kept);
  }
  upTo[upTo.length - 1] = 1;
  return { upTo, most: upTo.length - 1 };
}

/** True where any member of a feature's group is active. */
function together(
  active: Tensor<"batch feature">,
  groups: readonly (readonly number[])[],
  features: number,
): Tensor<"batch feature"> {
  const linked = new Float64Array(features * features);
  for (let i = 0; i < features; i++) linked[i * features + i] = 1;
  for (const group of groups) for (const i of group) for (const j of group) linked[i * features + j] = 1;
  const links = constant("feature member", { feature: features, member: features }, linked);
  const reached = einsum("batch feature, feature member -> batch member", cast(active, "f32"), links);
  return rename<"batch feature">(greater(reached, 0), "member -> feature");
}
