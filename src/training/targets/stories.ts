/**
 * A small language model on the built-in stories (`src/data/story-grammar.ts`), whose latent structure and least loss are known: a
 * transformer with layer norm and GELU, one story a row.
 */
import { z } from "zod";
import { optimalLoss, stories, STORY_VOCABULARY, type Story } from "../../data/story-grammar.ts";
import { type NamedValues, type Values } from "../../engine/index.ts";
import { RunnableNetwork } from "../../network/run.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { type Transformer, transformer } from "../../network/transformer/transformer.ts";
import {
  axisSize,
  cast,
  div,
  foldIn,
  greater,
  input,
  keyFromSeed,
  mul,
  slice,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { drawRows } from "../../data/draws.ts";
import { LANGUAGE_MODEL_GATE } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import type { Knot } from "../schedule.ts";
import { inputsOf, meanLoss, unigramLoss } from "../next-token-scores.ts";
import { accuracy, agreementChoices, factChoices } from "../story-scores.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";
import { nextTokenLosses, startingWeights } from "../transformer-start.ts";

/** Everything that decides a trained story model. */
const storiesSettings = z.strictObject({
  stories: z.int().min(1).max(1_000_000).default(8192).describe("stories to learn from"),
  context: z.int().min(2).max(1024).default(128).describe("positions; longer stories are cut"),
  layers: z.int().min(1).max(24).default(2).describe("layers"),
  width: z.int().min(1).max(4096).default(128).describe("d_model"),
  heads: z.int().min(1).max(64).default(4).describe("heads a layer; each has width / heads dimensions"),
  mlpWidth: z.int().min(0).max(16_384).default(512).describe("neurons a layer; 0: attention alone"),
  batch: z.int().min(1).max(100_000).default(16).describe("stories a step"),
  steps: z.int().min(1).max(10_000_000).default(3000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(3e-3).describe("AdamW's highest rate"),
  warmUp: z.number().min(0).max(1).default(0.05).describe("share of the steps in which the rate rises to it"),
  weightDecay: z.number().min(0).default(0.01).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type StoriesSettings = z.infer<typeof storiesSettings>;

/** Stories that the trained model is measured on. */
const HELD_OUT = 512;
const { pad, size: VOCAB } = STORY_VOCABULARY;

/** The network that these settings describe. */
export function storiesNetwork({ context, layers, width, heads, mlpWidth }: StoriesSettings): Transformer {
  return transformer(
    toyTransformer({
      vocab: VOCAB,
      context,
      layers,
      dModel: width,
      heads,
      dMlp: mlpWidth,
      activation: "gelu",
      norm: "layer",
      bias: true,
    }),
  );
}

/** One story a row, cut or padded on the right to one token more than the context. */
function tableOf(list: readonly Story[], context: number): Values<"row pos"> {
  const pos = context + 1;
  const data = new Int32Array(list.length * pos).fill(pad);
  list.forEach(({ tokens }, row) => data.set(tokens.subarray(0, pos), row * pos));
  return { axes: "row pos", shape: [list.length, pos], dtype: "i32", data };
}

const trainingStories = ({ seed, stories: count }: StoriesSettings): Story[] =>
  stories(foldIn(keyFromSeed(seed), "stories"), count);

/** A batch of whole rows: one token more than the context. */
function rows(name: string, settings: StoriesSettings, batch: number): Tensor<"batch pos"> {
  const table = input("stories", "row pos", { row: settings.stories, pos: settings.context + 1 }, "i32");
  return drawRows(name, table, batch);
}

/**
 * The mean cross-entropy, in nats, of every token but the first of each row and padding.
 *
 * @param tokens one more than the positions that the network is run on
 */
export function storyLoss(network: Transformer, weights: Tensors, tokens: Tensor<"batch pos">): Tensor<""> {
  const next = slice(tokens, "pos", 1, axisSize(tokens, "pos"));
  const counts = cast(greater(cast(next, "f32"), pad), "f32");
  return div(sum(mul(nextTokenLosses(network, weights, tokens), counts)), sum(counts));
}

/** Trains it by AdamW. */
async function trainStories(settings: StoriesSettings, options: LoopOptions = {}): Promise<Trained> {
  const { context, layers, seed, steps, learningRate, warmUp, weightDecay } = settings;
  const network = storiesNetwork(settings);
  const list = trainingStories(settings);
  const table = tableOf(list, context);
  const tokens = rows("data", settings, settings.batch);
  const schedule: Knot[] = [
    { at: 0, value: 0.01 * learningRate },
    { at: warmUp, value: learningRate },
    { at: 1, value: 0, interpolation: "cosine" },
  ];
  const scales = { embed: 0.1, unembed: 0.02, residual: 1 / Math.sqrt(2 * layers) };
  const trained = await trainNetwork(
    {
      network,
      start: startingWeights(network, foldIn(keyFromSeed(seed), "weights"), scales),
      objective: (weights) => ({ loss: storyLoss(network, weights, tokens) }),
      tables: { stories: table },
      steps,
      seed,
      learningRate: schedule,
      adamW: { weightDecay },
      clipNorm: 1,
    },
    options,
  );
  const scores = await measured(settings, trained.weights, table, options);
  return { ...trained, metrics: { ...trained.metrics, ...scores } };
}

/** What a model knows of stories that it has not seen: the numbers that `storiesTarget.success` explains. */
async function measured(
  settings: StoriesSettings,
  weights: NamedValues,
  seen: Values,
  { device, threads }: LoopOptions,
): Promise<Record<string, number>> {
  const { context, seed } = settings;
  const list = stories(foldIn(keyFromSeed(seed), "held out"), HELD_OUT);
  const table = tableOf(list, context);
  const runnable = new RunnableNetwork(storiesNetwork(settings), weights, {
    ...(device && { device }),
    ...(threads && { threads }),
  });
  const { output: logits } = await runnable.run(inputsOf(table));
  await runnable.dispose();
  const isWord = (id: number): boolean => id !== pad;
  const agreement = accuracy(list, agreementChoices, logits);
  const owner = accuracy(list, (story) => factChoices(story, "owner"), logits);
  const place = accuracy(list, (story) => factChoices(story, "place"), logits);
  return {
    heldOutLoss: meanLoss(logits, table, isWord),
    lossFloor: optimalLoss(list, (_, position) => position <= context).loss,
    unigramLoss: unigramLoss(seen, table, VOCAB, isWord),
    agreement: agreement.model,
    owner: owner.model,
    ownerChance: owner.chance,
    ownerLastNamed: owner.shortcut,
    place: place.model,
    placeChance: place.chance,
    placeLastNamed: place.shortcut,
  };
}

const asStories = (settings: TrainDocument["settings"]): StoriesSettings => settings as unknown as StoriesSettings;

/** The story model as a target. */
export const storiesTarget: Target = {
  summary: "small language model on built-in stories whose latent structure and least loss are known",
  schema: storiesSettings,
  presets: {
    default: { summary: "2 layers, 128 wide, 4 heads: minutes", source: "Mechanist", settings: {} },
    quick: {
      summary: "a first look in seconds: 64 wide, fewer stories and steps",
      source: "Mechanist",
      settings: { stories: 1024, width: 64, mlpWidth: 256, steps: 300, batch: 8, context: 96 },
    },
  },
  success: [
    {
      metric: "heldOutLoss",
      meaning: "nats a token on new stories; lossFloor is the least there is, unigramLoss that of word frequencies",
    },
    { metric: "lossFloor", meaning: "nats a token: what the grammar leaves open, exactly, on the same tokens" },
    { metric: "unigramLoss", meaning: "nats a token: what word frequencies alone lose on the same tokens" },
    {
      metric: "agreement",
      meaning:
        "verbs in the right number where a noun of the other number stands between, of 1; chance 0.5, nearest noun 0",
    },
    {
      metric: "owner",
      meaning:
        "who has what, named right among those there are, of 1; chance ownerChance, last one named ownerLastNamed",
    },
    { metric: "ownerChance", meaning: "chance level of owner: one in those there are, over the same questions" },
    { metric: "ownerLastNamed", meaning: "baseline of owner: whoever was named last, of 1" },
    {
      metric: "place",
      meaning:
        "who is where, named right among the places there are, of 1; chance placeChance, last one placeLastNamed",
    },
    { metric: "placeChance", meaning: "chance level of place: one in those there are, over the same questions" },
    { metric: "placeLastNamed", meaning: "baseline of place: the place that was named last, of 1" },
  ],
  title: (settings) => `stories-${asStories(settings).layers}-${asStories(settings).width}`,
  network: (settings) => storiesNetwork(asStories(settings)),
  known: () => ({ languageModel: { padding: pad }, gate: LANGUAGE_MODEL_GATE }),
  tables: (settings) => ({ stories: tableOf(trainingStories(asStories(settings)), asStories(settings).context) }),
  tokens: () => ({ text: (id) => STORY_VOCABULARY.words[id] ?? String(id), separator: " ", padding: pad }),
  batch: (name, settings, batch) =>
    slice(rows(name, asStories(settings), batch), "pos", 0, asStories(settings).context),
  train: (settings, options) => trainStories(asStories(settings), options),
};
