/**
 * Transformers trained on the tokens of hidden Markov models: Mess3, random-random-XOR, and any other. What such a network must know of
 * the tokens so far is the belief state of an ideal observer, and it can be found in the residual stream (Shai et al. 2024,
 * "Transformers represent belief state geometry in their residual stream").
 */
import { z } from "zod";
import { type HiddenMarkovModel, hiddenMarkovModel, markovSequences, mess3, rrxor } from "../../data/hidden-markov.ts";
import { MechanistError } from "../../error.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { type Transformer, transformer } from "../../network/transformer/transformer.ts";
import type { Preset } from "../../settings.ts";
import { foldIn, keyFromSeed, mean } from "../../tensor/index.ts";
import { beliefScores } from "../belief-scores.ts";
import type { LoopOptions } from "../loop.ts";
import { cosineSchedule } from "../schedule.ts";
import type { Success, Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";
import { nextTokenLosses, startingWeights } from "../transformer-start.ts";

const transformerSettings = {
  context: z.int().min(1).max(1024).default(8).describe("positions"),
  layers: z.int().min(1).max(24).default(2).describe("layers"),
  width: z.int().min(1).max(4096).default(32).describe("d_model"),
  heads: z.int().min(1).max(64).default(1).describe("heads a layer"),
  headWidth: z.int().min(1).max(1024).default(8).describe("dimensions a head"),
  mlpWidth: z.int().min(0).max(16_384).default(64).describe("neurons a layer; 0: attention alone"),
  batch: z.int().min(1).max(100_000).default(128).describe("sequences a step"),
  steps: z.int().min(1).max(10_000_000).default(4000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(3e-3).describe("AdamW's rate at the start"),
  finalLearningRate: z.number().min(0).max(1).default(0.1).describe("fraction of it at the end, along a cosine"),
  weightDecay: z.number().min(0).default(0).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
};
type TransformerSettings = z.infer<z.ZodObject<typeof transformerSettings>>;

const probability = z.number().min(0).max(1);

const mess3Settings = z.strictObject({
  x: z.number().min(0).max(0.5).default(0.05).describe("how likely each other state comes next"),
  alpha: probability.default(0.85).describe("how likely a state emits its own token"),
  ...transformerSettings,
});

const rrxorSettings = z.strictObject({
  p: probability.default(0.5).describe("how likely the first bit is 0"),
  q: probability.default(0.5).describe("how likely the second bit is 0"),
  ...transformerSettings,
});

/** Zero, one, random: the smallest model that has something to find. */
const Z1R = "[[[0,1,0],[0,0,0],[0.5,0,0]],[[0,0,0],[0,0,1],[0.5,0,0]]]";

const hmmSettings = z.strictObject({
  transitions: z
    .string()
    .default(Z1R)
    .describe("JSON: [token][from][to], how likely a state emits the token and goes there; a 0, a 1, a random bit"),
  ...transformerSettings,
});

/** The model that JSON text gives. */
function modelFromJson(text: string): HiddenMarkovModel {
  const where = "hmm transitions";
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new MechanistError("BadArgument", `${where}: expected JSON, got ${text.slice(0, 40)}`, {}, { cause });
  }
  const found = z.array(z.array(z.array(z.number()))).safeParse(content);
  if (found.success) return hiddenMarkovModel(found.data);
  const { path } = found.error.issues[0]!;
  const at = path.length > 0 ? ` at [${path.join("][")}]` : "";
  throw new MechanistError("BadArgument", `${where}: expected numbers [token][from][to], got something else${at}`);
}

const success: readonly Success[] = [
  { metric: "excessLoss", meaning: "nats a token above lossFloor, the least that any predictor can have" },
  { metric: "lossFloor", meaning: "nats a token: what an ideal observer of the same tokens loses" },
  {
    metric: "beliefR2",
    meaning: "variance of belief states that a linear map of the last residual stream explains, of 1, on new sequences",
  },
  { metric: "beliefR2AllLayers", meaning: "the same from the residual streams of all layers side by side" },
  { metric: "shuffledR2", meaning: "control: the same as beliefR2 with the belief states shuffled; 0 but for noise" },
  {
    metric: "nextTokenR2",
    meaning:
      "baseline: the same from the ideal next-token distribution alone; where it is 1, beliefs prove nothing more",
  },
];

interface Kind {
  readonly name: string;
  readonly summary: string;
  readonly schema: Target["schema"];
  readonly presets: Readonly<Record<string, Preset>>;
  model(settings: TrainDocument["settings"]): HiddenMarkovModel;
}

/** A hidden Markov model as a target. */
function markovTarget({ name, summary, schema, presets, model }: Kind): Target {
  const as = (settings: TrainDocument["settings"]): TransformerSettings => settings as unknown as TransformerSettings;
  const network = (settings: TrainDocument["settings"]): Transformer => {
    const { context, layers, width, heads, headWidth, mlpWidth } = as(settings);
    return transformer(
      toyTransformer({
        vocab: model(settings).tokens,
        context,
        layers,
        dModel: width,
        heads,
        dHead: headWidth,
        dMlp: mlpWidth,
        norm: "layer",
        bias: true,
      }),
    );
  };
  const train = async (settings: TrainDocument["settings"], options: LoopOptions = {}): Promise<Trained> => {
    const { context, layers, batch, steps, seed, learningRate, finalLearningRate, weightDecay } = as(settings);
    const net = network(settings);
    const { tokens } = markovSequences("data", model(settings), { batch, pos: context + 1 });
    const key = keyFromSeed(seed);
    const scales = { embed: 0.5, unembed: 0.1, residual: 1 / Math.sqrt(2 * layers) };
    const trained = await trainNetwork(
      {
        network: net,
        start: startingWeights(net, foldIn(key, "weights"), scales),
        objective: (weights) => ({ loss: mean(nextTokenLosses(net, weights, tokens)) }),
        steps,
        seed,
        learningRate: cosineSchedule(learningRate, finalLearningRate),
        adamW: { weightDecay },
      },
      options,
    );
    const scores = await beliefScores(model(settings), net, trained.weights, foldIn(key, "held out"), options);
    return { ...trained, metrics: { ...trained.metrics, ...scores } };
  };
  return {
    summary,
    schema,
    presets,
    success,
    title: (settings) => `${name}-${as(settings).layers}-${as(settings).width}`,
    network,
    batch: (draws, settings, batch) =>
      markovSequences(draws, model(settings), { batch, pos: as(settings).context }).tokens,
    train,
  };
}

const quick: Preset = { summary: "a first look, 1,000 steps", source: "Mechanist", settings: { steps: 1000 } };
const shai = "sizes of Shai et al. 2024, who trained with SGD for 1,000,000 steps";
/** As in the paper: 4 layers, one head of 8 dimensions, 64 wide. */
const published = { context: 10, layers: 4, width: 64, mlpWidth: 256, batch: 256, learningRate: 1e-3 };

export const mess3Target = markovTarget({
  name: "mess3",
  summary: "transformer on Mess3, a hidden Markov model whose belief states fill a fractal",
  schema: mess3Settings,
  presets: {
    default: { summary: "2 layers, 32 wide, 8 positions", source: "Mechanist", settings: {} },
    quick,
    published: { summary: "4 layers, 64 wide, 10 positions", source: shai, settings: { ...published, steps: 10_000 } },
  },
  model: (settings) => mess3(Number(settings.x), Number(settings.alpha)),
});

export const rrxorTarget = markovTarget({
  name: "rrxor",
  summary: "transformer on random-random-XOR, whose belief states say more than the next token",
  schema: rrxorSettings,
  presets: {
    default: {
      summary: "4 layers, 64 wide, 10 positions",
      source: shai,
      settings: { ...published, steps: 15_000 },
    },
    quick: { ...quick, settings: { ...published, steps: 2000 } },
  },
  model: (settings) => rrxor(Number(settings.p), Number(settings.q)),
});

export const hmmTarget = markovTarget({
  name: "hmm",
  summary: "transformer on a hidden Markov model of your own, given by its transition probabilities",
  schema: hmmSettings,
  presets: {
    default: { summary: "2 layers, 32 wide, 8 positions", source: "Mechanist", settings: {} },
    quick,
  },
  model: (settings) => modelFromJson(String(settings.transitions)),
});
