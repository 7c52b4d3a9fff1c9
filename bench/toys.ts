/**
 * `node scripts/run.js bench/toys.ts <experiment>… [--seeds n] [--from s] [--threads n] [--table]`: toys trained as their
 * presets say, with what they learnt held against what is published of them, failed seeds included.
 *
 * One line a seed goes to standard output, every number to `docs/results/<experiment>.jsonl`; `--table` prints what is there.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { named, resolveTarget, train } from "../src/index.ts";
import type { MetricsRow } from "../src/training/loop.ts";
import {
  beyondShortcuts,
  countFixedPoints,
  grokkingDelay,
  halfwaySpread,
  overCompressor,
  type TrainedToy,
} from "./toy-measures.ts";

type Metrics = Readonly<Record<string, number>>;

interface Experiment {
  readonly target: string;
  readonly preset: string;
  /** What a seed must reach, by metric: at least, or at most. */
  readonly least?: Metrics;
  readonly most?: Metrics;
  /** What else the table shows. */
  readonly shown?: readonly string[];
  /** What is measured beside what training measures by itself. */
  readonly also?: (toy: TrainedToy) => Promise<Metrics>;
}

const induction = { target: "induction", shown: ["previousToken", "inContextDrop"] } as const;
const learnt = { most: { secondCopyLoss: 0.6 }, least: { prefixMatching: 0.5 } };
const beliefs = { shown: ["lossFloor", "nextTokenR2", "shuffledR2"] } as const;

const compressed = { target: "resid-mlp", shown: ["diagonal", "diagonalDeviation"] } as const;
const modular = {
  target: "modular-addition",
  shown: ["trainStep", "testStep", "keyFrequencies"],
  also: grokkingDelay,
} as const;
const compressing = {
  target: "text",
  most: { overCompressor: 1 },
  shown: ["bitsPerByte", "compressorBitsPerByte", "unigramBitsPerByte"],
  also: overCompressor,
} as const;
const byHeart = { ...modular, shown: ["trainAccuracy", "gini", "restrictedLoss", "excludedLoss"] };
/** Exactly so many. */
const exactly = (metrics: Metrics): Pick<Experiment, "least" | "most"> => ({ least: metrics, most: metrics });

const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  induction: { ...induction, ...learnt, preset: "default" },
  "induction-quick": { ...induction, ...learnt, preset: "quick" },
  "induction-large": { ...induction, ...learnt, preset: "large" },
  "induction-marker": { ...induction, ...learnt, preset: "marker" },
  "induction-marker-published": { ...induction, ...learnt, preset: "marker-published" },
  "induction-one-layer": {
    ...induction,
    preset: "one-layer",
    least: { secondCopyLoss: 1.8 },
    most: { prefixMatching: 0.2 },
  },
  mess3: {
    ...beliefs,
    target: "mess3",
    preset: "default",
    most: { excessLoss: 0.002, shuffledR2: 0.02 },
    least: { beliefR2: 0.98, beliefR2AllLayers: 0.98, shuffledR2: -0.02 },
  },
  "mess3-published": {
    ...beliefs,
    target: "mess3",
    preset: "published",
    most: { excessLoss: 0.002, shuffledR2: 0.02 },
    least: { beliefR2: 0.98, beliefR2AllLayers: 0.98, shuffledR2: -0.02 },
  },
  hmm: {
    ...beliefs,
    target: "hmm",
    preset: "default",
    most: { excessLoss: 0.002, shuffledR2: 0.02 },
    least: { beliefR2: 0.98, beliefR2AllLayers: 0.98, shuffledR2: -0.02 },
  },
  rrxor: {
    ...beliefs,
    target: "rrxor",
    preset: "default",
    most: { excessLoss: 0.002, shuffledR2: 0.02 },
    least: { beliefR2AllLayers: 0.85, shuffledR2: -0.02 },
  },
  stories: {
    target: "stories",
    preset: "default",
    least: { agreement: 0.9, ownerGain: 0.05, placeGain: 0.05 },
    most: { unlearnt: 0.05 },
    also: beyondShortcuts,
    shown: [
      "heldOutLoss",
      "lossFloor",
      "unigramLoss",
      "agreement",
      "owner",
      "ownerChance",
      "ownerLastNamed",
      "place",
      "placeChance",
      "placeLastNamed",
    ],
  },
  "resid-mlp": { ...compressed, preset: "default", most: { lossRatio: 0.85 } },
  "resid-mlp-1": { ...compressed, preset: "resid-mlp-1", most: { lossRatio: 0.85 } },
  "resid-mlp-2": { ...compressed, preset: "resid-mlp-2", most: { lossRatio: 0.85 } },
  "resid-mlp-3": { ...compressed, preset: "resid-mlp-3", most: { lossRatio: 0.85 } },
  "resid-mlp-identity": { ...compressed, preset: "identity", least: { lossRatio: 0.98 } },
  "deep-linear": {
    target: "deep-linear",
    preset: "default",
    most: { relativeError: 0.02, singularValueError: 1e-3 },
    shown: ["residualSingularValue"],
  },
  "deep-linear-two-layer": {
    target: "deep-linear",
    preset: "two-layer",
    most: { relativeError: 1e-3, singularValueError: 1e-3, halfwaySpread: 1.4 },
    also: halfwaySpread,
  },
  "modular-addition": {
    ...modular,
    preset: "default",
    least: { testAccuracy: 0.99, delay: 3, gini: 0.5, excludedLoss: 0.7 * Math.log(59) },
    most: { restrictedLoss: 1e-3 },
  },
  "modular-addition-nanda": {
    ...modular,
    preset: "nanda-2023",
    least: { testAccuracy: 0.99, delay: 3, gini: 0.5, excludedLoss: 0.7 * Math.log(113) },
    most: { restrictedLoss: 1e-3 },
  },
  "modular-addition-no-decay": { ...byHeart, preset: "no-decay", most: { testAccuracy: 0.9 } },
  "modular-addition-few-sums": { ...byHeart, preset: "few-sums", most: { testAccuracy: 0.9 } },
  "flip-flop": {
    target: "flip-flop",
    preset: "default",
    ...exactly({ fixedPoints: 27, unstable0: 8, unstable1: 12, unstable2: 6, unstable3: 1 }),
    shown: ["accuracy", "heldOutLoss"],
    also: countFixedPoints(500),
  },
  "flip-flop-four-bits": {
    target: "flip-flop",
    preset: "four-bits",
    ...exactly({ fixedPoints: 81, unstable0: 16, unstable1: 32, unstable2: 24, unstable3: 8, unstable4: 1 }),
    shown: ["accuracy", "heldOutLoss"],
    also: countFixedPoints(4000),
  },
  "hierarchical-equality": {
    target: "hierarchical-equality",
    preset: "default",
    least: { testAccuracy: 0.99 },
    shown: ["heldOutLoss"],
  },
  text: { ...compressing, preset: "default" },
  "text-byte-pairs": { ...compressing, preset: "byte-pairs" },
};

