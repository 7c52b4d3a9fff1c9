/**
 * `node scripts/run.js bench/instruments.ts [--seeds n] [--threads n] [--only B31]`: what instruments measure where the answer is known, beside what the literature or a
 * calculation expects. One line a measure goes to `docs/results/instruments.jsonl`, with the numbers of all seeds; the table is printed.
 * The generators are those of the tests, at full size; seeds are 0, 1, …
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Matrix } from "ml-matrix";
import { type NamedValues, values } from "../src/engine/index.ts";
import { anisotropy } from "../src/instrument/anisotropy.ts";
import { attentionRollout } from "../src/instrument/attention-rollout.ts";
import { meanCanonicalCorrelation } from "../src/instrument/canonical-correlation.ts";
import type { LabelledRows, ProbeKind } from "../src/instrument/classifier.ts";
import { erased, leastSquaresErasure } from "../src/instrument/concept-erasure.ts";
import { descriptionLengthProbe } from "../src/instrument/description-length-probe.ts";
import { directLogitAttribution } from "../src/instrument/direct-logit-attribution.ts";
import { spreadOf } from "../src/instrument/finding.ts";
import { attentionPatterns } from "../src/instrument/head-detectors.ts";
import { debiasedKernelAlignment, linearKernelAlignment } from "../src/instrument/kernel-alignment.ts";
import { probe } from "../src/instrument/probe.ts";
import { INPUT, saliency } from "../src/instrument/saliency.ts";
import { saliencyChecks } from "../src/instrument/saliency-checks.ts";
import { skipTrigramError } from "../src/instrument/skip-trigram.ts";
import { spreadOfSteering } from "../src/instrument/steering-vector.ts";
import { ablate } from "../src/intervention/ablation.ts";
import { logitDifference } from "../src/intervention/metrics.ts";
import { handCodedInduction } from "../src/network/compiled/induction.ts";
import { mlp } from "../src/network/mlp.ts";
import { RunnableNetwork, tokenValues } from "../src/network/run.ts";
import { toyTransformer } from "../src/network/transformer/config.ts";
import { transformer } from "../src/network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomBits, randomNormal, sizeOf } from "../src/tensor/index.ts";
import type { Rows } from "../src/training/linear-regression.ts";
import { startingWeights } from "../src/training/transformer-start.ts";
import { typedRows } from "../test/instrument/typed-rows.ts";

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "5" },
    threads: { type: "string", default: "1" },
    only: { type: "string", default: "" },
  },
});
const SEEDS = Array.from({ length: Number(options.seeds) }, (_, seed) => seed);
const loop = { threads: Number(options.threads) };
const FILE = "docs/results/instruments.jsonl";

/** Measures of one seed, by what they are. */
type Measures = Readonly<Record<string, number>>;

const gaussian = (seed: number, name: string, n: number, columns: number): Rows => ({
  columns,
  data: Float64Array.from(randomNormal(foldIn(keyFromSeed(seed), name), n * columns)),
});
const changed = ({ data, columns }: Rows, of: (x: number, i: number) => number): Rows => ({
  columns,
  data: Float64Array.from(data, of),
});

/** Selectivity and codes on 8,000 rows of 400 types, with a rule for the class and without. */
async function probes(seed: number): Promise<Measures> {
  const found: Record<string, number> = {};
  const kinds: Readonly<Record<string, ProbeKind>> = {
    linear: "logistic",
    "256 hidden": { hidden: 256 },
    "4 hidden": { hidden: 4 },
  };
  for (const signal of [0, 1]) {
    const data = typedRows(signal, 8000, seed);
    const { types } = data;
    const key = foldIn(keyFromSeed(seed), signal);
    const rule = signal === 1 ? "rule" : "no rule";
    for (const [name, kind] of Object.entries(kinds)) {
      const one = await probe(data, { kind, types, key }, loop);
      found[`${rule}, ${name}: accuracy`] = one.accuracy;
      found[`${rule}, ${name}: selectivity`] = one.selectivity!;
    }
    found[`${rule}, linear: unseen types`] = (await probe(data, { types, key, heldOut: "types" }, loop)).accuracy;
    const code = await descriptionLengthProbe(data, { types, key }, loop);
    found[`${rule}: compression`] = code.compression;
    found[`${rule}: the control's compression`] = code.control!.compression;
  }
  return found;
}

