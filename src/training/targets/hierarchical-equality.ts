/**
 * A multilayer perceptron on hierarchical equality: whether `a = b` and `c = d` are both true or both false. Its causal model has the two
 * equalities as variables, which interchange interventions look for inside (Geiger et al. 2021, 2023).
 */
import { z } from "zod";
import { type EqualityExamples, equalityExamples } from "../../data/hierarchical-equality.ts";
import { compile, itemOf, type NamedValues } from "../../engine/index.ts";
import { mlp } from "../../network/mlp.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import {
  cast,
  crossEntropy,
  equal,
  foldIn,
  greater,
  keyFromSeed,
  mean,
  relabel,
  select,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { linearStart } from "../linear-start.ts";
import type { LoopOptions } from "../loop.ts";
import { cosineSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a network trained on hierarchical equality. */
const hierarchicalEqualitySettings = z.strictObject({
  dimensions: z.int().min(1).max(256).default(4).describe("numbers of each of the four vectors"),
  hidden: z.int().min(1).max(4096).default(16).describe("neurons of each hidden layer"),
  layers: z.int().min(1).max(12).default(3).describe("hidden layers"),
  batch: z.int().min(1).max(1_000_000).default(1024).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).default(10_000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(3e-3).describe("AdamW's rate at the start, to 0 along a cosine"),
  weightDecay: z
    .number()
    .min(0)
    .default(0.3)
    .describe("AdamW's decoupled decay; with it most networks keep the two equalities apart, without it few do"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type HierarchicalEqualitySettings = z.infer<typeof hierarchicalEqualitySettings>;

/** Examples that the trained network is measured on. */
const HELD_OUT = 65_536;

/** The network that these settings describe: two logits, for false and true. */
function hierarchicalEqualityNetwork({ dimensions, hidden, layers }: HierarchicalEqualitySettings): Network {
  const network = mlp({
    features: 4 * dimensions,
    hidden: Array.from({ length: layers }, () => hidden),
    outputs: 2,
    activation: "relu",
    bias: true,
  });
  return { ...network, logits: "output" };
}

/** Loss and accuracy on a batch. */
function measured(
  network: Network,
  weights: Tensors,
  { x, label }: EqualityExamples,
): { loss: Tensor<"">; accuracy: Tensor<""> } {
  const logits = relabel(network.forward(weights, relabel(x, "batch feature")), "batch output");
  const says = greater(select(logits, "output", 1), select(logits, "output", 0));
  return {
    loss: mean(crossEntropy(logits, cast(label, "i32"), "output")),
    accuracy: mean(cast(equal(cast(says, "i32"), cast(label, "i32")), "f32")),
  };
}

/** Trains it: AdamW on the mean cross-entropy of the label. */
async function trainHierarchicalEquality(
  settings: HierarchicalEqualitySettings,
  options: LoopOptions = {},
): Promise<Trained> {
  const network = hierarchicalEqualityNetwork(settings);
  const key = foldIn(keyFromSeed(settings.seed), "weights");
  const examples = equalityExamples("data", settings);
  const trained = await trainNetwork(
    {
      network,
      start: startingWeights(network, key),
      objective: (weights) => measured(network, weights, examples),
      steps: settings.steps,
      seed: settings.seed,
      learningRate: cosineSchedule(settings.learningRate),
      adamW: { weightDecay: settings.weightDecay },
    },
    options,
  );
  return {
    ...trained,
    metrics: { ...trained.metrics, ...(await hierarchicalEqualityScores(settings, trained.weights, options)) },
  };
}

/** PyTorch's: a layer's matrix and its bias are both drawn within one over the root of what the matrix reads. */
function startingWeights(network: Network, key: ReturnType<typeof keyFromSeed>): NamedValues {
  let reads = 1;
  return Object.fromEntries(
    network.weights.map((spec) => {
      if (spec.shape.length === 2) reads = spec.shape[0]!;
      return [spec.name, linearStart(spec, reads, key)];
    }),
  );
}

/** What a network has learnt, on new examples: the numbers that `hierarchicalEqualityTarget.success` explains. */
export async function hierarchicalEqualityScores(
  settings: HierarchicalEqualitySettings,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const network = hierarchicalEqualityNetwork(settings);
  const examples = equalityExamples("held out", { ...settings, batch: HELD_OUT });
  const { loss, accuracy } = measured(network, weightInputs(network.weights), examples);
  const program = await compile({ heldOutLoss: loss, testAccuracy: accuracy }, options);
  const found = await program.run(weights, foldIn(keyFromSeed(settings.seed), "held out"));
  await program.dispose();
  return { testAccuracy: itemOf(found.testAccuracy), heldOutLoss: itemOf(found.heldOutLoss) };
}

const asEquality = (settings: TrainDocument["settings"]): HierarchicalEqualitySettings =>
  settings as unknown as HierarchicalEqualitySettings;

/** Hierarchical equality as a target. */
export const hierarchicalEqualityTarget: Target = {
  summary: "MLP that says whether a = b and c = d are both true or both false: a causal model with two variables",
  schema: hierarchicalEqualitySettings,
  presets: {
    default: { summary: "vectors of 4, 3 hidden layers of 16", source: "Mechanist", settings: {} },
    plain: { summary: "the same without weight decay", source: "Mechanist", settings: { weightDecay: 0 } },
    quick: { summary: "the same, 2,000 steps", source: "Mechanist", settings: { steps: 2000 } },
  },
  success: [
    { metric: "testAccuracy", meaning: "of labels of new examples; chance 0.5" },
    { metric: "heldOutLoss", meaning: "nats a label on new examples; ln 2 = 0.693 knows nothing" },
  ],
  title: (settings) => {
    const { dimensions, hidden, layers } = asEquality(settings);
    return `hierarchical-equality-${dimensions}-${layers}x${hidden}`;
  },
  network: (settings) => hierarchicalEqualityNetwork(asEquality(settings)),
  batch: (name, settings, batch) => {
    const { dimensions } = asEquality(settings);
    return relabel(equalityExamples(name, { dimensions, batch }).x, "batch feature");
  },
  train: (settings, options) => trainHierarchicalEquality(asEquality(settings), options),
};