interface Row {
  readonly experiment: string;
  readonly seed: number;
  readonly passed: boolean;
  readonly seconds: number;
  readonly metrics: Metrics;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "3" },
    from: { type: "string", default: "0" },
    threads: { type: "string", default: "1" },
    table: { type: "boolean", default: false },
  },
});

const fileOf = (name: string): string => `docs/results/${name}.jsonl`;

function passes({ least = {}, most = {} }: Experiment, metrics: Metrics): boolean {
  return (
    Object.entries(least).every(([metric, bound]) => metrics[metric]! >= bound) &&
    Object.entries(most).every(([metric, bound]) => metrics[metric]! <= bound)
  );
}

async function runSeed(name: string, seed: number): Promise<Row> {
  const experiment = named("experiment", name, EXPERIMENTS);
  const began = performance.now();
  const document = resolveTarget(experiment.target, { preset: experiment.preset, set: { seed } });
  const rows: MetricsRow[] = [];
  const trained = await train(document, {
    threads: Number(values.threads),
    onMetrics: (row) => void rows.push(row),
  });
  const seconds = (performance.now() - began) / 1000;
  const metrics = { ...trained.metrics, ...(await experiment.also?.({ ...trained, document, rows })) };
  return { experiment: name, seed, passed: passes(experiment, metrics), seconds, metrics };
}

const columnsOf = ({ least = {}, most = {}, shown = [] }: Experiment): string[] => [
  ...new Set([...Object.keys(most), ...Object.keys(least), ...shown]),
];

function header(experiment: Experiment): string {
  const columns = ["seed", "passed", ...columnsOf(experiment), "seconds"];
  return `| ${columns.join(" | ")} |\n|${columns.map(() => "---").join("|")}|`;
}

function shortly(x: number | undefined): string {
  if (x === undefined) return "";
  return Number.isInteger(x) ? String(x) : x.toPrecision(3);
}

function line(experiment: Experiment, { seed, passed, seconds, metrics }: Row): string {
  const judged = experiment.least ?? experiment.most;
  const numbers = columnsOf(experiment).map((metric) => shortly(metrics[metric]));
  return `| ${[seed, judged === undefined ? "" : passed ? "yes" : "no", ...numbers, seconds.toFixed(0)].join(" | ")} |`;
}

for (const name of positionals) {
  const experiment = named("experiment", name, EXPERIMENTS);
  console.log(`\n${experiment.target}, ${experiment.preset}\n\n${header(experiment)}`);
  if (values.table) {
    const rows = readFileSync(fileOf(name), "utf8").trim().split("\n");
    for (const text of rows) console.log(line(experiment, JSON.parse(text) as Row));
    continue;
  }
  mkdirSync("docs/results", { recursive: true });
  if (values.from === "0") writeFileSync(fileOf(name), "");
  for (let i = 0; i < Number(values.seeds); i++) {
    const row = await runSeed(name, Number(values.from) + i);
    appendFileSync(fileOf(name), `${JSON.stringify(row)}\n`);
    console.log(line(experiment, row));
  }
}
