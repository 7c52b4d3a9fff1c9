/**
 * `node scripts/run.js bench/anomalies.ts [experiment…] [--seeds n] [--from s] [--table]`: the anomalies of dictionary learning on trained decompositions of
 * features of known directions, seed by seed. What is measured goes to `docs/results/anomalies.jsonl`, one line a seed; the table says for each
 * cell in how many seeds the anomaly was there, with the seeds whose latents died counted and not left out; `--table` prints what is there.
 */
import { parseArgs } from "node:util";
import { absorption } from "../src/evidence/anomalies/absorption.ts";
import { observe, type ObserveOptions, type Place } from "../src/evidence/anomalies/index.ts";
import { directionOf } from "../src/evidence/anomalies/place.ts";
import { isFound, type Outcome } from "../src/evidence/anomalies/measure.ts";
import { composition } from "../src/evidence/anomalies/composition.ts";
import { hedging } from "../src/evidence/anomalies/hedging.ts";
import { onlyClustering } from "../src/evidence/anomalies/only-clustering.ts";
import { shrinkage } from "../src/evidence/anomalies/shrinkage.ts";
import { splitting } from "../src/evidence/anomalies/splitting.ts";
import { dot } from "../src/instrument/random-directions.ts";
import { named } from "../src/settings.ts";
import { resolveTarget, train } from "../src/training/targets.ts";
import { alive, type Settings, takenApart } from "./anomaly-subject.ts";
import { addRow, readRows } from "./rows.ts";

type Numbers = Readonly<Record<string, number | string | boolean | null>>;

/** A method on a network. */
interface Subject {
  readonly targetPreset?: string;
  readonly set?: Settings;
  readonly method: string;
  readonly settings: Settings;
}

interface Cell extends Subject {
  readonly name: string;
  /** What `reference` recipes gave, in words. */
  readonly expected: string;
  /** Settings of a smaller one beside it. */
  readonly smaller?: Settings;
  readonly read: (place: Place, seed: number, smaller?: Place) => Numbers | Promise<Numbers>;
}

interface Experiment {
  readonly about: string;
  readonly seeds: number;
  readonly cells: readonly Cell[];
  /** Whether each seed draws other directions, too. */
  readonly otherFeatures?: boolean;
}

const plain = { activationNormalization: "none", lr: 1e-3, batch: 1024, steps: 4000 };
const options: ObserveOptions = { threads: 1, rows: 16_384 };

const numberOr = (outcome: Outcome<object>): Numbers =>
  isFound(outcome)
    ? { value: outcome.value, control: outcome.control, present: outcome.present }
    : { missing: outcome.missing };

const readShrinkage = (place: Place): Numbers => ({ ...numberOr(shrinkage(place)), alive: alive(place) });

/** The first feature as the parent of the second, whether it is or not. */
function readAbsorption(place: Place): Numbers {
  const found = absorption(place, [[0, 1]]);
  const base = { alive: alive(place), of: place.C };
  if (!isFound(found)) return { ...base, missing: found.missing };
  return { ...base, ...numberOr(found), ratio: found.details.pairs[0]!.ratio };
}

/** The latent's direction along the two features, where it acts. */
function readHedging(place: Place): Numbers {
  const base = { ...numberOr(hedging(place)), alive: alive(place) };
  if (base.alive === 0) return base;
  const along = [0, 1].map((j) =>
    dot(directionOf(place.directions!, place.width, 0), directionOf(place.truth!.directions, place.width, j)),
  );
  const [own, other] = Math.abs(along[0]!) > Math.abs(along[1]!) ? along : along.toReversed();
  const sign = Math.sign(own!);
  return { ...base, own: sign * own!, other: sign * other! };
}

function readComposition(place: Place): Numbers {
  const found = composition(place);
  const base = { ...numberOr(found), alive: alive(place) };
  if (!isFound(found)) return base;
  const { featuresFound, combinationsFound, combinations, features } = found.details;
  return { ...base, featuresFound, features, combinationsFound, combinations };
}

const readClustering =
  (active: number) =>
  async (place: Place, seed: number): Promise<Numbers> => {
    const found = await onlyClustering(place, active, { threads: 1, seed });
    if (!isFound(found)) return { missing: found.missing };
    const { own, clusters, truth, random, ownEncoder } = found.details;
    return { ...numberOr(found), own, clusters, truth, random, ownEncoder, alive: alive(place) };
  };

