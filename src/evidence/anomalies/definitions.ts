/**
 * Three definitions of a feature on one ground truth: what a linear probe reads, what a component's direction is, what a component is active with.
 * They are used as if they were one; the matrix says how often one holds where another does not.
 */
import { fitClassifier } from "../../instrument/classifier.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";
import { correlation, presence } from "./co-occurrence.ts";
import type { Outcome } from "./measure.ts";
import { type Place, strengthOf } from "./place.ts";
import { featureStrength, nearestComponents, SAME_DIRECTION } from "./true-features.ts";
import { auroc } from "./usefulness.ts";

/** When a feature is one, by each definition. */
const DEFINITIONS = {
  probe:
    "a linear probe on the value tells where it is there: AUROC of 0.95 or more, on rows that were not learnt from",
  direction: "a component that acts has its direction: cosine of 0.9 or more",
  activity: "a component acts where it is there and nowhere else: correlation of 0.8 or more",
} as const;
export type FeatureDefinition = keyof typeof DEFINITIONS;

export interface DisagreementDetails {
  readonly features: number;
  /** How many are features, by definition. */
  readonly found: Readonly<Record<FeatureDefinition, number>>;
  /** Row by column: the share of features that are one by the row's definition and none by the column's. */
  readonly disagreement: Readonly<Record<FeatureDefinition, Readonly<Record<FeatureDefinition, number>>>>;
}

const READ = 0.95;
const FOLLOWS = 0.8;
const PRESENT_ABOVE = 0.1;

/** The largest share on which two definitions differ, and all of them. */
export async function disagreement(place: Place, seed = 0): Promise<Outcome<DisagreementDetails>> {
  const { truth, rows, width, x, C } = place;
  if (truth === undefined) return { missing: "no features are known here" };
  if (place.directions === undefined) return { missing: "needs components of one direction each" };
  const nearest = nearestComponents(place);
  const acts = Array.from({ length: C }, (_, c) => presence(strengthOf(place, c)));
  const half = Math.floor(rows / 2);
  const key = foldIn(keyFromSeed(seed), "definitions");
  const verdicts: Record<FeatureDefinition, boolean>[] = [];
  for (let j = 0; j < truth.count; j++) {
    const there = Array.from(presence(featureStrength(truth, rows, j)));
    const [learning, judging] = [there.slice(0, half), there.slice(half)];
    if ([learning, judging].some((labels) => new Set(labels).size < 2)) continue;
    const of = (from: number, to: number): { columns: number; data: Float32Array } => ({
      columns: width,
      data: x.subarray(from * width, to * width),
    });
    const probe = await fitClassifier({ x: of(0, half), labels: learning, classes: 2 }, { kind: "ridge", key });
    const scores = probe.scores(of(half, rows));
    const read = auroc(
      judging.map((_, row) => scores[2 * row + 1]! - scores[2 * row]!),
      judging,
    );
    verdicts.push({
      probe: read >= READ,
      direction: (nearest[j]?.cosine ?? 0) >= SAME_DIRECTION,
      activity: acts.some((on) => correlation(on, there) >= FOLLOWS),
    });
  }
  if (verdicts.length === 0) return { missing: "no feature is both there and not there on these rows" };
  const names = Object.keys(DEFINITIONS) as FeatureDefinition[];
  const byName = <T>(of: (name: FeatureDefinition) => T): Record<FeatureDefinition, T> =>
    Object.fromEntries(names.map((name) => [name, of(name)])) as Record<FeatureDefinition, T>;
  const details = {
    features: verdicts.length,
    found: byName((name) => verdicts.filter((v) => v[name]).length),
    disagreement: byName((a) => byName((b) => verdicts.filter((v) => v[a] && !v[b]).length / verdicts.length)),
  };
  const differ = names.flatMap((a) => names.map((b) => verdicts.filter((v) => v[a] !== v[b]).length / verdicts.length));
  const value = Math.max(...differ);
  return {
    value,
    control: null,
    present: value > PRESENT_ABOVE,
    n: verdicts.length,
    counted: "known features",
    details,
  };
}
