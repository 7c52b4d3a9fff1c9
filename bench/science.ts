/**
 * `npm run science -- <experiment>… [--seeds n] [--from s] [--jobs n] [--json]`: seed tables of whole decompositions, failed seeds included.
 *
 * Each seed trains a target of its own, takes it apart and judges it, in a process of its own with one thread; `--jobs` of them run at
 * once. The table goes to standard output, one line a seed; every verdict in full to `docs/results/<experiment>.jsonl`.
 */
import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { decompose, judge, named, resolveMethod, resolveTarget, train, type Verdict } from "../src/index.ts";

interface Experiment {
  readonly about: string;
  /** `tms` unless said otherwise, by its default preset. */
  readonly network?: string;
  readonly targetPreset?: string;
  readonly target: Readonly<Record<string, unknown>>;
  /** `spd` unless said otherwise. */
  readonly method?: string;
  readonly preset: string;
  readonly set?: Readonly<Record<string, unknown>>;
}

const size = (features: number, hidden: number, more: object = {}): Experiment["target"] => ({
  features,
  hidden,
  ...more,
});

/** The SPD paper's preset on its own residual MLP. */
const published = (name: string): Experiment => ({
  about: `SPD paper's preset, ${name}`,
  network: "resid-mlp",
  targetPreset: name,
  target: {},
  preset: name,
});

/** Our default on a network, by one of its presets. */
const own = (network: string, targetPreset: string, more: Partial<Experiment> = {}): Experiment => ({
  about: `our default, ${network} ${targetPreset}`,
  network,
  targetPreset,
  target: {},
  preset: "default",
  ...more,
});

const EXPERIMENTS: Readonly<Record<string, Experiment>> = {
  "default-5-2": { about: "our default, 5-2", target: size(5, 2), preset: "default" },
  "default-6-2": { about: "our default, 6-2", target: size(6, 2), preset: "default" },
  "default-8-3": { about: "our default, 8-3", target: size(8, 3), preset: "default" },
  "default-7-3": { about: "our default, 7-3", target: size(7, 3), preset: "default" },
  "default-12-4": { about: "our default, 12-4", target: size(12, 4), preset: "default" },
  "default-40-10": {
    about: "our default, 40-10",
    target: size(40, 10, { batch: 4096, steps: 5000 }),
    preset: "default",
  },
  "default-5-2-id": {
    about: "our default, 5-2 with identity",
    target: size(5, 2, { identity: true }),
    preset: "default",
  },
  "encoder-5-2": { about: "our default on the encoder alone, 5-2", target: size(5, 2), preset: "encoder" },
  "encoder-6-2": { about: "our default on the encoder alone, 6-2", target: size(6, 2), preset: "encoder" },
  "quick-5-2": { about: "our quick preset, 5-2", target: size(5, 2), preset: "quick" },
  "published-5-2": { about: "SPD paper's preset, 5-2", target: size(5, 2), preset: "tms-5-2" },
  "published-40-10-id": {
    about: "SPD paper's preset, 40-10 with identity",
    target: size(40, 10, { identity: true, batch: 4096, steps: 5000 }),
    preset: "tms-40-10-id",
  },
  "null-5-2": {
    about: "control: our default without importance minimality, 5-2",
    target: size(5, 2),
    preset: "default",
    set: { importanceMinimality: 0 },
  },
  "apd-5-2": { about: "APD paper's preset, 5-2", target: size(5, 2), method: "apd", preset: "apd-tms-5-2" },
  "apd-40-10": {
    about: "APD paper's preset, 40-10",
    target: size(40, 10, { batch: 4096, steps: 5000 }),
    method: "apd",
    preset: "apd-tms-40-10",
  },
  "apd-default-5-2": { about: "APD, our default, 5-2", target: size(5, 2), method: "apd", preset: "default" },
  "current-5-2": {
    about: "VPD, current form, 5-2",
    target: size(5, 2),
    method: "vpd",
    preset: "tms-5-2-current",
  },
  "current-40-10": {
    about: "VPD, current form, 40-10",
    target: size(40, 10, { batch: 4096, steps: 5000 }),
    method: "vpd",
    preset: "tms-40-10-current",
  },
  "vpd-5-2": { about: "VPD, our default, 5-2", target: size(5, 2), method: "vpd", preset: "default" },
  "default-40-10-id": {
    about: "our default, 40-10 with identity",
    target: size(40, 10, { identity: true, batch: 4096, steps: 5000 }),
    preset: "default",
  },
  "tpd-5-2": {
    about: "targeted, features 1 and 3 of 5-2",
    target: size(5, 2),
    method: "tpd",
    preset: "default",
    set: { targetFeatures: "1,3" },
  },
  "published-resid-mlp-1": published("resid-mlp-1"),
  "published-resid-mlp-2": published("resid-mlp-2"),
  "published-resid-mlp-3": published("resid-mlp-3"),
  "default-5-5": { about: "our default, 5-5: nothing in superposition", target: size(5, 5), preset: "default" },
  "default-resid-mlp-5-5": own("resid-mlp", "resid-mlp-5-5"),
  "default-resid-mlp-1": own("resid-mlp", "resid-mlp-1"),
  "default-resid-mlp-2": own("resid-mlp", "resid-mlp-2"),
  "default-resid-mlp-3": own("resid-mlp", "resid-mlp-3"),
  "identity-layers": own("identity-layers", "quick"),
  "default-marker": own("induction", "marker"),
  "default-modular-addition": own("modular-addition", "default"),
  "default-induction": own("induction", "default"),
  "default-stories-64": own("stories", "quick", { target: { steps: 4000, stories: 8192, batch: 16 } }),
  "l3d-5-2": { about: "L3D, our default, 5-2", target: size(5, 2), method: "l3d", preset: "default" },
  "l3d-8-3": { about: "L3D, our default, 8-3", target: size(8, 3), method: "l3d", preset: "default" },
  "l3d-40-10": {
    about: "L3D, our default, 40-10",
    target: size(40, 10, { batch: 4096, steps: 5000 }),
    method: "l3d",
    preset: "default",
  },
};