function readSplitting(place: Place, _: number, smaller?: Place): Numbers {
  const found = splitting(place, smaller);
  const base = { ...numberOr(found), alive: alive(place), inSmaller: alive(smaller!) };
  if (!isFound(found)) return base;
  const { lost, acrossSiblings } = found.details;
  const byTruth = splitting(place);
  return { ...base, held: found.n, lost, acrossSiblings, byTruth: isFound(byTruth) ? byTruth.value : null };
}

const shrinking = (method: string, more: Settings, expected: string): Cell => ({
  name: `${method} ${JSON.stringify(more)}`,
  ...{ targetPreset: "shrinkage", method, expected, read: readShrinkage },
  settings: { ...plain, lr: 5e-3, steps: 3000, C: 1, lrDecay: 0.5, ...more },
});
const absorbing = (structure: string, l1Coefficient: number, expected: string): Cell => ({
  name: `${structure}, l1 ${l1Coefficient}`,
  ...{ targetPreset: "absorption", method: "sae", expected, read: readAbsorption },
  set: structure === "hierarchy" ? {} : { structure: "pairs", correlation: 0, families: 1 },
  settings: { ...plain, C: 4, l1Coefficient },
});
const hedged = (set: Settings, expected: string): Cell => ({
  name: JSON.stringify(set),
  ...{ targetPreset: "hedging", method: "sae", expected, read: readHedging, set },
  settings: { ...plain, C: 1, l1Coefficient: 0.01, steps: 3000 },
});
const clustered = (C: number, k: number, expected: string): Cell => ({
  name: `topk, ${C} latents, k ${k}`,
  ...{ method: "topk", expected, read: readClustering(k) },
  settings: { ...plain, C, k },
});
const tame = (animals: number, C: number, expected: string, more: Settings = {}): Cell => ({
  name: `${animals} animals, ${C} latents${Object.keys(more).length > 0 ? `, ${JSON.stringify(more)}` : ""}`,
  ...{ targetPreset: "animals", method: "sae", expected, read: readComposition, set: { animals } },
  settings: { ...plain, C, l1Coefficient: 0.05, ...more },
});
const split = (set: Settings, C: number, from: number, expected: string): Cell => ({
  name: `${JSON.stringify(set)}, ${from} to ${C} latents`,
  ...{ targetPreset: "splitting", method: "topk", set, expected, read: readSplitting, smaller: { C: from } },
  settings: { ...plain, lr: 3e-3, C, k: 1, deadAfter: 30, auxCoefficient: 1 },
});

const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  shrinkage: {
    about: "shrinkage (B17): one feature that is 1 or 0",
    seeds: 8,
    cells: [
      shrinking("sae", { l1Coefficient: 0.1 }, ".900"),
      shrinking("sae", { l1Coefficient: 0.3 }, ".700"),
      shrinking("gated", { l1Coefficient: 0.1 }, "1.00"),
      shrinking("topk", { k: 1 }, "1.00"),
      shrinking("jumprelu", { l0Coefficient: 0.02 }, "1.00"),
    ],
  },
  absorption: {
    about: "absorption (B18): a parent, its child, two others; 4 latents",
    seeds: 8,
    cells: [
      absorbing("hierarchy", 0.05, "5 of 8 alive, absorbed 5 of 5"),
      absorbing("hierarchy", 0.15, "3 of 8 alive, absorbed 3 of 3"),
      absorbing("independent", 0.05, "6 of 8 alive, absorbed 0 of 6"),
      absorbing("independent", 0.15, "3 of 8 alive, absorbed 0 of 3"),
    ],
  },
  hedging: {
    about: "hedging (B18): one latent, two features",
    seeds: 8,
    // What probabilities the published directions belong to is not said; here both features of a pair are as likely.
    cells: [
      hedged({ correlation: 0 }, "(1, 0)"),
      hedged({ correlation: 0.5 }, "other positive; (.929, .369) at probabilities unknown"),
      hedged({ correlation: -0.3 }, "other negative; (.966, -.26) at probabilities unknown"),
      hedged({ structure: "hierarchy", childProbability: 0.4 }, "other positive"),
    ],
  },
  clustering: {
    about: "only clustering (B19): 64 features in 32 dimensions, 3 draws",
    seeds: 3,
    otherFeatures: true,
    cells: [
      clustered(64, 3, "own .084-.086, clusters .150-.186, truth .083-.086"),
      clustered(64, 5, "own .027-.029, clusters .105-.153, truth .024-.026"),
      clustered(128, 3, "own .085-.087, clusters .108-.127, truth .083-.086"),
      clustered(128, 5, "own .030, clusters .067-.096, truth .024-.026"),
    ],
  },
  animals: {
    about: "composition (B19, A6.1): snake, giraffe, dog",
    seeds: 8,
    cells: [
      tame(3, 3, "one latent an animal, neither legs nor tail"),
      tame(4, 2, "legs and tail"),
      tame(4, 3, "mixed"),
      // Latents that die at the start, which the recipe does not count, start anew.
      tame(3, 3, "one latent an animal, neither legs nor tail", { resampleEvery: 500 }),
      tame(4, 2, "legs and tail", { resampleEvery: 500 }),
    ],
  },
  splitting: {
    about: "splitting: 8 families of 8 near directions; 8 features of their own",
    seeds: 3,
    otherFeatures: true,
    cells: [
      split({}, 64, 8, "8 latents where one was"),
      split({}, 16, 8, "2 latents where one was"),
      split({ structure: "independent", features: 8, probability: 0.1 }, 16, 8, "1 latent, as before"),
    ],
  },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string" },
    from: { type: "string", default: "0" },
    table: { type: "boolean", default: false },
  },
});

