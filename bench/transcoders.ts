/**
 * `node scripts/run.js bench/transcoders.ts [resid-mlp] [tms] [stories] [--seeds n] [--steps n] [--table]`: transcoders, skip transcoders, crosscoders and
 * cross-layer transcoders on networks whose neurons are known, and on a small language model.
 *
 * The tables go to standard output with the band over seeds (least to most), every seed in full to `docs/results/transcoders-<network>.jsonl`. Of each: how
 * many latents are on (`l0`), how much of the variance they explain where they write, what their reconstruction alone leaves of the output's divergence under
 * zero ablation (`left`), and on MLPs how near their decoders are to the neurons' (`mmcs`) beside random directions. Controls: the same before any step.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import type { ActivationDecomposition } from "../src/decomposition/activation/activation-decomposition.ts";
import { decompose, methodNamed, resolveMethod } from "../src/decomposition/methods.ts";
import { divergence } from "../src/decomposition/parameter/losses/reconstruction.ts";
import { compile, itemOf, type NamedValues, type Values, values } from "../src/engine/index.ts";
import { dictionaryMeasures } from "../src/evidence/dictionary-claims.ts";
import { matchDirections } from "../src/evidence/direction-recovery.ts";
import { explainedVariance } from "../src/evidence/explained-variance.ts";
import { FreshData } from "../src/evidence/fresh-data.ts";
import { broadcast, constant, sizesOf, type Tensor } from "../src/tensor/index.ts";
import type { TrainDocument } from "../src/training/target.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "3" },
    steps: { type: "string", default: "" },
    table: { type: "boolean", default: false },
  },
});

interface Case {
  readonly name: string;
  readonly method: string;
  readonly preset?: string;
  readonly set?: Readonly<Record<string, unknown>>;
}

interface Subject {
  readonly target: string;
  readonly preset?: string;
  readonly set: Readonly<Record<string, unknown>>;
  /** Settings of all cases. */
  readonly shared: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
  /** The rows that neurons write, by the point that they write at: `C d`. */
  readonly neurons?: (weights: NamedValues) => Readonly<Record<string, Values>>;
}

const KINDS: readonly Case[] = [
  { name: "transcoder, untrained", method: "transcoder", set: { steps: 1, lr: 1e-9 } },
  { name: "transcoder, L1", method: "transcoder", preset: "sae" },
  { name: "transcoder, TopK 4", method: "transcoder", preset: "topk" },
  { name: "transcoder, JumpReLU", method: "transcoder", preset: "jumprelu" },
  { name: "skip transcoder, L1", method: "skip-transcoder", preset: "sae" },
  { name: "skip transcoder, TopK 4", method: "skip-transcoder", preset: "topk" },
  { name: "cross-layer transcoder", method: "clt" },
  { name: "crosscoder", method: "crosscoder" },
];

const SUBJECTS: Readonly<Record<string, Subject>> = {
  "resid-mlp": {
    target: "resid-mlp",
    set: { features: 40, width: 80, neurons: 20, layers: 1, steps: 3000 },
    shared: { C: 80, steps: 3000 },
    cases: KINDS,
    neurons: (weights) => ({ "blocks.0.hook_mlp_out": weights["blocks.0.mlp.W_out"]! }),
  },
  tms: {
    target: "tms",
    set: {},
    shared: { C: 20, steps: 2000 },
    cases: KINDS.filter(({ method }) => method !== "crosscoder"),
    // Each output of its ReLU is a feature of its own.
    neurons: () => ({
      hook_post: values(
        "C d",
        [5, 5],
        Float32Array.from({ length: 25 }, (_, i) => Number(i % 6 === 0)),
      ),
    }),
  },
  stories: {
    target: "stories",
    preset: "quick",
    set: {},
    shared: { expansion: 4, steps: 1000, batch: 512, storeRows: 16_384 },
    cases: KINDS.map((one) =>
      one.name.includes("TopK") ? { ...one, name: one.name.replace("4", "16"), set: { ...one.set, k: 16 } } : one,
    ),
  },
};

type Row = Readonly<Record<string, unknown>> & { readonly case: string };