async function similarities(seed: number): Promise<Measures> {
  const x = changed(gaussian(seed, "x", 1000, 20), (v, i) => v * (1 + (i % 20) / 4));
  const mixing = Matrix.from1DArray(20, 20, Array.from(randomNormal(foldIn(keyFromSeed(seed), "mixing"), 400)));
  const mixed: Rows = {
    columns: 20,
    data: Float64Array.from(
      Matrix.from1DArray(1000, 20, x.data as unknown as number[])
        .mmul(mixing)
        .to1DArray(),
    ),
  };
  const found: Record<string, number> = {
    "CKA, scale and shift": linearKernelAlignment(
      x,
      changed(x, (v) => 3 * v + 7),
    ),
    "CKA, an invertible map": linearKernelAlignment(x, mixed),
    "CCA, an invertible map": meanCanonicalCorrelation(x, mixed),
  };
  for (const n of [50, 500, 5000]) {
    const [a, b] = [gaussian(seed, `a${n}`, n, 20), gaussian(seed, `b${n}`, n, 20)];
    found[`CKA, unrelated, n = ${n}`] = linearKernelAlignment(a, b);
    found[`debiased CKA, unrelated, n = ${n}`] = debiasedKernelAlignment(a, b);
  }
  const plain = gaussian(seed, "plain", 1000, 20);
  for (const by of [1, 10, 100]) {
    const away = changed(plain, (v, i) => v + (i < plain.data.length / 5 && i % 20 === 0 ? by : 0));
    found[`CKA, a fifth of the rows moved by ${by}`] = linearKernelAlignment(plain, away);
  }
  const cone = anisotropy(changed(gaussian(seed, "cone", 3000, 64), (v) => v + 0.64));
  return {
    ...found,
    "mean cosine, less what a common mean predicts": cone.meanCosine - cone.predicted,
    "mean cosine, centred": cone.centredCosine,
  };
}

async function saliencies(seed: number): Promise<Measures> {
  const network = mlp({ features: 24, hidden: [48, 32], outputs: 3, activation: "relu", bias: false });
  const key = keyFromSeed(seed);
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => [
      name,
      values(
        axes,
        shape,
        randomNormal(foldIn(key, name), sizeOf(shape)).map((w) => w / Math.sqrt(shape[0]!)),
      ),
    ]),
  );
  const runnable = new RunnableNetwork(network, weights, loop);
  const examples = { name: "Gaussians", x: values("batch feature", [64, 24], randomNormal(foldIn(key, "x"), 64 * 24)) };
  const zeros = Array.from({ length: 64 }, () => 0);
  const metric = logitDifference({ answer: zeros, against: zeros.map(() => 1) });
  const found: Record<string, number> = {};
  const linear = await saliency(runnable, examples, { point: INPUT, metric, steps: 1 });
  const { data } = linear.maps.gradientTimesInput;
  const sums = linear.output.map((_, e) =>
    (data.subarray(e * 24, (e + 1) * 24) as Float64Array).reduce((a, b) => a + b, 0),
  );
  found["gradient times input less the output, without biases"] = Math.max(
    ...sums.map((s, e) => Math.abs(s - linear.output[e]!)),
  );
  const checks = await saliencyChecks(runnable, examples, { point: INPUT, metric, key, steps: 20 });
  const [top] = checks.randomised;
  await runnable.dispose();
  const made = transformer(
    toyTransformer({ vocab: 16, context: 8, layers: 2, dModel: 32, heads: 4, dMlp: 64, norm: "layer", bias: true }),
  );
  const other = new RunnableNetwork(made, startingWeights(made, key, { embed: 1, unembed: 1 }), loop);
  const prompts = tokenValues(
    Array.from({ length: 16 }, (_, i) => Array.from(randomBits(foldIn(key, i), 8), (bits) => bits % 16)),
  );
  const answer = Array.from({ length: 16 }, (_, i) => i);
  const attribution = await directLogitAttribution(other, { name: "prompts", x: prompts }, { answer }, key);
  await other.dispose();
  const smooth = transformer({ ...made.config, mlp: { ...made.config.mlp!, activation: "gelu" } });
  const exact = new RunnableNetwork(smooth, startingWeights(smooth, key, { embed: 1, unembed: 1 }), {
    device: "float64",
  });
  const two = {
    name: "two prompts",
    x: tokenValues([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]),
  };
  const difference = logitDifference({ answer: [0, 1], against: [2, 3] });
  for (const steps of [10, 50, 300]) {
    const { completenessError } = await saliency(exact, two, { point: "hook_embed", metric: difference, steps });
    found[`integrated gradients' completeness error, ${steps} steps`] = completenessError;
  }
  return {
    ...found,
    "top layer shuffled, gradients' rank correlation": top!.correlation.gradient.signed,
    "top layer shuffled, gradient times input": top!.correlation.gradientTimesInput.signed,
    "all layers shuffled, sizes of gradient times input":
      checks.randomised.at(-1)!.correlation.gradientTimesInput.sizes,
    "constant shift, gradients' rank correlation": checks.shifted.gradient.signed,
    "constant shift, gradient times input": checks.shifted.gradientTimesInput.signed,
    "direct logit attribution, largest error": attribution.largestError,
  };
}

