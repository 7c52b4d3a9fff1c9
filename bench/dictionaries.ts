/**
 * `npm run science:dictionaries -- [recovery] [shrinkage] [--seeds n] [--from s] [--only text] [--steps n] [--json] [--table]`: every kind of dictionary on features in superposition
 * whose directions are known, and on one feature whose shrinkage is known exactly; each seed draws directions, data and first weights anew.
 *
 * `--only` takes the cases whose name has that text, and adds to what is there; so does `--from` another seed than 0. The tables go to standard output with the band over seeds (least to most), every seed in full to `docs/results/dictionaries-<experiment>.jsonl`. Controls:
 * random directions of the same number, and a dictionary before any step.
 */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ActivationDecomposition } from "../src/decomposition/activation/activation-decomposition.ts";
import { decompose, methodNamed, resolveMethod } from "../src/decomposition/methods.ts";
import { interpret } from "../src/engine/index.ts";
import { directionRecovery } from "../src/evidence/direction-recovery.ts";
import { FreshData } from "../src/evidence/fresh-data.ts";
import { constant, cast, div, greater, input, mean, mul, square, sub, sum, type Tensor } from "../src/tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "3" },
    from: { type: "string", default: "0" },
    only: { type: "string", default: "" },
    steps: { type: "string", default: "4000" },
    json: { type: "boolean", default: false },
    table: { type: "boolean", default: false },
  },
});

/** Activations as they are, so that coefficients are those of the recipe. */
const raw = { activationNormalization: "none" };

interface Case {
  readonly name: string;
  readonly method: string;
  readonly set: Readonly<Record<string, unknown>>;
}

const both = (name: string, method: string, set: object): Case[] =>
  [64, 128].map((C) => ({ name: `${name}, ${C}`, method, set: { ...raw, C, ...set } }));

const RECOVERY: readonly Case[] = [
  ...both("untrained", "sae", { steps: 1, lr: 1e-9 }),
  ...[0.02, 0.05, 0.1, 0.2].flatMap((l1Coefficient) => both(`L1 ${l1Coefficient}`, "sae", { l1Coefficient })),
  ...both("L1 0.1, lengths in the penalty", "sae", {
    l1Coefficient: 0.1,
    normalizeDecoder: false,
    decoderNormInPenalty: true,
  }),
  ...both("p-annealed 0.1", "sae", { l1Coefficient: 0.1, pEnd: 0.5 }),
  ...[0.2, 0.3].flatMap((l1Coefficient) => both(`gated ${l1Coefficient}`, "gated", { l1Coefficient })),
  ...[3, 6].flatMap((k) => both(`TopK ${k}`, "topk", { k })),
  ...both("BatchTopK 3", "batchtopk", { k: 3 }),
  ...both("Matryoshka 3", "matryoshka", { k: 3 }),
  ...both("JumpReLU 0.02", "jumprelu", { l0Coefficient: 0.02, bandwidth: 0.1, thresholdStart: 0.1 }),
];

/** One feature that is 1 with probability 1/2: with a free bias an L1 of λ leaves `1 - λ/(2 (1 - p))` of it. */
const P = 0.5;
// A single latent that begins on the wrong side never fires: it starts anew.
const shrink = { ...raw, C: 1, lr: 1e-2, lrDecay: 0.5, resampleEvery: 500, resampleUntil: 0.5 };
const SHRINKAGE: readonly (Case & { readonly expected: number; readonly within: number })[] = [
  ...[0.1, 0.3].map((l1) => ({
    ...{ name: `L1 ${l1}`, method: "sae", set: { ...shrink, l1Coefficient: l1 } },
    ...{ expected: 1 - l1 / (2 * (1 - P)), within: 0.005 },
  })),
  ...[
    { name: "gated 0.1", method: "gated", set: { ...shrink, l1Coefficient: 0.1 } },
    { name: "TopK 1", method: "topk", set: { ...shrink, k: 1 } },
    {
      name: "JumpReLU 0.05",
      method: "jumprelu",
      set: { ...shrink, l0Coefficient: 0.05, bandwidth: 0.1, thresholdStart: 0.1 },
    },
  ].map((one) => ({ ...one, expected: 1, within: 0.01 })),
];

const asked = positionals.length === 0 ? ["recovery", "shrinkage"] : positionals;
const seeds = Array.from({ length: Number(options.seeds) }, (_, i) => Number(options.from) + i);
for (const experiment of asked) {
  if (experiment === "recovery") await run("recovery", RECOVERY, recovered);
  else if (experiment === "shrinkage") await run("shrinkage", SHRINKAGE, shrunk);
  else throw new Error(`expected recovery or shrinkage, got ${experiment}`);
}

type Row = Readonly<Record<string, number>>;

/** All cases on all seeds, each row written as it comes. */
async function run<C extends Case>(
  name: string,
  cases: readonly C[],
  measure: (one: C, seed: number) => Promise<Row>,
): Promise<void> {
  const path = `docs/results/dictionaries-${name}.jsonl`;
  mkdirSync("docs/results", { recursive: true });
  if (!options.table) {
    if (Number(options.from) === 0 && options.only === "") writeFileSync(path, "");
    for (const seed of seeds) {
      for (const one of cases.filter((any) => any.name.includes(options.only))) {
        const began = performance.now();
        const row = await measure(one, seed);
        const seconds = Math.round(performance.now() - began) / 1000;
        const { method, set } = one;
        appendFileSync(path, `${JSON.stringify({ case: one.name, seed, method, set, seconds, ...row })}\n`);
        if (!options.json) console.error(`${one.name}, seed ${seed}: ${seconds.toFixed(1)} s`);
      }
    }
  }
  const rows = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row & { case: string });
  console.log(options.json ? JSON.stringify({ schema: 1, experiment: name, rows }) : tableOf(rows));
}

