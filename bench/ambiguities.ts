/**
 * `node scripts/run.js bench/ambiguities.ts [<subject>/<method>]… [--seeds n] [--from s] [--table]`: what methods make of weights that mechanisms share, and
 * where the right answer is a tie. Subjects are layers written by hand (`relu-layer`) and one weight in two contexts (`two-contexts`).
 *
 * One line a seed goes to standard output, everything to `docs/results/ambiguities.jsonl`; `--table` prints what is there.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { componentFactors, type Decomposition, importancesOf } from "../src/decomposition/decomposition.ts";
import { methodNamed } from "../src/decomposition/methods.ts";
import { interpret, type Values, values as valuesOf } from "../src/engine/index.ts";
import { decompose, judge, named, resolveMethod, resolveTarget, train } from "../src/index.ts";
import { input, type Tensor } from "../src/tensor/index.ts";
import { addRow, readRows } from "./rows.ts";

/** The settings that the toys of the SPD paper have, at the size of these layers. */
const paper = { method: "spd", preset: "tms-5-2", set: { components: 10, steps: 5000, batch: 2048 } };
const apd = { method: "apd", preset: "default", set: {} };

const METHODS: Readonly<Record<string, { method: string; preset: string; set: Readonly<Record<string, unknown>> }>> = {
  "spd-1e-3": { ...paper, set: { ...paper.set, importanceMinimality: 1e-3 } },
  "spd-3e-3": paper,
  "spd-1e-2": { ...paper, set: { ...paper.set, importanceMinimality: 1e-2 } },
  "spd-3e-2": { ...paper, set: { ...paper.set, importanceMinimality: 3e-2 } },
  default: { method: "spd", preset: "default", set: {} },
  apd,
};

/** One example, and how many examples of the table it stands for. */
type Probe = readonly number[];

/** What is looked at: groups of examples, by name, in which a component should be needed throughout or not at all. */
interface Subject {
  readonly target: string;
  readonly preset: string;
  readonly probes: Readonly<Record<string, readonly Probe[]>>;
  /** Parts of a site's matrix that mechanisms are made of: `d_in d_out`, row by row. */
  readonly parts: Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;
  /** For each site, one of each of these; or any partition of the inputs. */
  readonly wanted?: Readonly<Record<string, readonly Wanted[]>> | "partition";
}

/** A component that is needed in some groups of examples and not in others; those that are not named do not matter. */
interface Wanted {
  readonly on: readonly string[];
  readonly off: readonly string[];
}

const ONE_HOT = [0, 1, 2, 3].map((i) => [0, 1, 2, 3].map((j) => (i === j ? 0.75 : 0)));
const oneHot = Object.fromEntries(ONE_HOT.map((x, i) => [`x${i + 1}`, [x]]));
const LAYER = "blocks.0.mlp.W_in";

function layer(
  preset: string,
  groups: readonly (readonly string[])[],
  columns: readonly (readonly number[])[],
): Subject {
  const part = (i: number): number[] => columns.flatMap((column, j) => (i === j ? column : column.map(() => 0)));
  const parts = { [LAYER]: Object.fromEntries(columns.map((_, i) => [`x${i + 1}`, part(i)])) };
  const others = (on: readonly string[]): string[] => Object.keys(oneHot).filter((name) => !on.includes(name));
  const wanted = groups.length === 1 ? "partition" : { [LAYER]: groups.map((on) => ({ on, off: others(on) })) };
  return { target: "relu-layer", preset, probes: oneHot, parts, wanted };
}

/** x where it matters: the magnitude of the one-hot probe. */
const VALUES = [0.75];
const negative = VALUES.map((x) => -x);
const inContext = (xs: readonly number[], a: number): Probe[] => xs.map((x) => [x, a, 1 - a]);
const [W1, W2] = ["blocks.0.mlp.W_in", "blocks.1.mlp.W_in"];
const [A, B] = [
  ["A x≠0", "A x=0"],
  ["B x<0", "B x=0", "B x>0"],
];

function contexts(preset: string, parts: Subject["parts"][string], first: readonly Wanted[]): Subject {
  return {
    target: "two-contexts",
    preset,
    probes: {
      "A x≠0": inContext([...VALUES, ...negative], 1),
      "A x=0": inContext([0], 1),
      "B x<0": inContext(negative, 0),
      "B x=0": inContext([0], 0),
      "B x>0": inContext(VALUES, 0),
    },
    parts: { [W1]: parts, [W2]: { A: [1, 0, 2, 0, 0, 0], B: [0, -1, 0, 0, 0, 1] } },
    wanted: {
      [W1]: first,
      [W2]: [
        { on: A, off: B },
        { on: ["B x<0"], off: A },
      ],
    },
  };
}

/** The weight: in both contexts where x counts. What x is for B above 0, a gate that sees x alone cannot tell from A. */
const weight: Wanted = { on: ["A x≠0", "B x<0"], off: ["A x=0", "B x=0"] };

