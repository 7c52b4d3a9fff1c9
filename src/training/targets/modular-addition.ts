/**
 * Networks that learn addition modulo a prime from a part of the table, first by heart and long after that as rotations: grokking (Power et
 * al. 2022; Nanda et al. 2023). The small one is an MLP on summed embeddings, the published one a transformer.
 */
import { z } from "zod";
import { wholeNumbers } from "../../data/draws.ts";
import { modularAddition, type Sums } from "../../data/modular-addition.ts";
import { compile, type NamedValues, values } from "../../engine/index.ts";
import { embeddingMlp } from "../../network/embedding-mlp.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { type Transformer, transformer } from "../../network/transformer/transformer.ts";
import {
  cast,
  concat,
  constant,
  crossEntropy,
  equal,
  foldIn,
  input,
  type Key,
  keyFromSeed,
  mean,
  randomNormal,
  relabel,
  select,
  type Sizes,
  slice,
  sizeOf,
  type Tensor,
  type Tensors,
  topK,
} from "../../tensor/index.ts";
import { crossEntropyOf, embeddingPower, frequencyLosses, gini, keyFrequencies } from "../key-frequencies.ts";
import { linearStart } from "../linear-start.ts";
import type { LoopOptions, MetricsRow } from "../loop.ts";
import type { Knot } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";
import { startingWeights as transformerStart } from "../transformer-start.ts";