/** Means with the least and the most over seeds. */
function tableOf(rows: readonly (Row & { readonly case: string })[]): string {
  const skipped = new Set(["case", "seed", "method", "set", "seconds"]);
  const columns = Object.keys(rows[0]!).filter((name) => !skipped.has(name));
  const cases = [...new Set(rows.map((row) => row.case))];
  const lines = cases.map((name) => {
    const own = rows.filter((row) => row.case === name);
    const cells = columns.map((column) => {
      const found = own.map((row) => row[column]!);
      const middle = found.reduce((a, b) => a + b, 0) / found.length;
      const short = (x: number): string => (Math.abs(x) >= 10 ? x.toFixed(1) : x.toFixed(4).replace(/0$/, ""));
      return `${short(middle)} (${short(Math.min(...found))} to ${short(Math.max(...found))})`;
    });
    return `| ${[name, own.length, ...cells].join(" | ")} |`;
  });
  return [`| case | seeds | ${columns.join(" | ")} |`, `|${" --- |".repeat(columns.length + 2)}`, ...lines].join("\n");
}

/** A dictionary of features in superposition, against their directions. */
async function recovered({ method, set }: Case, seed: number): Promise<Row> {
  const target = resolveTarget("superposition", { set: { seed } });
  const { decomposition, data } = await trained(target, method, { ...set, seed });
  try {
    const found = await directionRecovery(data, decomposition, { point: "hook_hidden", weight: "F" });
    const { fvu, l0, dead } = await reconstructionOf(data, decomposition);
    const { mmcs, nullMmcs, found: share, mutual, activationRatio, activationRatioOfAll } = found;
    return { fvu, l0, mmcs, nullMmcs, found: share, mutual, activationRatio, activationRatioOfAll, dead };
  } finally {
    await data.dispose();
  }
}

/** What is left of one feature: how much longer what is written along it is where it is there than where it is not, on one fresh batch. */
async function shrunk({ method, set, ...law }: Case, seed: number): Promise<Row> {
  const { expected, within } = law as unknown as { expected: number; within: number };
  const target = resolveTarget("superposition", { preset: "shrinkage", set: { seed } });
  const { decomposition, data } = await trained(target, method, { ...set, seed });
  try {
    const { feeds } = await data.draw(0);
    const { output, batch } = whole(data, decomposition);
    const { data: written } = interpret({ output }, feeds).output;
    const [F, there] = [decomposition.values.F!.data, feeds["evaluation.x"]!.data];
    const sums = [
      { rows: 0, along: 0 },
      { rows: 0, along: 0 },
    ];
    for (let row = 0; row < batch; row++) {
      const sum = sums[there[row]! > 0 ? 1 : 0]!;
      sum.rows++;
      F.forEach((f, i) => (sum.along += f * written[row * F.length + i]!));
    }
    const [without, present] = sums.map(({ rows, along }) => along / rows);
    const left = present! - without!;
    return { expected, left, passed: Number(Math.abs(left - expected) <= within) };
  } finally {
    await data.dispose();
  }
}

/** The network's output with all latents and nothing left over, on a batch of `data`. */
function whole(
  data: FreshData,
  decomposition: ActivationDecomposition,
): { readonly x: Tensor; readonly output: Tensor; readonly batch: number } {
  const { x: given } = data.given;
  const [batch, feature] = given.shape as [number, number];
  const x = input("evaluation.x", given.axes, { batch, feature });
  const C = decomposition.components.length;
  const ones = constant("C batch", { C, batch }, 1) as Tensor<"C batch">;
  return { x, batch, output: decomposition.masked(x, { hook_hidden: ones }) };
}

/** A dictionary with fresh data to measure it on. */
async function trained(
  target: ReturnType<typeof resolveTarget>,
  method: string,
  set: Readonly<Record<string, unknown>>,
): Promise<{ readonly decomposition: ActivationDecomposition; readonly data: FreshData }> {
  const { weights } = await train(target);
  const document = resolveMethod(method, { target, set: { steps: Number(options.steps), ...set } });
  const { components } = await decompose(document, weights, { threads: 1 });
  const decomposition = methodNamed(method).open(document, weights, components) as ActivationDecomposition;
  const batch = (size: number): Tensor => targetNamed(target.target).batch("data", target.settings, size);
  return { decomposition, data: await FreshData.open(decomposition, { batch }, { threads: 1, seed: 1 }) };
}

/** On one fresh batch: variance left over, latents that are on, and how many are on nowhere. */
async function reconstructionOf(
  data: FreshData,
  decomposition: ActivationDecomposition,
): Promise<{ readonly fvu: number; readonly l0: number; readonly dead: number }> {
  const { feeds, importances } = await data.draw(0);
  const on = importances.hook_hidden!;
  const { x, output, batch } = whole(data, decomposition);
  const C = on.shape[0]!;
  const y = decomposition.network.forward(decomposition.tensors, x);
  const z = input("on", "C batch", { C, batch });
  const fvu = div(sum(square(sub(y, output))), sum(square(sub(y, mean(y, "batch") as Tensor))));
  const l0 = mul(sum(z), 1 / batch);
  const dead = sub(C, sum(cast(greater(sum(z, "batch") as Tensor, 0), "f32")));
  const found = interpret({ fvu, l0, dead }, { ...feeds, on });
  return { fvu: found.fvu.data[0]!, l0: found.l0.data[0]!, dead: found.dead.data[0]! };
}
