/**
 * A small language model on the built-in stories (`src/data/story-grammar.ts`), whose latent structure and least loss are known: a
 * transformer with layer norm and GELU, one story a row.
 */
import { z } from "zod";
import { optimalLoss, stories, STORY_VOCABULARY, type Story } from "../../data/story-grammar.ts";
import { type NamedValues, type Values } from "../../engine/index.ts";
import { RunnableNetwork } from "../../network/run.ts";
import type { Transformer } from "../../network/transformer/transformer.ts";
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
import { languageModel, languageModelSettings, trainLanguageModel } from "../language-model.ts";
import type { LoopOptions } from "../loop.ts";
import { inputsOf, meanLoss, unigramLoss } from "../next-token-scores.ts";
import { accuracy, agreementChoices, factChoices } from "../story-scores.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { nextTokenLosses } from "../transformer-start.ts";

/** Everything that decides a trained story model. */
const storiesSettings = z.strictObject({
  stories: z.int().min(1).max(1_000_000).default(8192).describe("stories to learn from"),
  context: z.int().min(2).max(1024).default(128).describe("positions; longer stories are cut"),
  steps: z.int().min(1).max(10_000_000).default(3000).describe("optimiser steps"),
  ...languageModelSettings,
});
export type StoriesSettings = z.infer<typeof storiesSettings>;

/** Stories that the trained model is measured on. */
const HELD_OUT = 512;
const { pad, size: VOCAB } = STORY_VOCABULARY;

/** The network that these settings describe. */
export const storiesNetwork = (settings: StoriesSettings): Transformer => languageModel(settings, VOCAB);

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

async function trainStories(settings: StoriesSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = storiesNetwork(settings);
  const table = tableOf(trainingStories(settings), settings.context);
  const tokens = rows("data", settings, settings.batch);
  const loss = (weights: Tensors): Tensor<""> => storyLoss(network, weights, tokens);
  const trained = await trainLanguageModel(network, settings, { loss, tables: { stories: table } }, options);
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
