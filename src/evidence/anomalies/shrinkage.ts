/** Shrinkage: latents that find a feature and say less of it than there is (Wright & Sharkey 2024; Rajamanoharan et al. 2024). */
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import type { Found, Measure, Outcome } from "./measure.ts";
import { type Place, strengthOf } from "./place.ts";
import { featureStrength, nearestComponents, SAME_DIRECTION } from "./true-features.ts";

export const SHRINKAGE: Measure = {
  title: "shrinkage",
  formula:
    "with known features E[z_c cos | z_c, a_j ≠ 0] / E[a_j | z_c, a_j ≠ 0], c the component nearest to feature j; else E‖x̂ - E x̂‖² / E[(x̂ - E x̂)·(x - E x)]",
  source:
    "Wright & Sharkey 2024 (feature suppression); Rajamanoharan et al. 2024 (relative reconstruction bias), here about the mean",
  unit: "ratio, 1: none",
  reduction: "mean over features with a component of cosine 0.9; or over all rows",
  control: "the strength of another feature's component in place of its own; none without known features",
  rule: "below 0.95",
  establishes: "how much less is written of a feature than there is of it, where it is found at all",
  doesNotEstablish:
    "that features which are not found are few: they count apart; without known features, a low ratio may come of anything that is not least squares",
};

export interface ShrinkageDetails {
  /** The ratio without known features, for every place. */
  readonly reconstructionBias: number;
  /** Unexplained share of the variance, as it is and with everything written rescaled by 1 / bias. */
  readonly unexplained: number;
  readonly unexplainedRescaled: number;
  /** The same ratio over all rows where the feature is there: misses lower it, too. */
  readonly withMisses: number | null;
  readonly featuresFound: number | null;
  readonly featuresMissed: number | null;
}

const PRESENT_BELOW = 0.95;

export function shrinkage(place: Place): Outcome<ShrinkageDetails> {
  const whole = aboutTheMean(place);
  if (whole.written === 0) return { missing: "nothing is written that differs from row to row" };
  const bias = whole.written / whole.shared;
  const base = {
    reconstructionBias: bias,
    unexplained: (whole.total - 2 * whole.shared + whole.written) / whole.total,
    unexplainedRescaled: (whole.total - whole.shared ** 2 / whole.written) / whole.total,
  };
  const { truth, rows } = place;
  if (truth === undefined || place.directions === undefined) {
    return {
      ...{ value: bias, control: null, present: bias < PRESENT_BELOW, n: rows, counted: "rows" },
      details: { ...base, withMisses: null, featuresFound: null, featuresMissed: null },
    };
  }
  const all = nearestComponents(place);
  const found = all.filter(({ cosine }) => cosine >= SAME_DIRECTION);
  const ratios = found.map(({ feature, component, cosine }, i) => {
    const a = featureStrength(truth, rows, feature);
    const other = found[(i + 1) % found.length]!;
    return {
      own: ratioOf(strengthOf(place, component), a, cosine, true),
      all: ratioOf(strengthOf(place, component), a, cosine, false),
      other: found.length < 2 ? NaN : ratioOf(strengthOf(place, other.component), a, other.cosine, false),
    };
  });
  const mean = (of: (r: (typeof ratios)[number]) => number): number =>
    meanOfNumbers(ratios.map(of).filter(Number.isFinite));
  const value = mean(({ own }) => own);
  if (!Number.isFinite(value)) return { missing: "no known feature has a component of cosine 0.9 that acts on it" };
  const control = mean(({ other }) => other);
  return {
    value,
    control: Number.isFinite(control) ? control : null,
    present: value < PRESENT_BELOW,
    n: ratios.filter(({ own }) => Number.isFinite(own)).length,
    counted: "features with a component",
    details: {
      ...base,
      withMisses: mean((r) => r.all),
      featuresFound: found.length,
      featuresMissed: all.length - found.length,
    },
  } satisfies Found<ShrinkageDetails>;
}

function ratioOf(z: Float32Array, a: Float32Array, cosine: number, whereItActs: boolean): number {
  let [written, there] = [0, 0];
  for (let row = 0; row < a.length; row++) {
    if (a[row] === 0 || (whereItActs && z[row] === 0)) continue;
    written += Math.abs(z[row]!) * cosine;
    there += Math.abs(a[row]!);
  }
  return written / there;
}

/** Sums of squares and products about the means. */
function aboutTheMean({ x, made, rows, width }: Place): { written: number; shared: number; total: number } {
  let [written, shared, total] = [0, 0, 0];
  for (let k = 0; k < width; k++) {
    let [mx, mm] = [0, 0];
    for (let i = k; i < x.length; i += width) {
      mx += x[i]! / rows;
      mm += made[i]! / rows;
    }
    for (let i = k; i < x.length; i += width) {
      written += (made[i]! - mm) ** 2;
      shared += (made[i]! - mm) * (x[i]! - mx);
      total += (x[i]! - mx) ** 2;
    }
  }
  return { written, shared, total };
}