const SUBJECTS: Readonly<Record<string, Subject>> = {
  shared: layer(
    "default",
    [
      ["x1", "x2"],
      ["x3", "x4"],
    ],
    [
      [1, 0],
      [1, 0],
      [0, 1],
      [0, 1],
    ],
  ),
  separate: layer(
    "separate",
    [["x1"], ["x2"], ["x3"], ["x4"]],
    [
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ],
  ),
  tie: layer("tie", [["x1", "x2", "x3", "x4"]], [[1], [1], [1], [1]]),
  pair: layer(
    "pair",
    [["x1"], ["x2"], ["x3", "x4"]],
    [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
      [0, 0, 1],
    ],
  ),
  contexts: contexts("default", { w: [1] }, [weight]),
  "contexts-through": contexts(
    "through",
    { w: [1, 0, 0, 0, 0, 0, 0, 0, 0], a: [0, 0, 0, 0, 1, 0, 0, 0, 0], b: [0, 0, 0, 0, 0, 0, 0, 0, 1] },
    [weight, { on: A, off: B }, { on: ["B x<0"], off: A }],
  ),
};

/** A component that matters somewhere. */
interface Found {
  readonly address: string;
  /** Its mean importance in each group of examples. */
  readonly importance: Readonly<Record<string, number>>;
  /** How much of each part of the matrix it is: `⟨P, part⟩ / ‖part‖²`, of which components have 1 together. */
  readonly share: Readonly<Record<string, number>>;
}

interface Row {
  readonly experiment: string;
  readonly seed: number;
  readonly passed?: boolean;
  readonly seconds: number;
  readonly sites: Readonly<Record<string, readonly Found[]>>;
  readonly l0: number;
  readonly recon: Readonly<Record<"stochastic" | "ciMasked" | "unmasked" | "adversarial" | "zero", number>>;
  readonly gate?: boolean;
}

const ALIVE = 0.1;
const round = (x: number): number => Math.round(x * 1e4) / 1e4;

function lookAt(decomposition: Decomposition, { probes, parts }: Subject): Row["sites"] {
  const examples = Object.values(probes).flat();
  const sizes = { batch: examples.length, feature: examples[0]!.length };
  const x = valuesOf("batch feature", [sizes.batch, sizes.feature], Float32Array.from(examples.flat()));
  const importances = interpret(
    importancesOf(decomposition, input("x", "batch feature", sizes)) as Record<string, Tensor>,
    { ...decomposition.values, x },
  );
  return Object.fromEntries(
    decomposition.sites.map((site) => {
      const factors = interpret({ ...componentFactors(decomposition, site) }, decomposition.values);
      return [site.name, foundAt(site.name, importances[site.name]!, factors as Factors, probes, parts[site.name]!)];
    }),
  );
}

type Factors = Readonly<Record<"V" | "U", Values>>;

function foundAt(
  site: string,
  { data, shape }: Values,
  { V, U }: Factors,
  probes: Subject["probes"],
  parts: Readonly<Record<string, readonly number[]>>,
): Found[] {
  const [C, rows] = shape as [number, number];
  const [dIn, , m] = V.shape as [number, number, number];
  const dOut = U.shape[2]!;
  const entry = (c: number, i: number, o: number): number =>
    Array.from({ length: m }, (_, k) => V.data[(i * C + c) * m + k]! * U.data[(c * m + k) * dOut + o]!).reduce(
      (a, b) => a + b,
    );
  return Array.from({ length: C }, (_, c): Found[] => {
    const own = Array.from(data.subarray(c * rows, (c + 1) * rows) as ArrayLike<number>);
    if (!own.some((g) => g > ALIVE)) return [];
    let at = 0;
    const importance = Object.entries(probes).map(([name, group]): [string, number] => {
      const of = own.slice(at, (at += group.length));
      return [name, round(of.reduce((a, b) => a + b) / of.length)];
    });
    const share = Object.entries(parts).map(([name, part]): [string, number] => {
      const size = part.reduce((sum, w) => sum + w * w, 0);
      const along = part.reduce((sum, w, k) => sum + w * entry(c, Math.floor(k / dOut), k % dOut), 0);
      return [name, round(along / size)];
    });
    if (dIn * dOut !== Object.values(parts)[0]!.length) throw new Error("parts of another matrix");
    return [{ address: `${site}:${c}`, importance: Object.fromEntries(importance), share: Object.fromEntries(share) }];
  }).flat();
}

const NEEDED = 0.9;
const NOT_NEEDED = 0.1;

/** The names of the groups in which a component is needed; nothing where it is neither needed nor not in some. */
function neededIn({ importance }: Found): string[] | undefined {
  const all = Object.entries(importance);
  if (all.some(([, g]) => g > NOT_NEEDED && g < NEEDED)) return undefined;
  return all.filter(([, g]) => g >= NEEDED).map(([name]) => name);
}