interface Row {
  readonly experiment: string;
  readonly seed: number;
  /** Of TMS, features whose column of `W` is longer than 0.5: the others have no mechanism to find. */
  readonly represented?: number;
  readonly seconds: number;
  readonly verdict: Verdict;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "10" },
    from: { type: "string", default: "0" },
    jobs: { type: "string", default: String(availableParallelism()) },
    json: { type: "boolean", default: false },
    one: { type: "string" },
    table: { type: "boolean", default: false },
  },
});

async function runSeed(name: string, seed: number): Promise<Row> {
  const experiment = named("experiment", name, EXPERIMENTS);
  const began = performance.now();
  const { network = "tms", targetPreset } = experiment;
  const given = { ...(targetPreset !== undefined && { preset: targetPreset }), set: { ...experiment.target, seed } };
  const target = resolveTarget(network, given);
  const { weights } = await train(target, { threads: 1 });
  const { method = "spd", preset, set } = experiment;
  const document = resolveMethod(method, { target, preset, set: { ...set, seed } });
  const found = await decompose(document, weights, { threads: 1 });
  const verdict = await judge(found, { threads: 1 });
  const seconds = (performance.now() - began) / 1000;
  if (network !== "tms") return { experiment: name, seed, seconds, verdict };
  const { features, hidden } = target.settings as unknown as { features: number; hidden: number };
  const W = weights["W"]!.data;
  const norms = Array.from({ length: features }, (_, i) => Math.hypot(...W.slice(i * hidden, (i + 1) * hidden)));
  const represented = norms.filter((norm) => norm > 0.5).length;
  return { experiment: name, seed, represented, seconds, verdict };
}

async function runExperiment(name: string): Promise<void> {
  const { about } = named("experiment", name, EXPERIMENTS);
  mkdirSync("docs/results", { recursive: true });
  const file = `docs/results/${name}.jsonl`;
  if (values.from === "0") writeFileSync(file, "");
  const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => Number(values.from) + i);
  const rows: Row[] = [];
  if (!values.json) console.log(`\n${about}\n${HEADER}`);
  const worker = async (): Promise<void> => {
    for (let seed = seeds.shift(); seed !== undefined; seed = seeds.shift()) {
      const row = JSON.parse(await inChild(name, seed)) as Row;
      rows.push(row);
      appendFileSync(file, `${JSON.stringify(row)}\n`);
      if (!values.json) console.log(line(row));
    }
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, worker));
  if (values.json) console.log(JSON.stringify({ schema: 1, experiment: name, rows }));
  else console.log(`${rows.filter((row) => row.verdict.passed).length} of ${rows.length} pass`);
}

/** The table of an experiment that was run before, from its file. */
function printTable(name: string): void {
  const { about } = named("experiment", name, EXPERIMENTS);
  const lines = readFileSync(`docs/results/${name}.jsonl`, "utf8").trim().split("\n");
  const rows = lines.map((text) => JSON.parse(text) as Row).sort((a, b) => a.seed - b.seed);
  console.log(`\n${about}\n\n${HEADER}\n${rows.map(line).join("\n")}`);
  console.log(`\n${rows.filter((row) => row.verdict.passed).length} of ${rows.length} pass`);
}

function inChild(name: string, seed: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), name, "--one", String(seed)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.on("close", (code) =>
      code === 0 ? resolve(out) : reject(new Error(`seed ${seed} of ${name} ended with ${code}`)),
    );
  });
}

const HEADER = [
  "| seed | passed | represented | target-CI error | alive | MMCS | ML2R | L0 | unmasked | stochastic | CI-masked | adversarial | zero | seconds |",
  "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
].join("\n");

function line({ seed, represented, seconds, verdict: v }: Row): string {
  const bySite = (f: (site: Verdict["sites"][string]) => string | undefined): string =>
    Object.values(v.sites)
      .map(f)
      .filter((text) => text !== undefined)
      .join(" / ");
  const cells = [
    seed,
    v.passed ? "yes" : "no",
    represented ?? "",
    bySite((s) => s.targetCiError?.toFixed(0)),
    bySite((s) => String(s.alive ?? s.counts?.aliveMean)),
    bySite((s) => s.mmcs?.toFixed(4)),
    bySite((s) => s.ml2r?.toFixed(3)),
    v.l0.toFixed(1),
    v.unmaskedRecon.toExponential(1),
    v.stochasticRecon.toExponential(1),
    v.ciMaskedRecon.toExponential(1),
    v.adversarialRecon.toExponential(1),
    v.regimes?.zero.divergence.toExponential(1) ?? "",
    seconds.toFixed(0),
  ];
  return `| ${cells.join(" | ")} |`;
}

if (values.one !== undefined) console.log(JSON.stringify(await runSeed(positionals[0]!, Number(values.one))));
else if (values.table) positionals.forEach(printTable);
else for (const experiment of positionals) await runExperiment(experiment);