for (const name of positionals.length > 0 ? positionals : Object.keys(SUBJECTS)) {
  const subject = SUBJECTS[name];
  if (subject === undefined) throw new Error(`expected one of ${Object.keys(SUBJECTS).join(", ")}, got ${name}`);
  mkdirSync("docs/results", { recursive: true });
  const path = `docs/results/transcoders-${name}.jsonl`;
  const rows = options.table ? readRows(path) : await run(subject);
  if (!options.table) writeFileSync(path, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  console.log(table(name, rows));
}

function readRows(path: string): Row[] {
  return readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

async function run({ target, preset, set, shared, cases, neurons }: Subject): Promise<Row[]> {
  const rows: Row[] = [];
  for (let seed = 0; seed < Number(options.seeds); seed++) {
    const trained = resolveTarget(target, { ...(preset && { preset }), set: { ...set, seed } });
    const { weights } = await train(trained);
    for (const { name, method, preset: own, set: more } of cases) {
      const steps = options.steps === "" ? {} : { steps: Number(options.steps) };
      const document = resolveMethod(method, {
        target: trained,
        ...(own && { preset: own }),
        set: { ...shared, ...steps, ...more, seed },
      });
      const began = performance.now();
      const { components } = await decompose(document, weights);
      const seconds = (performance.now() - began) / 1000;
      const decomposition = methodNamed(method).open(document, weights, components) as ActivationDecomposition;
      const row = { case: name, seed, seconds, ...(await measured(decomposition, trained, neurons?.(weights))) };
      console.error(JSON.stringify(row));
      rows.push({ ...row, method, settings: document.settings });
    }
  }
  return rows;
}

async function measured(
  decomposition: ActivationDecomposition,
  document: TrainDocument,
  neurons: Readonly<Record<string, Values>> = {},
): Promise<Readonly<Record<string, number>>> {
  const target = targetNamed(document.target);
  const tables = await target.tables?.(document.settings);
  const data = await FreshData.open(
    decomposition,
    { batch: (size) => target.batch("data", document.settings, size), ...(tables && { tables }) },
    {},
  );
  try {
    const sites = Object.values(await dictionaryMeasures(data));
    const explained = Object.values(await explainedVariance(data));
    const mean = (all: readonly number[]): number => all.reduce((a, b) => a + b, 0) / all.length;
    const matches = Object.entries(neurons).flatMap(([site, rows]) => {
      const W_dec = decomposition.values[`${site}.W_dec`];
      if (W_dec === undefined) return [];
      const [C, width] = [W_dec.shape[0]!, W_dec.shape.at(-1)!];
      const { mmcs, nullMmcs } = matchDirections(rows, { ...W_dec, axes: "C d", shape: [C, width] });
      return [{ mmcs, nullMmcs }];
    });
    return {
      l0: sites.reduce((total, { l0 }) => total + l0, 0),
      silent: sites.reduce((total, { silent }) => total + silent, 0),
      explained: mean(explained),
      left: await leftOf(data),
      ...matches[0],
    };
  } finally {
    await data.dispose();
  }
}

/** The output's divergence on the components alone, over that with none of them. */
async function leftOf(data: FreshData): Promise<number> {
  const { decomposition, given } = data;
  const masked = (mask: number): Tensor => {
    const masks = Object.fromEntries(
      Object.entries(given.importances).map(([site, g]) => [
        site,
        broadcast<"C batch">(constant("", {}, mask), "C batch", sizesOf(g)),
      ]),
    );
    return divergence(decomposition.network, decomposition.masked(given.x, masks), given.output);
  };
  const program = await compile({ kept: masked(1), none: masked(0) });
  try {
    let [kept, none] = [0, 0];
    for (let i = 0; i < data.batches; i++) {
      const { feeds, key } = await data.draw(i);
      const found = await program.run(feeds, key);
      kept += itemOf(found.kept);
      none += itemOf(found.none);
    }
    return kept / none;
  } finally {
    await program.dispose();
  }
}

function table(name: string, rows: readonly Row[]): string {
  const columns = ["l0", "silent", "explained", "left", "mmcs", "nullMmcs", "seconds"];
  const short = (x: number): string => x.toPrecision(3);
  const lines = [...new Set(rows.map((row) => row.case))].map((one) => {
    const own = rows.filter((row) => row.case === one);
    const cells = columns.map((column) => {
      const all = own.map((row) => row[column]).filter((x): x is number => typeof x === "number");
      if (all.length === 0) return "";
      const [low, high] = [Math.min(...all), Math.max(...all)];
      return short(low) === short(high) ? short(low) : `${short(low)} to ${short(high)}`;
    });
    return `| ${[one, own.length, ...cells].join(" | ")} |`;
  });
  const head = `| ${name} | seeds | ${columns.join(" | ")} |`;
  return [head, head.replaceAll(/[^|]+/g, " --- "), ...lines, ""].join("\n");
}