const FILE = "docs/results/anomalies.jsonl";

interface Row {
  readonly experiment: string;
  readonly cell: string;
  readonly seed: number;
  readonly seconds: number;
  readonly found: Numbers;
}

/** Trains a subject and looks at what it makes of fresh data. */
async function placeOf(
  { targetPreset, set, method, settings }: Subject,
  seed: number,
  features: number,
): Promise<Place> {
  const target = resolveTarget("superposition", {
    ...(targetPreset && { preset: targetPreset }),
    set: { ...set, seed: features },
  });
  const { weights } = await train(target, { threads: 1 });
  const { decomposition, data, known } = await takenApart(target, weights, method, { ...settings, seed });
  const { places } = await observe(decomposition, data, { ...options, ...(known && { known }) });
  return places[0]!;
}

async function run(name: string): Promise<void> {
  const { about, cells, seeds, otherFeatures } = named("experiment", name, EXPERIMENTS);
  console.log(`\n${about}`);
  const from = Number(values.from);
  for (const cell of cells) {
    for (let seed = from; seed < from + Number(values.seeds ?? seeds); seed++) {
      const began = performance.now();
      const features = otherFeatures ? seed : 0;
      const place = await placeOf(cell, seed, features);
      const { smaller, settings } = cell;
      const less = smaller && (await placeOf({ ...cell, settings: { ...settings, ...smaller } }, seed, features));
      const found = await cell.read(place, seed, less);
      const row: Row = { experiment: name, cell: cell.name, seed, seconds: (performance.now() - began) / 1000, found };
      addRow(FILE, row);
      console.log(`${cell.name}  seed ${seed}  ${shown(found)}`);
    }
  }
}

const shown = (found: Numbers): string =>
  Object.entries(found)
    .map(([key, value]) => `${key} ${typeof value === "number" ? Number(value.toPrecision(4)) : value}`)
    .join(", ");

/** Each cell in a line: the anomaly in k of n seeds, and means over seeds. */
function printTable(name: string, rows: readonly Row[]): void {
  const { about, cells } = EXPERIMENTS[name]!;
  console.log(
    `\n${about}\n\n| cell | seeds | measured | present | means over seeds | expected |\n|---|---|---|---|---|---|`,
  );
  for (const cell of cells) {
    const own = rows.filter((row) => row.experiment === name && row.cell === cell.name);
    if (own.length === 0) continue;
    const measured = own.filter(({ found }) => typeof found.value === "number");
    const present = measured.filter(({ found }) => found.present === true).length;
    const keys = [...new Set(own.flatMap(({ found }) => Object.keys(found)))];
    const means = keys.flatMap((key) => {
      const numbers = own.map(({ found }) => found[key]).filter((x) => typeof x === "number");
      if (numbers.length === 0) return [];
      return [`${key} ${Number((numbers.reduce((a, b) => a + b, 0) / numbers.length).toPrecision(3))}`];
    });
    console.log(
      `| ${cell.name} | ${own.length} | ${measured.length} | ${present} of ${measured.length} | ${means.join(", ")} | ${cell.expected} |`,
    );
  }
}

const asked = positionals.length > 0 ? positionals : Object.keys(EXPERIMENTS);
if (!values.table) for (const name of asked) await run(name);
const rows = readRows<Row>(FILE);
for (const name of asked) printTable(name, rows);
