/**
 * Usefulness beside a plain linear probe: does what components say of an input tell a concept as well as the activation itself does, where the
 * probe was learnt and where the data have changed? (Kantamneni et al. 2025; Smith et al. 2025.)
 */
import { fitClassifier, type LabelledRows } from "../../instrument/classifier.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, type Key, keyFromSeed, randomPermutation } from "../../tensor/index.ts";
import type { Measure, Outcome } from "./measure.ts";
import { type Place, strengthOf } from "./place.ts";
import { featureStrength } from "./true-features.ts";

export const USEFULNESS: Measure = {
  title: "usefulness beside a linear probe",
  formula:
    "AUROC of a linear probe on the value - AUROC of a linear probe on the 16 components that differ most between the classes; both ridge regressions",
  source: "Kantamneni et al. 2025 and Smith et al. 2025 (SAE probes); k-sparse probes: Gurnee et al. 2023",
  unit: "AUROC, 0: as useful",
  reduction: "mean over concepts; on shifted data where there are any, else on rows that were not learnt from",
  control: "AUROC of the linear probe learnt from labels in another order, less a half",
  rule: "above 0.02",
  establishes: "whether a concept can be read off few components as well as off the value that they are parts of",
  doesNotEstablish:
    "that components are of no use for what a probe is no use for: finding concepts that nobody has labelled",
};

export interface UsefulnessDetails {
  readonly concepts: number;
  readonly shifted: boolean;
  /** AUROC, means over concepts: of the dense probe, of one component, of the sixteen. */
  readonly inside: ProbeScores;
  readonly outside: ProbeScores | null;
}

export interface ProbeScores {
  readonly dense: number;
  readonly single: number;
  readonly sparse: number;
}

/** A concept: 1 on the rows that it is true of. */
export type Concept = ArrayLike<number>;

const SPARSE = 16;
const MOST_CONCEPTS = 8;
const FEWEST = 20;
const PRESENT_ABOVE = 0.02;

/** The presence of each known feature as a concept, those that are there neither hardly ever nor nearly always. */
function featureConcepts(place: Place, shifted?: Place): { own: Concept[]; shifted?: Concept[] } {
  const { truth, rows } = place;
  if (truth === undefined) return { own: [] };
  const of = (one: Place, j: number): Float32Array =>
    featureStrength(one.truth!, one.rows, j).map((a) => (a === 0 ? 0 : 1));
  const both = (concept: Concept): boolean => {
    const on = Array.from(concept).reduce((a, b) => a + b, 0);
    return on >= FEWEST && concept.length - on >= FEWEST;
  };
  const usable = Array.from({ length: truth.count }, (_, j) => j).filter(
    (j) => both(of(place, j).slice(0, Math.floor(rows / 2))) && both(of(place, j).slice(Math.floor(rows / 2))),
  );
  const comparable = shifted?.truth?.count === truth.count;
  const chosen = usable.filter((j) => !comparable || both(of(shifted!, j))).slice(0, MOST_CONCEPTS);
  return {
    own: chosen.map((j) => of(place, j)),
    ...(comparable && { shifted: chosen.map((j) => of(shifted!, j)) }),
  };
}

/** @param shifted the same place on data of another distribution */
export async function usefulness(place: Place, shifted?: Place, seed = 0): Promise<Outcome<UsefulnessDetails>> {
  const concepts = featureConcepts(place, shifted);
  if (concepts.own.length === 0)
    return { missing: "no concept is known of the inputs that is true of enough rows and false of enough" };
  const key = foldIn(keyFromSeed(seed), "usefulness");
  const half = Math.floor(place.rows / 2);
  const inside: ProbeScores[] = [];
  const outside: ProbeScores[] = [];
  const byChance: number[] = [];
  for (const [i, concept] of concepts.own.entries()) {
    const own = foldIn(key, i);
    const learning = { place, concept, from: 0, to: half };
    const judging = [
      { place, concept, from: half, to: place.rows },
      ...(shifted && concepts.shifted
        ? [{ place: shifted, concept: concepts.shifted[i]!, from: 0, to: shifted.rows }]
        : []),
    ];
    const found = await scoresOf(learning, judging, own);
    inside.push(found[0]!);
    if (found[1]) outside.push(found[1]);
    byChance.push(await shuffledAuroc(learning, judging[0]!, own));
  }
  const meansOf = (scores: readonly ProbeScores[]): ProbeScores => ({
    dense: meanOfNumbers(scores.map(({ dense }) => dense)),
    single: meanOfNumbers(scores.map(({ single }) => single)),
    sparse: meanOfNumbers(scores.map(({ sparse }) => sparse)),
  });
  const details = {
    concepts: concepts.own.length,
    shifted: outside.length > 0,
    inside: meansOf(inside),
    outside: outside.length > 0 ? meansOf(outside) : null,
  };
  const judged = details.outside ?? details.inside;
  const value = judged.dense - judged.sparse;
  return {
    value,
    control: meanOfNumbers(byChance) - 0.5,
    present: value > PRESENT_ABOVE,
    n: concepts.own.length,
    counted: "concepts",
    details,
  };
}

