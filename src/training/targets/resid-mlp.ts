/**
 * Residual MLPs trained to compute `x + ReLU(x)` of every feature with fewer neurons than features: compressed computation (Braun et
 * al. 2025; the targets of Bushnaq, Braun & Sharkey 2025).
 *
 * What makes it better than giving each neuron one feature is the noise of the random embedding, not a computation in superposition
 * (Bhagat et al. 2026, "Compressed Computation is (probably) not Computation in Superposition"): with the identity as embedding
 * nothing is gained. Both can be trained here.
 */
import { z } from "zod";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { compile, itemOf, type NamedValues, type Values, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { foldedResidualMlp, residualMlp } from "../../network/residual-mlp.ts";
import {
  add,
  constant,
  foldIn,
  type Key,
  keyFromSeed,
  mean,
  randomNormal,
  relu,
  square,
  sub,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { type Bound, type KnownMechanisms, portGate, PROBE_MAGNITUDE } from "../known-mechanisms.ts";
import { linearStart } from "../linear-start.ts";
import type { LoopOptions } from "../loop.ts";
import { cosineSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a trained residual MLP. */
const residMlpSettings = z.strictObject({
  features: z.int().min(2).max(2000).default(100).describe("input features"),
  width: z.int().min(2).max(10_000).default(1000).describe("d_model, dimensions of the residual stream"),
  neurons: z.int().min(1).max(10_000).default(50).describe("d_mlp, neurons a layer"),
  layers: z.int().min(1).max(12).default(1).describe("layers"),
  embedding: z
    .enum(["random", "identity"])
    .default("random")
    .describe("W_E, never trained: rows of length 1 in random directions, or the identity, where width is features"),
  featureProbability: z.number().gt(0).max(1).default(0.01).describe("how likely a feature is active"),
  batch: z.int().min(1).max(1_000_000).default(2048).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).default(3000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(3e-3).describe("AdamW's rate at the start, to 0 along a cosine"),
  weightDecay: z.number().min(0).default(0.01).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type ResidMlpSettings = z.infer<typeof residMlpSettings>;

/** Fresh examples that a trained network is measured on, in so many batches. */
const MEASURED = { batch: 16_384, batches: 16 };

/** The network that these settings describe. */
function residMlpNetwork({ features, width, neurons, layers }: ResidMlpSettings): Network {
  return residualMlp({ features, dModel: width, dMlp: neurons, layers });
}

/** A batch of the data that it is trained on: values from U(-1, 1) where a feature is active. */
function residMlpBatch(name: string, settings: ResidMlpSettings, batch: number): Tensor<"batch feature"> {
  const { features, featureProbability: probability } = settings;
  return sparseFeatures(name, { features, batch, probability, low: -1 });
}

function startingWeights(settings: ResidMlpSettings, key: Key): NamedValues {
  const { features, width } = settings;
  return Object.fromEntries(
    residMlpNetwork(settings).weights.map((spec) => [
      spec.name,
      spec.frozen
        ? values("feature d_model", [features, width], embedding(settings, foldIn(key, spec.name)))
        : linearStart(spec, spec.shape[0]!, key),
    ]),
  );
}

function embedding({ features, width, embedding: kind }: ResidMlpSettings, key: Key): Float32Array {
  if (kind === "identity") {
    return Float32Array.from({ length: features * width }, (_, i) => Number(i % (width + 1) === 0));
  }
  const rows = randomNormal(key, features * width);
  for (let i = 0; i < features; i++) {
    const row = rows.subarray(i * width, (i + 1) * width);
    const length = Math.hypot(...row);
    row.forEach((x, j) => (row[j] = x / length));
  }
  return rows;
}

/** The mean over batch and features of the squared distance from `x + ReLU(x)`. */
function lossOf(weights: Tensors, x: Tensor<"batch feature">, layers: number): Tensor<""> {
  return mean(square(sub(foldedResidualMlp(weights, x, layers), add(x, relu(x)))));
}

/** Trains it: AdamW on the mean over batch and features of `(x + ReLU(x) - y)²`. */
async function trainResidMlp(settings: ResidMlpSettings, options: LoopOptions = {}): Promise<Trained> {
  const { layers, features, width } = settings;
  if (settings.embedding === "identity" && features !== width) {
    throw new MechanistError(
      "BadArgument",
      `resid-mlp width: expected ${features}, as many as features, for the identity, got ${width}`,
    );
  }
  const x = residMlpBatch("data", settings, settings.batch);
  const trained = await trainNetwork(
    {
      network: residMlpNetwork(settings),
      start: startingWeights(settings, foldIn(keyFromSeed(settings.seed), "weights")),
      objective: (weights) => ({ loss: lossOf(weights, x, layers) }),
      steps: settings.steps,
      seed: settings.seed,
      learningRate: cosineSchedule(settings.learningRate),
      adamW: { weightDecay: settings.weightDecay },
    },
    options,
  );
  return {
    ...trained,
    metrics: { ...trained.metrics, ...(await residMlpScores(settings, trained.weights, options)) },
  };
}

/**
 * The loss of the naive solution, where each neuron computes one feature exactly and features without a neuron get `y = x`: an active one
 * of those is wrong by `ReLU(x)²`, 1/6 on average over U(-1, 1). Noise of the embedding is not in it.
 */
export function naiveLoss({ features, neurons, layers, featureProbability }: ResidMlpSettings): number {
  return (Math.max(0, features - neurons * layers) / features) * (featureProbability / 6);
}

/** What a network has learnt: the numbers that `residMlpTarget.success` explains. */
export async function residMlpScores(
  settings: ResidMlpSettings,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const { features, layers } = settings;
  const given = weightInputs(residMlpNetwork(settings).weights);
  const eye = Float64Array.from({ length: features ** 2 }, (_, i) => Number(i % (features + 1) === 0));
  const oneHot = constant("batch feature", { batch: features, feature: features }, eye);
  const loss = lossOf(given, residMlpBatch("held out", settings, MEASURED.batch), layers);
  const program = await compile({ loss, outputs: foldedResidualMlp(given, oneHot, layers) }, options);
  const key = foldIn(keyFromSeed(settings.seed), "held out");
  let total = 0;
  let outputs: Values | undefined;
  for (let i = 0; i < MEASURED.batches; i++) {
    const found = await program.run(weights, foldIn(key, i));
    total += itemOf(found.loss) / MEASURED.batches;
    outputs = found.outputs;
  }
  await program.dispose();
  const diagonal = Array.from({ length: features }, (_, i) => outputs!.data[i * (features + 1)]!);
  const diagonalMean = diagonal.reduce((sum, y) => sum + y, 0) / features;
  const variance = diagonal.reduce((sum, y) => sum + (y - diagonalMean) ** 2, 0) / features;
  const naive = naiveLoss(settings);
  return {
    ...(naive > 0 && { lossRatio: total / naive }),
    heldOutLoss: total,
    diagonal: diagonalMean,
    diagonalDeviation: Math.sqrt(variance),
  };
}

/** Into the neurons one component a feature, out of them a block that all features share, as wide as there are neurons. */
function knownResidMlp({ features, neurons, layers, embedding: kind }: ResidMlpSettings): KnownMechanisms {
  const names = Array.from({ length: layers }, (_, l) => `blocks.${l}.mlp`);
  const perFeature = { pattern: "identity", inputs: features } as const;
  const block = { pattern: "dense", rank: neurons } as const;
  // Where nothing is compressed the published gate applies, which asks of what reads alone.
  const apart = kind === "identity" && neurons >= features && layers === 1;
  const gate = apart ? portGate([`${names[0]}.W_in`]) : residMlpGate(names);
  return {
    patterns: {
      inputs: features,
      magnitude: PROBE_MAGNITUDE,
      sites: Object.fromEntries(
        names.flatMap((name, l) => [
          // Later layers read what earlier ones have written as well, which is no sum of known features.
          [`${name}.W_in`, l === 0 ? { ...perFeature, embedding: "embed.W_E" } : perFeature],
          [`${name}.W_out`, block],
        ]),
      ),
    },
    directions: { point: "blocks.0.hook_resid_pre", weight: "embed.W_E" },
    contributions: {
      embedding: "embed.W_E",
      layers: names.map((name) => ({ reads: `${name}.W_in`, writes: `${name}.W_out` })),
    },
    ...(gate && { gate }),
  };
}

/** Of three layers and more nobody has taken all seeds apart; they have none. */
function residMlpGate(names: readonly string[]): KnownMechanisms["gate"] {
  if (names.length > 2) return undefined;
  const reads = names.map((name) => `${name}.W_in`);
  const writes = names.map((name) => `${name}.W_out`);
  const bounds: Bound[] = [
    { measure: "targetCiError", sites: reads, most: names.length === 1 ? 0 : 2 },
    { measure: "targetCiError", sites: writes, most: 0 },
  ];
  if (names.length === 1) bounds.push({ measure: "contributionCorrelation", least: 0.995 });
  return { source: "Mechanist, after Bushnaq, Braun & Sharkey 2025 (SPD)", bounds };
}

const asResidMlp = (settings: TrainDocument["settings"]): ResidMlpSettings => settings as unknown as ResidMlpSettings;
const published = "goodfire-ai/spd, experiments/resid_mlp";

/** The residual MLP as a target. */
export const residMlpTarget: Target = {
  summary: "residual MLP that computes x + ReLU(x) of more features than it has neurons: compressed computation",
  schema: residMlpSettings,
  presets: {
    default: { summary: "100 features, 50 neurons, 3,000 steps: a minute", source: "Mechanist", settings: {} },
    quick: {
      summary: "20 features, 10 neurons, 200 wide: seconds",
      source: "Mechanist",
      settings: { features: 20, neurons: 10, width: 200, featureProbability: 0.05, steps: 1000, batch: 1024 },
    },
    "resid-mlp-1": {
      summary: "1 layer: 100 features, 50 neurons",
      source: published,
      settings: { steps: 1000 },
    },
    "resid-mlp-2": {
      summary: "2 layers: 100 features, 25 neurons each",
      source: published,
      settings: { layers: 2, neurons: 25, steps: 1000 },
    },
    "resid-mlp-3": {
      summary: "3 layers: 102 features, 17 neurons each",
      source: published,
      settings: { features: 102, layers: 3, neurons: 17, steps: 10_000 },
    },
    "resid-mlp-5-5": {
      summary: "5 features, 5 neurons, the identity as embedding: nothing compressed",
      source: "goodfire-ai/param-decomp, end-to-end tests",
      settings: {
        features: 5,
        width: 5,
        neurons: 5,
        embedding: "identity",
        featureProbability: 0.05,
        steps: 2000,
        learningRate: 1e-2,
      },
    },
    identity: {
      summary: "control: the identity as embedding, which has no noise to gain from",
      source: "Bhagat et al. 2026",
      settings: { embedding: "identity", width: 100 },
    },
  },
  success: [
    {
      metric: "lossRatio",
      meaning:
        "loss on new data over that of the naive solution, one feature a neuron and y = x for the rest; 1: nothing gained",
    },
    {
      metric: "heldOutLoss",
      meaning: "that loss itself: squared distance from x + ReLU(x), mean over batch and features",
    },
    {
      metric: "diagonal",
      meaning:
        "mean over features of y at x = 1 of that feature alone; 2 is right, 1 without any neuron, naive in between",
    },
    {
      metric: "diagonalDeviation",
      meaning: "standard deviation of the same over features; the naive solution has 0.5 where half are computed",
    },
  ],
  title: (settings) => {
    const { layers, features, neurons, embedding: kind } = asResidMlp(settings);
    return `resid-mlp-${layers}-${features}-${neurons}${kind === "identity" ? "-id" : ""}`;
  },
  network: (settings) => residMlpNetwork(asResidMlp(settings)),
  known: (settings) => knownResidMlp(asResidMlp(settings)),
  batch: (name, settings, batch) => residMlpBatch(name, asResidMlp(settings), batch),
  train: (settings, options) => trainResidMlp(asResidMlp(settings), options),
};