async function steering(seed: number): Promise<Measures> {
  const noise = randomNormal(foldIn(keyFromSeed(seed), "noise"), 4000);
  const { mean, deviation, antiSteerable, warning } = spreadOfSteering(
    1,
    Array.from(noise, (z, i) => (i % 10 < 3 ? -1.75 : 1.85) + 0.5 * z),
  );
  return { "three in ten go the other way": antiSteerable, mean, deviation, "a warning": warning === null ? 0 : 1 };
}

async function attention(): Promise<Measures> {
  const { network, weights } = handCodedInduction({ beta: 100 });
  const runnable = new RunnableNetwork(network, weights, loop);
  const tokens = [3, 1, 4, 0, 5, 2, 6, 7, 3, 1, 4, 0];
  const examples = { name: "one", x: tokenValues([tokens]) };
  const { rollout } = attentionRollout(await attentionPatterns(runnable, examples), [0, 0]);
  const last = rollout.data.slice(-tokens.length);
  const variants = [10, 11, 4, 3].map((position) => ({ point: "hook_embed", at: { pos: [position] } }));
  const metric = logitDifference({ answer: [5], against: [6] });
  const { rows } = await ablate(runnable, examples, { variants, ablation: { kind: "zero" }, metric });
  await runnable.dispose();
  return {
    "rollout on the token before the last": last[10]!,
    "effect of taking that token away, logits": Math.abs(rows[0]!.mean),
    "least effect of the three that count, logits": Math.min(...rows.slice(1).map((row) => Math.abs(row.mean))),
  };
}

async function skipTrigrams(seed: number): Promise<Measures> {
  const network = transformer(
    toyTransformer({ vocab: 12, context: 64, layers: 1, dModel: 16, heads: 1, positions: { kind: "none" } }),
  );
  const weights = startingWeights(network, keyFromSeed(seed), { embed: 1, unembed: 1 });
  const runnable = new RunnableNetwork(network, weights, { device: "float64" });
  const contexts = [1, 3, 7, 15, 31].map((n) => [3, ...Array.from({ length: n }, () => 7)]);
  const found = await skipTrigramError(runnable, { layer: 0, head: 0, source: 3, destination: 5, target: 9, contexts });
  return {
    "formula less forward pass": Math.max(...found.rows.map((row) => Math.abs(row.weight - row.formula))),
    "largest error of a table, of its number": found.largestError / Math.abs(found.table),
  };
}

async function erasures(seed: number): Promise<Measures> {
  const [n, d] = [4000, 32];
  const labels = Array.from(randomBits(foldIn(keyFromSeed(seed), "label"), n), (bits) => bits % 2);
  const direction = randomNormal(foldIn(keyFromSeed(seed), "direction"), d);
  const x = changed(gaussian(seed, "noise", n, d), (v, i) => v + 2 * labels[Math.floor(i / d)]! * direction[i % d]!);
  const data: LabelledRows = { x, labels, classes: 2 };
  const erasure = leastSquaresErasure(data);
  const asked = { kind: "logistic", key: keyFromSeed(seed) } as const;
  const before = await probe(data, asked, loop);
  const after = await probe({ ...data, x: erased(erasure, x) }, asked, loop);
  return {
    "accuracy before": before.accuracy,
    "accuracy after": after.accuracy,
    "always the most common": after.majority,
    "largest covariance after": erasure.covariance.after,
  };
}