interface Part {
  readonly place: Place;
  readonly concept: Concept;
  readonly from: number;
  readonly to: number;
}

async function scoresOf(learning: Part, judging: readonly Part[], key: Key): Promise<ProbeScores[]> {
  const chosen = mostDifferent(learning);
  const on = async (read: (part: Part) => LabelledRows["x"]): Promise<number[]> => {
    const classifier = await fitClassifier(labelled(learning, read(learning)), { kind: "ridge", key });
    return judging.map((part) => auroc(differences(classifier.scores(read(part))), labelsOf(part)));
  };
  const dense = await on(values);
  const single = await on((part) => strengths(part, chosen.slice(0, 1)));
  const sparse = await on((part) => strengths(part, chosen));
  return judging.map((_, i) => ({ dense: dense[i]!, single: single[i]!, sparse: sparse[i]! }));
}

async function shuffledAuroc(learning: Part, judging: Part, key: Key): Promise<number> {
  const order = randomPermutation(key, learning.to - learning.from);
  const concept = Array.from(order, (row) => learning.concept[learning.from + row]!);
  const shuffled = labelled({ ...learning, concept, from: 0, to: concept.length }, values(learning));
  const classifier = await fitClassifier(shuffled, { kind: "ridge", key });
  return auroc(differences(classifier.scores(values(judging))), labelsOf(judging));
}

const labelsOf = ({ concept, from, to }: Part): number[] => Array.from(concept).slice(from, to);

const labelled = (part: Part, x: LabelledRows["x"]): LabelledRows => ({ x, labels: labelsOf(part), classes: 2 });

const values = ({ place: { x, width }, from, to }: Part): LabelledRows["x"] => ({
  columns: width,
  data: x.subarray(from * width, to * width),
});

function strengths({ place, from, to }: Part, components: readonly number[]): LabelledRows["x"] {
  const data = new Float32Array((to - from) * components.length);
  components.forEach((c, i) => {
    const z = strengthOf(place, c);
    for (let row = from; row < to; row++) data[(row - from) * components.length + i] = z[row]!;
  });
  return { columns: components.length, data };
}

/** The components whose mean differs most between the classes, in units of their deviation. */
function mostDifferent({ place, concept, from, to }: Part): number[] {
  const gaps = Array.from({ length: place.C }, (_, c) => {
    const z = strengthOf(place, c);
    let [on, sumOn, sumOff, squares] = [0, 0, 0, 0];
    for (let row = from; row < to; row++) {
      squares += z[row]! ** 2;
      if (concept[row]! > 0) {
        on++;
        sumOn += z[row]!;
      } else sumOff += z[row]!;
    }
    const n = to - from;
    const deviation = Math.sqrt(Math.max(0, squares / n - ((sumOn + sumOff) / n) ** 2));
    return deviation === 0 ? 0 : Math.abs(sumOn / on - sumOff / (n - on)) / deviation;
  });
  return gaps
    .map((_, c) => c)
    .sort((a, b) => gaps[b]! - gaps[a]!)
    .slice(0, SPARSE);
}

/** The second class's score less the first's. */
const differences = (scores: Float64Array): Float64Array =>
  Float64Array.from({ length: scores.length / 2 }, (_, row) => scores[2 * row + 1]! - scores[2 * row]!);

/** How often a row of which something is true has the higher score of two, ties counting half (Mann & Whitney 1947). */
export function auroc(scores: ArrayLike<number>, labels: ArrayLike<number>): number {
  const order = Array.from({ length: scores.length }, (_, i) => i).sort((a, b) => scores[a]! - scores[b]!);
  let [ranks, positives] = [0, 0];
  for (let from = 0; from < order.length;) {
    let to = from;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) to++;
    for (let i = from; i < to; i++) {
      if (labels[order[i]!]! > 0) {
        ranks += (from + to + 1) / 2;
        positives++;
      }
    }
    from = to;
  }
  const negatives = scores.length - positives;
  return (ranks - (positives * (positives + 1)) / 2) / (positives * negatives);
}
