/**
 * Attention-only transformers trained on random sequences that repeat themselves. With two layers they grow an induction circuit: a
 * head that looks at the previous token, and a later one that looks for what followed the present token before (Elhage et
 * al. 2021; Olsson et al. 2022). With one layer they cannot.
 */
import { z } from "zod";
import { markedTokens } from "../../data/marked-token.ts";
import { repeatedSequences } from "../../data/repeated-sequence.ts";
import { compile, type NamedValues } from "../../engine/index.ts";
import { type Hooks, weightInputs } from "../../network/network.ts";
import {
  attentionScores,
  previousToken,
  type Sources,
  uniformScore,
} from "../../network/transformer/attention-scores.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { type Transformer, transformer } from "../../network/transformer/transformer.ts";
import { axisSize, foldIn, keyFromSeed, mean, slice, type Tensor } from "../../tensor/index.ts";
import type { KnownMechanisms } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import type { Knot } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";
import { nextTokenLosses, startingWeights } from "../transformer-start.ts";

/** Everything that decides a trained induction toy. */
const inductionSettings = z.strictObject({
  task: z
    .enum(["repeat", "marker"])
    .default("repeat")
    .describe("a segment again and again, or a token to remember after a marker, wanted after the next one"),
  vocabulary: z.int().min(2).max(100_000).default(24).describe("plain tokens; markers come on top"),
  context: z.int().min(3).max(4096).default(32).describe("positions"),
  shortest: z.int().min(1).default(4).describe("shortest segment, where segments repeat"),
  longest: z.int().min(1).default(16).describe("longest segment, where segments repeat"),
  layers: z.int().min(1).max(12).default(2).describe("layers of attention"),
  width: z.int().min(1).max(4096).default(32).describe("d_model"),
  heads: z.int().min(1).max(64).default(2).describe("heads a layer; each has width / heads dimensions"),
  batch: z.int().min(1).max(100_000).default(64).describe("sequences a step"),
  steps: z.int().min(1).max(10_000_000).default(2000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(3e-3).describe("AdamW's rate"),
  warmUp: z.int().min(0).default(0).describe("steps in which the rate rises to it from 0"),
  weightDecay: z.number().min(0).default(0.01).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type InductionSettings = z.infer<typeof inductionSettings>;

/** Sequences that the trained network is measured on. */
const HELD_OUT = 256;

/** The network that these settings describe. Positions are sinusoids that only queries and keys see (Press et al. 2021). */
function inductionNetwork(settings: InductionSettings): Transformer {
  const { task, vocabulary, context, layers, width, heads } = settings;
  const network = transformer(
    toyTransformer({
      vocab: task === "marker" ? vocabulary + 2 : vocabulary,
      context,
      layers,
      dModel: width,
      heads,
      positions: { kind: "absolute", table: "sinusoidal", addedTo: "queries and keys" },
    }),
  );
  return task === "marker" ? { ...network, answersAt: "last" } : network;
}

/** Sequences with what can be known of them. */
interface Task {
  /** i32 `batch pos`, one longer than the context. */
  readonly tokens: Tensor<"batch pos">;
  /** i32 `batch`: the segment's length, or where the first marker stands. */
  readonly place: Tensor<"batch">;
  /** From where on predictions count in training. */
  readonly from: number;
  /** Which keys hold the token that comes after a query; none where it cannot be known. */
  sources(place: number, query: number): number[];
}

function sequences(name: string, settings: InductionSettings, batch: number): Task {
  const { task, vocabulary, context, shortest, longest } = settings;
  if (task === "marker") {
    const { tokens, marker } = markedTokens(name, { batch, pos: context, vocabulary });
    const last = context - 1;
    return { tokens, place: marker, from: last, sources: (place, query) => (query === last ? [place + 1] : []) };
  }
  const { tokens, period } = repeatedSequences(name, { batch, pos: context + 1, vocabulary, shortest, longest });
  // What followed the present token in each earlier copy.
  const sources = (length: number, query: number): number[] =>
    Array.from({ length: Math.floor(query / length) }, (_, i) => query - (i + 1) * length + 1);
  return { tokens, place: period, from: 0, sources };
}

function learningRate({ learningRate: value, warmUp, steps }: InductionSettings): Knot[] {
  return warmUp === 0
    ? [{ at: 0, value }]
    : [
        { at: 0, value: value / warmUp },
        { at: Math.min(1, (warmUp - 1) / Math.max(1, steps - 1)), value },
      ];
}

/**
 * Trains it: AdamW on the mean cross-entropy of every next token, those of the first copy included; where a marker asks for one token,
 * of that one alone.
 */
async function trainInduction(settings: InductionSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = inductionNetwork(settings);
  const { tokens, from } = sequences("data", settings, settings.batch);
  const trained = await trainNetwork(
    {
      network,
      start: startingWeights(network, foldIn(keyFromSeed(settings.seed), "weights"), { embed: 0.5, unembed: 0.1 }),
      objective: (weights) => {
        const losses = nextTokenLosses(network, weights, tokens);
        return { loss: mean(slice(losses, "pos", from, axisSize(losses, "pos"))) };
      },
      steps: settings.steps,
      seed: settings.seed,
      learningRate: learningRate(settings),
      adamW: { weightDecay: settings.weightDecay },
    },
    options,
  );
  return {
    ...trained,
    metrics: { ...trained.metrics, ...(await inductionScores(settings, trained.weights, options)) },
  };
}

/** What a network has learnt of induction, measured on new sequences: the numbers that `inductionTarget.success` explains. */
async function inductionScores(
  settings: InductionSettings,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const network = inductionNetwork(settings);
  const { context, layers } = settings;
  const task = sequences("held out", settings, HELD_OUT);
  const patterns: Record<string, Tensor> = {};
  const hooks: Hooks = {
    at: (point, value) => {
      if (point.endsWith("hook_pattern")) patterns[point] = value;
      return undefined;
    },
  };
  const losses = nextTokenLosses(network, weightInputs(network.weights), task.tokens, hooks);
  const first = patterns["blocks.0.attn.hook_pattern"]!;
  const last = patterns[`blocks.${layers - 1}.attn.hook_pattern`]!;
  const program = await compile({ losses, place: task.place, first, last }, options);
  const found = await program.run(weights, foldIn(keyFromSeed(settings.seed), "held out"));
  await program.dispose();
  const sources: Sources = (row, query) => task.sources(found.place.data[row]!, query);
  return {
    secondCopyLoss: meanWhere(found.losses.data, context, sources),
    uniformLoss: Math.log(network.config.vocab),
    prefixMatching: Math.max(...attentionScores(found.last, sources)),
    uniformPrefixMatching: uniformScore(HELD_OUT, context, sources),
    previousToken: Math.max(...attentionScores(found.first, previousToken)),
    uniformPreviousToken: uniformScore(1, context, previousToken),
    ...(task.from === 0 && { inContextDrop: inContextDrop(found.losses.data, context) }),
  };
}

/** The mean over the queries whose next token can be known. */
function meanWhere(losses: ArrayLike<number>, context: number, sources: Sources): number {
  let [total, count] = [0, 0];
  for (let i = 0; i < losses.length; i++) {
    if (sources(Math.floor(i / context), i % context).length === 0) continue;
    total += losses[i]!;
    count++;
  }
  return total / count;
}

/**
 * How much lower the loss is late in the context than early: that of the prediction 50/512 of the way in minus that 500/512 of the way
 * in, which are Olsson et al.'s 50th and 500th of 512.
 *
 * @param losses `batch pos`, flat, in nats
 */
export function inContextDrop(losses: ArrayLike<number>, context: number): number {
  const at = (fraction: number): number => {
    const pos = Math.max(1, Math.round(fraction * context)) - 1;
    let total = 0;
    for (let i = pos; i < losses.length; i += context) total += losses[i]!;
    return (total * context) / losses.length;
  };
  return at(50 / 512) - at(500 / 512);
}

const asInduction = (settings: TrainDocument["settings"]): InductionSettings =>
  settings as unknown as InductionSettings;

/**
 * The most that the answer may keep, as a multiple of a uniform guess's probability, to count as guessed. Attention that looks everywhere alike
 * still finds a little: without the first layer's queries and keys altogether the answer keeps four times that.
 */
const NEAR_CHANCE = 8;

/** The least probability of the answer with which a network counts as knowing it. */
const KNOWN = 0.5;

/** The two steps of the circuit, in networks that remember a token after a marker. */
function knownInduction({ task, layers, vocabulary }: InductionSettings): KnownMechanisms | undefined {
  if (task === "repeat") return { languageModel: {} };
  if (layers < 2) return undefined;
  const attention = (layer: number): string[] => ["W_Q", "W_K"].map((name) => `blocks.${layer}.attn.${name}`);
  const chance = 1 / vocabulary;
  return {
    marker: { marker: vocabulary + 1, previousToken: attention(0), matching: attention(layers - 1), chance },
    gate: {
      source: "Mechanist",
      bounds: [
        // A network that answers nothing has nothing to lose without any of its components.
        { measure: "answer", least: KNOWN },
        { measure: "answerWithoutPreviousToken", most: NEAR_CHANCE * chance },
        { measure: "answerWithoutMatching", most: NEAR_CHANCE * chance },
        { measure: "lossOfAliveAlone", most: 0.05 },
      ],
    },
  };
}

const marker = { task: "marker", vocabulary: 128, context: 64, width: 16, heads: 1 };

/** Induction as a target. */
export const inductionTarget: Target = {
  summary: "attention-only transformer on sequences that repeat themselves: induction heads",
  schema: inductionSettings,
  presets: {
    default: { summary: "24 tokens, 32 wide, 2 layers of 2 heads: seconds", source: "Mechanist", settings: {} },
    quick: { summary: "the same, 1,000 steps", source: "Mechanist", settings: { steps: 1000 } },
    "one-layer": {
      summary: "control: the same with one layer, which cannot do it",
      source: "Mechanist",
      settings: { layers: 1, steps: 1000 },
    },
    large: {
      summary: "64 tokens and positions, 64 wide, 2 layers of 4 heads: minutes",
      source: "Mechanist",
      settings: {
        vocabulary: 64,
        context: 64,
        shortest: 8,
        longest: 32,
        width: 64,
        heads: 4,
        steps: 4000,
        learningRate: 1e-3,
      },
    },
    marker: {
      summary: "a token after a marker, wanted after the next: 128 tokens, 16 wide, 2 layers of one head: seconds",
      source: "data and network of goodfire-ai/spd, experiments/ih",
      settings: { ...marker, steps: 3000, warmUp: 100 },
    },
    "marker-published": {
      summary: "the same as it was published, 100,000 steps of 1,024 sequences: hours",
      source: "goodfire-ai/spd, experiments/ih",
      settings: { ...marker, batch: 1024, steps: 100_000, learningRate: 1e-3, warmUp: 1000 },
    },
  },
  success: [
    {
      metric: "secondCopyLoss",
      meaning:
        "nats, of tokens that came before after the same token; uniformLoss, ln of the vocabulary, knows nothing",
    },
    { metric: "uniformLoss", meaning: "chance level of secondCopyLoss, nats: every token as likely as any other" },
    {
      metric: "prefixMatching",
      meaning:
        "best head of the last layer: attention to what followed this token in earlier copies, of 1; chance: uniformPrefixMatching",
    },
    {
      metric: "uniformPrefixMatching",
      meaning:
        "chance level of prefixMatching: the same of a head that looks at every key up to its own position alike",
    },
    {
      metric: "previousToken",
      meaning: "best head of the first layer: attention to the token before, of 1; chance: uniformPreviousToken",
    },
    {
      metric: "uniformPreviousToken",
      meaning: "chance level of previousToken: the same of a head that looks at every key up to its own position alike",
    },
    {
      metric: "inContextDrop",
      meaning: "nats a token, loss early in the context minus late (Olsson et al. 2022); 0 without learning in context",
    },
  ],
  title: (settings) => {
    const { layers, heads, width } = asInduction(settings);
    return `induction-${layers}x${heads}-${width}`;
  },
  network: (settings) => inductionNetwork(asInduction(settings)),
  known: (settings) => knownInduction(asInduction(settings)),
  batch: (name, settings, batch) => {
    const induction = asInduction(settings);
    return slice(sequences(name, induction, batch).tokens, "pos", 0, induction.context);
  },
  train: (settings, options) => trainInduction(asInduction(settings), options),
};
