/**
 * `npm run science:baselines -- [--network name]… [--seeds n] [--from s] [--judge]`: every baseline on small networks, with the value that theory has for
 * it beside what came out. With `--judge`, what the output loses besides, as part of what it loses without any component. One line each on standard output and in `docs/results/baselines.jsonl`.
 *
 * What theory says:
 * - `pca`: the largest eigenvalues of the activations' covariance, over all; where activations are features times a matrix M, features being independent and
 *   alike, that is of MᵀM.
 * - `random`, k directions in d dimensions: k / d of the variance, whatever the covariance; n of them are as near to features as chance has it (MMCS).
 * - `kmeans`, K clusters of a value from U[0, 1): 1 - 1 / K².
 * - `ica`: as much variance as PCA; of independent features without superposition, each of them (MMCS 1).
 * - `probes`: d of n features' variance, where n > d are alike and independent (the mean of leverages); the directions that they have (MMCS 1).
 * - `neurons`, `heads`, `residual`, `rotation`, `svd`: everything.
 */
import { appendFileSync, mkdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { ActivationDecomposition } from "../src/decomposition/activation/activation-decomposition.ts";
import {
  dense,
  type Dense,
  product,
  symmetricEigen,
  transposed,
} from "../src/decomposition/baselines/linear-algebra.ts";
import { expectedLargestCosine } from "../src/decomposition/baselines/random-subspaces.ts";
import { type Decomposed, decompose, METHODS, methodNamed, resolveMethod } from "../src/decomposition/methods.ts";
import { isOfWeights } from "../src/decomposition/decomposition.ts";
import { matchDirections, writtenDirections } from "../src/evidence/direction-recovery.ts";
import { explainedVariance } from "../src/evidence/explained-variance.ts";
import { FreshData } from "../src/evidence/fresh-data.ts";
import { judge } from "../src/evidence/judge.ts";
import { siteFaithfulness } from "../src/evidence/site-faithfulness.ts";
import type { NamedValues } from "../src/engine/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

const { values } = parseArgs({
  options: {
    network: { type: "string", multiple: true },
    seeds: { type: "string", default: "1" },
    from: { type: "string", default: "0" },
    threads: { type: "string", default: String(availableParallelism()) },
    judge: { type: "boolean", default: false },
  },
});

/** Numbers of one row, by name. */
type Numbers = Readonly<Record<string, number>>;

interface Subject {
  readonly target: string;
  readonly preset?: string;
  readonly set?: Readonly<Record<string, unknown>>;
  /** Where activations are independent, equally likely features times this weight, `feature d`. */
  readonly features?: { readonly point: string; readonly weight: string };
  /** Methods with their settings, and what theory says of one number that comes out. */
  readonly methods: readonly (readonly [string, object, ((M: Dense, settings: Numbers) => Numbers)?])[];
}

/** Sums of the largest eigenvalues of MᵀM, over all. */
function largestShare(M: Dense, count: number): number {
  const gram = M.rows < M.columns ? product(M, transposed(M)) : product(transposed(M), M);
  const { values: all } = symmetricEigen(gram);
  const sum = (numbers: Float64Array): number => numbers.reduce((a, b) => a + b, 0);
  return sum(all.slice(0, count)) / sum(all);
}
const ofPca = (M: Dense, { count }: Numbers): Numbers => ({ explainedVariance: largestShare(M, count!) });
const ofRandom = ({ columns }: Dense, { count, rank = 1 }: Numbers): Numbers => ({
  explainedVariance: Math.min(1, (count! * rank) / columns),
  ...(rank === 1 && { mmcs: expectedLargestCosine(count!, columns) }),
});
const ofProbes = ({ rows, columns }: Dense): Numbers => ({ mmcs: 1, readVariance: Math.min(1, columns / rows) });
const everything = (): Numbers => ({ explainedVariance: 1 });

const SUBJECTS: Readonly<Record<string, Subject>> = {
  superposition: {
    target: "superposition",
    features: { point: "hook_hidden", weight: "F" },
    methods: [
      ["pca", { count: 8 }, ofPca],
      ["pca", { count: 16 }, ofPca],
      ["ica", { count: 32 }, everything],
      ["kmeans", { count: 64 }],
      ["kmeans", { count: 64, spherical: true }],
      ["random", { count: 8 }, ofRandom],
      ["random", { count: 64 }, ofRandom],
      ["random", { count: 128 }, ofRandom],
      ["random", { count: 4, rank: 4 }, ofRandom],
      ["rotation", {}, everything],
      ["residual", {}, everything],
      ["probes", {}, ofProbes],
    ],
  },
  "one-feature": {
    target: "superposition",
    set: { features: 1, dimensions: 4, probability: 1 },
    features: { point: "hook_hidden", weight: "F" },
    methods: [
      ["pca", { count: 1 }, everything],
      ["kmeans", { count: 2 }, () => ({ explainedVariance: 1 - 1 / 4 })],
      ["kmeans", { count: 4 }, () => ({ explainedVariance: 1 - 1 / 16 })],
      ["kmeans", { count: 8 }, () => ({ explainedVariance: 1 - 1 / 64 })],
      ["random", { count: 1 }],
    ],
  },
  "no-superposition": {
    target: "superposition",
    set: { features: 16, dimensions: 16, geometry: "orthogonal" },
    features: { point: "hook_hidden", weight: "F" },
    methods: [
      ["ica", { count: 16 }, () => ({ explainedVariance: 1, mmcs: 1 })],
      ["pca", { count: 16 }, everything],
      ["kmeans", { count: 16 }],
      ["random", { count: 16 }, (M, settings) => ({ ...ofRandom(M, settings), explainedVariance: 1 })],
      ["probes", {}, ofProbes],
    ],
  },
  "tms-5-2": {
    target: "tms",
    set: { features: 5, hidden: 2 },
    features: { point: "hook_hidden", weight: "W" },
    methods: [
      ["neurons", {}, everything],
      ["residual", {}, everything],
      ["pca", { count: 1 }, ofPca],
      ["ica", { count: 2 }, everything],
      ["nmf", { count: 5 }],
      ["kmeans", { count: 5 }],
      ["kmeans", { count: 5, spherical: true }],
      ["svd", {}, () => ({ relativeFaithfulness: 0 })],
      ["rotation", {}, everything],
      ["random", { count: 5 }, (M, settings) => ({ ...ofRandom(M, settings), explainedVariance: 1 })],
      ["probes", {}, ofProbes],
    ],
  },
  "resid-mlp-1": {
    target: "resid-mlp",
    preset: "resid-mlp-1",
    features: { point: "blocks.0.hook_resid_pre", weight: "embed.W_E" },
    methods: [
      ["neurons", {}, everything],
      ["residual", {}, everything],
      ["pca", { count: 50, point: "blocks.0.hook_resid_pre" }, ofPca],
      ["ica", { count: 100, point: "blocks.0.hook_resid_pre", steps: 100 }],
      ["nmf", { count: 50, steps: 100 }],
      ["kmeans", { count: 100, point: "blocks.0.hook_resid_pre", restarts: 1, samples: 8192, steps: 20 }],
      ["svd", {}, () => ({ relativeFaithfulness: 0 })],
      ["random", { count: 100, point: "blocks.0.hook_resid_pre" }, ofRandom],
      ["probes", { point: "blocks.0.hook_resid_pre" }, ofProbes],
    ],
  },
  "induction-quick": {
    target: "induction",
    preset: "quick",
    methods: [
      ["heads", {}, everything],
      ["residual", {}, everything],
      ["pca", { count: 16 }],
      ["ica", { count: 32 }],
      ["kmeans", { count: 32, restarts: 1 }],
      ["svd", {}, () => ({ relativeFaithfulness: 0 })],
      ["rotation", {}, everything],
      ["random", { count: 16 }, () => ({ explainedVariance: 16 / 32 })],
      ["random", { count: 4, rank: 4 }, () => ({ explainedVariance: 16 / 32 })],
    ],
  },
  equality: {
    target: "hierarchical-equality",
    methods: [
      ["das", { rank: 8 }],
      ["neurons", {}, everything],
      ["pca", { count: 8 }],
      ["random", { count: 1, rank: 8 }, () => ({ explainedVariance: 8 / 16 })],
    ],
  },
};

mkdirSync("docs/results", { recursive: true });
for (const name of values.network ?? Object.keys(SUBJECTS)) {
  const subject = SUBJECTS[name];
  if (subject === undefined) throw new Error(`${name}: expected one of ${Object.keys(SUBJECTS).join(", ")}`);
  for (let i = 0; i < Number(values.seeds); i++) await measured(name, subject, Number(values.from) + i);
}

/** Trains a network, fits every baseline to it, and says what came out. */
async function measured(
  network: string,
  { target: name, preset, set, features, methods }: Subject,
  seed: number,
): Promise<void> {
  const options = { threads: Number(values.threads) };
  const target = resolveTarget(name, { ...(preset && { preset }), set: { ...set, seed } });
  const { weights } = await train(target, options);
  const M = features && matrixOf(weights, features.weight);
  for (const [method, own, theory] of methods) {
    const document = resolveMethod(method, {
      target,
      set: { ...own, ...("seed" in METHODS[method]!.schema.shape && { seed }) },
    });
    const began = performance.now();
    const found = await decompose(document, weights, options);
    const seconds = (performance.now() - began) / 1000;
    const row = {
      experiment: "baselines",
      ...{ network, seed, method, settings: own },
      components: methodNamed(method).open(document, weights, found.components).components.length,
      measured: {
        ...found.metrics,
        ...(await onFreshData(found)),
        ...directions(found, features),
      },
      ...(theory && { theory: theory(M ?? dense(0, 0, []), document.settings as unknown as Numbers) }),
      seconds,
    };
    appendFileSync("docs/results/baselines.jsonl", `${JSON.stringify(row)}\n`);
    print(row);
  }
}

/** Explained variance, or faithfulness where components are of weights, and how many components an input uses. */
async function onFreshData(found: Decomposed): Promise<Numbers> {
  const options = { threads: Number(values.threads) };
  if (values.judge) {
    const verdict = await judge(found, options);
    const { explainedVariance: explained, relativeFaithfulness, l0, zeroRecon } = verdict;
    return {
      ...(explained !== undefined && { explainedVariance: explained }),
      ...(relativeFaithfulness !== undefined && { relativeFaithfulness }),
      l0,
      unmasked: verdict.unmaskedRecon / zeroRecon,
      adversarial: verdict.adversarialRecon / zeroRecon,
    };
  }
  const { document, weights, components } = found;
  const decomposition = methodNamed(document.method).open(document, weights, components);
  if (isOfWeights(decomposition)) {
    const sites = Object.values(siteFaithfulness(decomposition));
    return { relativeFaithfulness: sites.reduce((total, { relative }) => total + relative, 0) / sites.length };
  }
  const target = targetNamed(document.target.target);
  const { settings } = document.target;
  const tables = await target.tables?.(settings);
  const source = { batch: (size: number) => target.batch("data", settings, size), ...(tables && { tables }) };
  const data = await FreshData.open(decomposition, source, options);
  try {
    const points = Object.values(await explainedVariance(data));
    return { explainedVariance: points.reduce((a, b) => a + b, 0) / points.length };
  } finally {
    await data.dispose();
  }
}

/** How near what is written comes to the features' own directions, where these are known. */
function directions(found: Decomposed, features: Subject["features"]): Numbers {
  const { document, weights, components } = found;
  const decomposition = methodNamed(document.method).open(document, weights, components);
  if (features === undefined || !(decomposition instanceof ActivationDecomposition)) return {};
  if (!decomposition.coders.some(({ rank, writes }) => rank === 1 && writes.includes(features.point))) return {};
  const { mmcs, nullMmcs } = matchDirections(
    weights[features.weight]!,
    writtenDirections(decomposition, features.point),
  );
  return { mmcs, nullMmcs };
}

function matrixOf(weights: NamedValues, weight: string): Dense {
  const { data, shape } = weights[weight]!;
  return dense(shape[0]!, shape[1]!, data);
}

function print(row: {
  readonly network: string;
  readonly seed: number;
  readonly method: string;
  readonly settings: object;
  readonly measured: Readonly<Record<string, number | undefined>>;
  readonly theory?: Numbers;
  readonly seconds: number;
}): void {
  const cells = Object.entries(row.measured).flatMap(([name, value]) => {
    const expected = row.theory?.[name];
    return value === undefined
      ? []
      : [`${name} ${value.toPrecision(4)}${expected === undefined ? "" : ` (theory ${expected.toPrecision(4)})`}`];
  });
  const settings = Object.entries(row.settings).map(([key, value]) => `${key}=${value}`);
  console.log(
    `${row.network} ${row.seed} ${row.method} ${settings.join(" ")}: ${cells.join("  ")}  ${row.seconds.toFixed(1)} s`,
  );
}
