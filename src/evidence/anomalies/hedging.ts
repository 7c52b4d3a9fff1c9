/**
 * Hedging: a latent that stands for a feature writes part of another that tends to come with it, or takes part of one away that tends not to,
 * since that lowers the error where there are too few latents for both (Chanin & Garriga-Alonso 2025).
 */
import { dot } from "../../instrument/random-directions.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import type { Measure, Outcome } from "./measure.ts";
import { directionOf, type Place } from "./place.ts";
import { correlation, presence } from "./co-occurrence.ts";
import { featureStrength, nearestComponents } from "./true-features.ts";

export const HEDGING: Measure = {
  title: "hedging",
  formula:
    "β / √(α² + β²) of d_c ≈ α F_i + β F_j by least squares, c the component nearest to i, with the sign of the correlation of i and j",
  source: "after Chanin & Garriga-Alonso 2025 (feature hedging)",
  unit: "share of a direction's length, -1 to 1",
  reduction: "mean over ordered pairs of features that are correlated (|φ| > 0.1) or of one family",
  control: "mean |β| / √(α² + β²) over pairs with |φ| < 0.02: what any two directions share",
  rule: "above 0.1 and above twice the control",
  establishes: "that directions of components are mixtures of features that come together",
  doesNotEstablish:
    "that more components would end it: the same at another size says so; nor that the mixture is wrong of a unit that is used as one",
};

export interface HedgingDetails {
  readonly pairs: readonly {
    readonly feature: number;
    readonly other: number;
    readonly correlation: number;
    readonly own: number;
    readonly mixed: number;
  }[];
  /** Unexplained share of the variance: of the decomposition, and of the true features with as many of the strongest kept on each row. */
  readonly unexplained: number;
  readonly unexplainedByTruth: number;
}

const CORRELATED = 0.1;
const APART = 0.02;
const PRESENT_ABOVE = 0.1;
const MOST = 128;

export function hedging(place: Place): Outcome<HedgingDetails> {
  const { truth, directions, rows, width } = place;
  if (truth === undefined) return { missing: "no features are known here" };
  if (directions === undefined) return { missing: "needs components of one direction each" };
  if (truth.count > MOST) return { missing: `all pairs of at most ${MOST} features are looked at, got ${truth.count}` };
  const there = Array.from({ length: truth.count }, (_, j) => presence(featureStrength(truth, rows, j)));
  const inOneFamily = (i: number, j: number): boolean =>
    truth.families.some(({ members }) => members.includes(i) && members.includes(j));
  const nearest = nearestComponents(place);
  if (nearest.length === 0) return { missing: "no component acts" };
  const looked: { feature: number; other: number; correlation: number; own: number; mixed: number }[] = [];
  const apart: number[] = [];
  for (const { feature: i, component } of nearest) {
    const d = directionOf(directions, width, component);
    if (dot(d, d) === 0) continue;
    for (let j = 0; j < truth.count; j++) {
      if (j === i) continue;
      const phi = correlation(there[i]!, there[j]!);
      const related = Math.abs(phi) > CORRELATED || inOneFamily(i, j);
      if (!related && Math.abs(phi) >= APART) continue;
      const { own, mixed } = shares(
        d,
        directionOf(truth.directions, width, i),
        directionOf(truth.directions, width, j),
      );
      // A component that is rather the other feature's says nothing of this one.
      if (!(own > Math.abs(mixed))) continue;
      if (related) looked.push({ feature: i, other: j, correlation: phi, own, mixed });
      else apart.push(Math.abs(mixed));
    }
  }
  if (looked.length === 0)
    return { missing: "no two features are known to come together more or less often than by chance" };
  const signed = looked.map(({ correlation: phi, mixed }) =>
    Math.abs(phi) > CORRELATED ? Math.sign(phi) * mixed : Math.abs(mixed),
  );
  const value = meanOfNumbers(signed);
  const control = apart.length === 0 ? null : meanOfNumbers(apart);
  return {
    value,
    control,
    present: value > PRESENT_ABOVE && value > 2 * (control ?? 0),
    n: looked.length,
    counted: "ordered pairs of features",
    details: { pairs: looked, ...errors(place) },
  };
}

/** A direction as a mixture of two. */
function shares(d: Float32Array, first: Float32Array, second: Float32Array): { own: number; mixed: number } {
  const [between, a, b] = [dot(first, second), dot(d, first), dot(d, second)];
  const rest = 1 - between ** 2;
  if (rest < 1e-6) return { own: 1, mixed: 0 };
  const [alpha, beta] = [(a - between * b) / rest, (b - between * a) / rest];
  const length = Math.hypot(alpha, beta);
  // Components may act with both signs: what counts is the mixture, not which way it points.
  const sign = alpha < 0 ? -1 : 1;
  return length === 0 ? { own: 0, mixed: 0 } : { own: Math.abs(alpha) / length, mixed: (sign * beta) / length };
}

/** How much is missed, beside the true features under the same number of units. */
function errors(place: Place): { unexplained: number; unexplainedByTruth: number } {
  const { x, made, z, rows, width, truth } = place;
  let acting = 0;
  for (let i = 0; i < z.length; i++) if (z[i] !== 0) acting++;
  const kept = Math.max(1, Math.round(acting / rows));
  const { count, strengths, directions } = truth!;
  const means = new Float64Array(width);
  for (let i = 0; i < x.length; i++) means[i % width]! += x[i]! / rows;
  let [total, missed, missedByTruth] = [0, 0, 0];
  const value = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    const strongest = Array.from({ length: count }, (_, j) => j)
      .sort((i, j) => Math.abs(strengths[j * rows + row]!) - Math.abs(strengths[i * rows + row]!))
      .slice(0, kept);
    value.fill(0);
    for (const j of strongest) {
      for (let k = 0; k < width; k++) value[k]! += strengths[j * rows + row]! * directions[j * width + k]!;
    }
    for (let k = 0; k < width; k++) {
      const own = x[row * width + k]!;
      total += (own - means[k]!) ** 2;
      missed += (own - made[row * width + k]!) ** 2;
      missedByTruth += (own - value[k]!) ** 2;
    }
  }
  return { unexplained: missed / total, unexplainedByTruth: missedByTruth / total };
}