/** What is expected, by recipe and measure; as in the recipes of `benchmarks.md`. */
const RECIPES: readonly {
  readonly recipe: string;
  readonly measure: (seed: number) => Promise<Measures>;
  readonly expected: Readonly<Record<string, string>>;
}[] = [
  {
    recipe: "B22 probes",
    measure: probes,
    expected: {
      "no rule, linear: accuracy": "0.762",
      "no rule, linear: selectivity": "at most 0.02 in size",
      "no rule, 256 hidden: accuracy": "0.948",
      "no rule, 256 hidden: selectivity": "about 0",
      "no rule, linear: unseen types": "about chance",
      "no rule: compression": "2.04",
      "no rule: the control's compression": "2.06",
      "rule, linear: accuracy": "1.0",
      "rule, linear: selectivity": "at least 0.15 (0.218)",
      "rule, 256 hidden: selectivity": "0.041, below that of 4 hidden",
      "rule, 4 hidden: selectivity": "0.229",
      "rule, linear: unseen types": "1.0",
      "rule: compression": "at least 50 times the control's (183)",
      "rule: the control's compression": "2.2",
    },
  },
  {
    recipe: "B23 similarity",
    measure: similarities,
    expected: {
      "CKA, scale and shift": "1.000",
      "CKA, an invertible map": "below 1 (0.786)",
      "CCA, an invertible map": "1.000",
      "CKA, unrelated, n = 50": "0.294",
      "debiased CKA, unrelated, n = 50": "0 ± 0.03",
      "CKA, unrelated, n = 500": "0.044",
      "CKA, unrelated, n = 5000": "0.0045",
      "CKA, a fifth of the rows moved by 1": "0.999",
      "CKA, a fifth of the rows moved by 10": "0.727",
      "CKA, a fifth of the rows moved by 100": "0.025",
      "mean cosine, less what a common mean predicts": "about 0 (0.0008)",
      "mean cosine, centred": "-0.0002",
    },
  },
  {
    recipe: "B31 saliency",
    measure: saliencies,
    expected: {
      "gradient times input less the output, without biases": "6e-8",
      "integrated gradients' completeness error, 10 steps": "5e-5",
      "integrated gradients' completeness error, 50 steps": "2e-6",
      "integrated gradients' completeness error, 300 steps": "1.5e-8",
      "top layer shuffled, gradients' rank correlation": "about 0",
      "constant shift, gradients' rank correlation": "1",
      "constant shift, gradient times input": "below 1",
      "direct logit attribution, largest error": "at most 1e-5",
    },
  },
  {
    recipe: "B32 steering",
    measure: steering,
    expected: { "three in ten go the other way": "0.30 ± 0.03", mean: "0.768", deviation: "1.769", "a warning": "1" },
  },
  {
    recipe: "B33 attention",
    measure: attention,
    expected: {
      "rollout on the token before the last": "0.25",
      "effect of taking that token away, logits": "0",
      "least effect of the three that count, logits": "above 0",
    },
  },
  {
    recipe: "B34 skip-trigrams",
    measure: skipTrigrams,
    expected: { "formula less forward pass": "at most 1e-6", "largest error of a table, of its number": "above 0" },
  },
  {
    recipe: "B39 erasure",
    measure: erasures,
    expected: {
      "accuracy before": "1.0",
      "accuracy after": "0.4915",
      "always the most common": "0.5115",
      "largest covariance after": "2e-15",
    },
  },
];

const before = existsSync(FILE) ? readFileSync(FILE, "utf8").trim().split("\n") : [];
const lines: string[] = [];
for (const { recipe, measure, expected } of RECIPES) {
  if (!recipe.startsWith(options.only)) {
    lines.push(...before.filter((line) => (JSON.parse(line) as { recipe: string }).recipe === recipe));
    continue;
  }
  const began = performance.now();
  const bySeed: Measures[] = [];
  for (const seed of SEEDS) bySeed.push(await measure(seed));
  console.log(`\n${recipe}, ${SEEDS.length} seeds, ${((performance.now() - began) / 1000).toFixed(0)} s`);
  for (const name of Object.keys(bySeed[0]!)) {
    const numbers = bySeed.map((one) => one[name]!);
    const { mean, deviation } = spreadOf(numbers);
    const wanted = expected[name] ?? "";
    console.log(
      `  ${name.padEnd(56)} ${mean.toPrecision(3).padStart(10)} ± ${deviation.toPrecision(2).padEnd(8)}  ${wanted}`,
    );
    lines.push(JSON.stringify({ recipe, measure: name, expected: wanted || null, mean, deviation, seeds: numbers }));
  }
}
writeFileSync(FILE, `${lines.join("\n")}\n`);