const fits = ({ importance }: Found, { on, off }: Wanted): boolean =>
  on.every((name) => importance[name]! >= NEEDED) && off.every((name) => importance[name]! <= NOT_NEEDED);

function passes({ wanted }: Subject, sites: Row["sites"]): boolean | undefined {
  if (wanted === undefined) return undefined;
  return Object.entries(sites).every(([site, found]) => {
    if (wanted === "partition") {
      const needed = found.map(neededIn);
      return !needed.includes(undefined) && needed.flat().sort().join() === Object.keys(oneHot).join();
    }
    const asked = wanted[site]!;
    return found.length === asked.length && asked.every((one) => found.some((component) => fits(component, one)));
  });
}

async function runSeed(experiment: string, seed: number): Promise<Row> {
  const [subjectName, methodName] = experiment.split("/") as [string, string];
  const subject = named("subject", subjectName, SUBJECTS);
  const { method, preset, set } = named("method", methodName, METHODS);
  const began = performance.now();
  const target = resolveTarget(subject.target, { preset: subject.preset, set: { seed } });
  const { weights } = await train(target, { threads: 1 });
  // As many parts as are active on an example of these data, on average.
  const own =
    method === "apd" && subject.target === "two-contexts" ? { components: 5, topK: 1, featureProbability: 0 } : {};
  const document = resolveMethod(method, { target, preset, set: { ...set, ...own, seed } });
  const found = await decompose(document, weights, { threads: 1 });
  const seconds = Math.round((performance.now() - began) / 1000);
  const sites = lookAt(methodNamed(method).open(document, weights, found.components), subject);
  const verdict = await judge(found, { threads: 1 });
  const passed = passes(subject, sites);
  return {
    ...{ experiment, seed, ...(passed !== undefined && { passed }), seconds, sites, l0: verdict.l0 },
    recon: {
      stochastic: verdict.stochasticRecon,
      ciMasked: verdict.ciMaskedRecon,
      unmasked: verdict.unmaskedRecon,
      adversarial: verdict.adversarialRecon,
      zero: verdict.zeroRecon,
    },
    ...(verdict.passed !== undefined && { gate: verdict.passed }),
  };
}

/** `x1 + x2~0.70 (1.00 x1)`: where it matters, and how much it has of each part of the matrix. */
function shown(found: Found): string {
  const on = Object.entries(found.importance).flatMap(([name, g]) =>
    g > ALIVE ? [g >= NEEDED ? name : `${name}~${g.toFixed(2)}`] : [],
  );
  const of = Object.entries(found.share).flatMap(([part, share]) =>
    Math.abs(share) > 0.05 ? [`${share.toFixed(2)} ${part}`] : [],
  );
  return `${on.join(" + ")} (${of.join(", ")})`;
}

function line({ experiment, seed, passed, gate, sites, recon, l0, seconds }: Row): string {
  const all = Object.values(sites).map((found) => found.map(shown).join("; "));
  const cells = [
    ...[
      experiment,
      seed,
      passed === undefined ? "" : passed ? "yes" : "no",
      gate === undefined ? "" : gate ? "yes" : "no",
    ],
    ...[
      Object.values(sites)
        .map((found) => found.length)
        .join(" / "),
      all.join(" / "),
      l0.toFixed(2),
    ],
    ...[
      recon.stochastic.toExponential(1),
      recon.ciMasked.toExponential(1),
      recon.adversarial.toExponential(1),
      recon.zero.toExponential(1),
      seconds,
    ],
  ];
  return `| ${cells.join(" | ")} |`;
}

const HEADER = [
  "| experiment | seed | as wanted | gate | alive | where it matters (share of parts) | L0 | stochastic | CI-masked | adversarial | zero | seconds |",
  "|---|---|---|---|---|---|---|---|---|---|---|---|",
].join("\n");
const FILE = "docs/results/ambiguities.jsonl";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seeds: { type: "string", default: "6" },
    from: { type: "string", default: "0" },
    table: { type: "boolean", default: false },
  },
});

const wantedRows = (row: Row): boolean => positionals.length === 0 || positionals.includes(row.experiment);

console.log(HEADER);
if (values.table)
  readRows<Row>(FILE)
    .filter(wantedRows)
    .forEach((row) => console.log(line(row)));
else {
  const experiments =
    positionals.length > 0
      ? positionals
      : Object.keys(SUBJECTS).flatMap((subject) => Object.keys(METHODS).map((method) => `${subject}/${method}`));
  for (const experiment of experiments) {
    const seeds = Array.from({ length: Number(values.seeds) }, (_, i) => Number(values.from) + i);
    const others = readRows<Row>(FILE).filter((row) => row.experiment !== experiment || !seeds.includes(row.seed));
    writeFileSync(FILE, others.map((row) => `${JSON.stringify(row)}\n`).join(""));
    for (const seed of seeds) {
      const row = await runSeed(experiment, seed);
      addRow(FILE, row);
      console.log(line(row));
    }
  }
}