/** Everything that decides a network trained on modular addition. */
const modularAdditionSettings = z.strictObject({
  modulus: z
    .int()
    .min(5)
    .max(499)
    .refine((p) => p % 2 === 1, "expected an odd number")
    .default(59)
    .describe("p; a prime in what was published"),
  trainFraction: z
    .number()
    .gt(0)
    .lt(1)
    .default(0.4)
    .describe("share of the table that is for training, all of it in each step"),
  architecture: z
    .enum(["mlp", "transformer"])
    .default("mlp")
    .describe("an MLP on the sum of both embeddings, or one layer of a transformer that reads a b ="),
  width: z.int().min(1).max(4096).default(32).describe("d_model"),
  neurons: z.int().min(1).max(16_384).default(128).describe("d_mlp"),
  heads: z.int().min(1).max(64).default(4).describe("heads of the transformer, width / heads wide"),
  steps: z.int().min(1).max(10_000_000).default(3000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(5e-3).describe("AdamW's rate"),
  warmUp: z.int().min(0).default(0).describe("steps in which the rate rises to it from 0"),
  weightDecay: z.number().min(0).default(1).describe("AdamW's decoupled decay; without any, nothing is grokked"),
  seed: z
    .int()
    .min(0)
    .max(Number.MAX_SAFE_INTEGER)
    .default(0)
    .describe("of weights and of which sums are for training"),
});
export type ModularAdditionSettings = z.infer<typeof modularAdditionSettings>;

/** Sums of the test set that are looked at in every step, at most; when training is over all of them are. */
const WATCHED = 1024;
/** What an accuracy has to pass to count as learnt. */
const LEARNT = 0.99;

/** The network that these settings describe. Its tokens are the numbers below p; the transformer has `=` as token p. */
export function modularAdditionNetwork(settings: ModularAdditionSettings): Network {
  const { architecture, modulus, width, neurons } = settings;
  return architecture === "transformer"
    ? publishedTransformer(settings)
    : embeddingMlp({ vocab: modulus, context: 2, dModel: width, dMlp: neurons });
}

/** No norms, and biases in the MLP alone. */
function publishedTransformer({ modulus, width, neurons, heads }: ModularAdditionSettings): Transformer {
  const shape = { vocab: modulus + 1, context: 3, layers: 1, dModel: width, heads, dMlp: neurons };
  const toy = toyTransformer(shape);
  return { ...transformer({ ...toy, mlp: { ...toy.mlp!, bias: true } }), answersAt: "last" };
}

/** Weights at the start; the transformer's are normal, with the published scales. */
function startingWeights(settings: ModularAdditionSettings, key: Key): NamedValues {
  const { architecture, modulus, width, neurons } = settings;
  if (architecture === "transformer") {
    const scales = { embed: 1 / Math.sqrt(width), unembed: 1 / Math.sqrt(modulus + 1) };
    const start = transformerStart(publishedTransformer(settings), key, scales);
    const name = "blocks.0.mlp.W_out";
    const { axes, shape, data } = start[name]!;
    const wider = Math.sqrt(neurons / width);
    return {
      ...start,
      [name]: values(
        axes,
        shape,
        Array.from(data, (x) => x * wider),
      ),
    };
  }
  return Object.fromEntries(
    modularAdditionNetwork(settings).weights.map((spec) => {
      const { name, axes, shape } = spec;
      if (name !== "embed.W_E") return [name, linearStart(spec, name.startsWith("unembed") ? neurons : width, key)];
      const draws = randomNormal(foldIn(key, name), sizeOf(shape));
      return [
        name,
        values(
          axes,
          shape,
          draws.map((x) => x / Math.sqrt(width)),
        ),
      ];
    }),
  );
}

const tableOf = ({ modulus, trainFraction, seed }: ModularAdditionSettings): { train: Sums; test: Sums } =>
  modularAddition(modulus, trainFraction, foldIn(keyFromSeed(seed), "table"));

/** The logits of the sum, `batch vocab`, from tokens `a b =`. */
function logitsOf(
  { architecture }: ModularAdditionSettings,
  network: Network,
  weights: Tensors,
  tokens: Tensor<"batch pos">,
): Tensor<"batch vocab"> {
  if (architecture === "mlp") {
    return relabel(network.forward(weights, slice(tokens, "pos", 0, 2)), "batch vocab");
  }
  return select(relabel(network.forward(weights, tokens), "batch pos vocab"), "pos", 2);
}

/** Loss and accuracy. */
function measured(logits: Tensor<"batch vocab">, labels: Tensor<"batch">): { loss: Tensor<"">; accuracy: Tensor<""> } {
  const said = select(relabel(topK(logits, "vocab", 1).indices, "batch k"), "k", 0);
  return {
    loss: mean(crossEntropy(logits, labels, "vocab")),
    accuracy: mean(cast(equal(said, labels), "f32")),
  };
}

/** Trains it: AdamW on the mean cross-entropy of all sums of the training set at once. */
async function trainModularAddition(settings: ModularAdditionSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = modularAdditionNetwork(settings);
  const { train, test } = tableOf(settings);
  const watched = Math.min(WATCHED, test.labels.shape[0]!);
  const crossings = new Crossings(options);
  const trained = await trainNetwork(
    {
      network,
      start: startingWeights(settings, foldIn(keyFromSeed(settings.seed), "weights")),
      objective: (weights) => {
        const { loss, accuracy } = measured(...examples("train", train, train.labels.shape[0]!));
        const tested = measured(...examples("test", test, watched));
        return { loss, trainAccuracy: accuracy, testLoss: tested.loss, testAccuracy: tested.accuracy };

        function examples(name: string, sums: Sums, count: number): [Tensor<"batch vocab">, Tensor<"batch">] {
          const given = <A extends string>(part: "tokens" | "labels", axes: A, sizes: Sizes<A>): Tensor<A> =>
            input(`${name}.${part}`, axes, sizes, "i32");
          const rows = sums.labels.shape[0]!;
          const tokens = given("tokens", "batch pos", { batch: rows, pos: 3 });
          const labels = given("labels", "batch", { batch: rows });
          return [
            logitsOf(settings, network, weights, slice(tokens, "batch", 0, count)),
            slice(labels, "batch", 0, count),
          ];
        }
      },
      tables: {
        "train.tokens": train.tokens,
        "train.labels": train.labels,
        "test.tokens": test.tokens,
        "test.labels": test.labels,
      },
      steps: settings.steps,
      seed: settings.seed,
      learningRate: learningRate(settings),
      adamW: { weightDecay: settings.weightDecay, beta2: 0.98 },
    },
    {
      ...options,
      onMetrics: (row, took) => {
        crossings.see(row);
        return options.onMetrics?.(row, took);
      },
    },
  );
  const scores = await modularAdditionScores(settings, trained.weights, options);
  return { ...trained, metrics: { ...trained.metrics, ...crossings.steps, ...scores } };
}

function learningRate({ learningRate: value, warmUp, steps }: ModularAdditionSettings): Knot[] {
  if (warmUp === 0) return [{ at: 0, value }];
  return [
    { at: 0, value: value / warmUp },
    { at: Math.min(1, (warmUp - 1) / Math.max(1, steps - 1)), value },
  ];
}

/** At which recorded step each accuracy was first above 0.99; nothing where that may have been before what is known of the run. */
class Crossings {
  readonly steps: Record<string, number> = {};
  readonly #fromTheStart: boolean;

  constructor({ resume, earlier }: LoopOptions) {
    this.#fromTheStart = resume === undefined || earlier !== undefined;
    for (const row of earlier ?? []) this.see(row);
  }

  see(row: MetricsRow): void {
    if (!this.#fromTheStart) return;
    for (const [metric, name] of [
      ["trainAccuracy", "trainStep"],
      ["testAccuracy", "testStep"],
    ] as const) {
      if (Number(row[metric]) > LEARNT) this.steps[name] ??= row.step;
    }
  }
}

/** What a network has learnt, from all p² sums: the numbers that `modularAdditionTarget.success` explains. */
export async function modularAdditionScores(
  settings: ModularAdditionSettings,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const { modulus: p } = settings;
  const network = modularAdditionNetwork(settings);
  const table = Array.from({ length: p * p }, (_, row) => [Math.floor(row / p), row % p, p]).flat();
  const tokens = constant("batch pos", { batch: p * p, pos: 3 }, table, "i32");
  const all = slice(logitsOf(settings, network, weightInputs(network.weights), tokens), "vocab", 0, p);
  const program = await compile({ all }, options);
  const logits = (await program.run(weights)).all.data;
  await program.dispose();
  const power = embeddingPower(weights["embed.W_E"]!, p);
  const keys = keyFrequencies(power);
  const { train, test } = tableOf(settings);
  const [trainRows, testRows] = [train, test].map((sums) => rowsOf(sums, p)) as [number[], number[]];
  const losses = frequencyLosses(logits, p, keys, trainRows);
  return {
    testAccuracy: accuracyOn(logits, p, testRows),
    trainAccuracy: accuracyOn(logits, p, trainRows),
    testLoss: lossOn(logits, p, testRows),
    keyFrequencies: keys.length,
    gini: gini(power),
    restrictedLoss: losses.restricted,
    excludedLoss: losses.excluded,
    uniformLoss: Math.log(p),
  };
}

function rowsOf({ tokens }: Sums, p: number): number[] {
  return Array.from({ length: tokens.shape[0]! }, (_, i) => tokens.data[3 * i]! * p + tokens.data[3 * i + 1]!);
}

const sumAt = (row: number, p: number): number => (Math.floor(row / p) + (row % p)) % p;

function accuracyOn(logits: ArrayLike<number>, p: number, rows: readonly number[]): number {
  const right = rows.filter((row) => {
    let best = 0;
    for (let c = 1; c < p; c++) if (logits[row * p + c]! > logits[row * p + best]!) best = c;
    return best === sumAt(row, p);
  });
  return right.length / rows.length;
}

function lossOn(logits: ArrayLike<number>, p: number, rows: readonly number[]): number {
  return (
    rows.reduce((sum, row) => sum + crossEntropyOf((c) => logits[row * p + c]!, p, sumAt(row, p)), 0) / rows.length
  );
}

const asModular = (settings: TrainDocument["settings"]): ModularAdditionSettings =>
  settings as unknown as ModularAdditionSettings;

/** Modular addition as a target. */
export const modularAdditionTarget: Target = {
  summary: "addition modulo a prime from part of the table: grokking, and rotations at a few key frequencies",
  schema: modularAdditionSettings,
  presets: {
    default: { summary: "p = 59, an MLP on summed embeddings: seconds", source: "Mechanist", settings: {} },
    quick: {
      summary: "p = 59, half the table, 64 neurons: 1,000 steps",
      source: "Mechanist",
      settings: { trainFraction: 0.5, neurons: 64, learningRate: 1e-2, steps: 1000 },
    },
    "no-decay": {
      summary: "control: the default without weight decay, which learns by heart alone",
      source: "Mechanist",
      settings: { weightDecay: 0, steps: 4000 },
    },
    "few-sums": {
      summary: "control: the default on 15 % of the table, too little to tell what is meant",
      source: "Mechanist",
      settings: { trainFraction: 0.15, steps: 4000 },
    },
    "nanda-2023": {
      summary: "p = 113, one layer of a transformer, 40,000 steps: hours",
      source: "Nanda et al. 2023",
      settings: {
        modulus: 113,
        trainFraction: 0.3,
        architecture: "transformer",
        width: 128,
        neurons: 512,
        steps: 40_000,
        learningRate: 1e-3,
        warmUp: 10,
      },
    },
  },
  success: [
    { metric: "testAccuracy", meaning: "of sums that were not for training; chance 1/p" },
    { metric: "trainAccuracy", meaning: "of sums that were" },
    {
      metric: "testStep",
      meaning: `step after which testAccuracy was first above ${LEARNT}, among those recorded; absent: never`,
    },
    { metric: "trainStep", meaning: "the same of trainAccuracy: much earlier where the network has grokked" },
    {
      metric: "gini",
      meaning:
        "Gini coefficient of the embedding's power over frequencies; about 0.1 at random, near 1 for a few frequencies",
    },
    { metric: "keyFrequencies", meaning: "frequencies with more than 3 % of that power" },
    {
      metric: "restrictedLoss",
      meaning:
        "nats, all sums, logits of key frequencies alone (cos and sin of a + b at each); uniformLoss knows nothing",
    },
    {
      metric: "excludedLoss",
      meaning:
        "nats, training sums, logits without them; near uniformLoss if they are what is used, near 0 if learnt by heart",
    },
    { metric: "uniformLoss", meaning: "chance level of the losses, nats: ln p" },
  ],
  title: (settings) => {
    const { modulus, architecture } = asModular(settings);
    return `modular-addition-${modulus}${architecture === "mlp" ? "" : "-transformer"}`;
  },
  network: (settings) => modularAdditionNetwork(asModular(settings)),
  known: (settings) => {
    const { modulus, architecture } = asModular(settings);
    return { modulus: { modulus, ...(architecture === "transformer" && { equals: modulus }) } };
  },
  batch: (name, settings, batch) => {
    const { modulus, architecture } = asModular(settings);
    const sums = wholeNumbers(name, "batch pos", { batch, pos: 2 }, modulus);
    if (architecture === "mlp") return sums;
    return concat(
      [sums, constant("batch pos", { batch, pos: 1 }, new Float64Array(batch).fill(modulus), "i32")],
      "pos",
    );
  },
  train: (settings, options) => trainModularAddition(asModular(settings), options),
};
