/** Training the toy model of superposition, with the settings of the published experiments. */
import { z } from "zod";
import { type NamedValues, type Values, values } from "../../engine/index.ts";
import { SPARSE_FEATURE_MODES, sparseFeatures } from "../../data/sparse-feature.ts";
import { tms } from "../../network/tms.ts";
import type { Network } from "../../network/network.ts";
import {
  abs,
  foldIn,
  type Key,
  keyFromSeed,
  mean,
  randomNormal,
  randomUniform,
  square,
  sub,
  type Tensor,
} from "../../tensor/index.ts";
import { type KnownMechanisms, portGate, PROBE_MAGNITUDE, RECOVERY_GATE } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import { cosineSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a trained TMS. */
const tmsSettings = z.strictObject({
  features: z.int().min(2).max(2000).default(5).describe("n, input features"),
  hidden: z.int().min(1).max(1000).default(2).describe("m, hidden dimensions"),
  identity: z.boolean().default(false).describe("a frozen identity between the two uses of W"),
  featureProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("how likely a feature is active; 0: 0.05, or 0.01 where there are three features or more to a dimension"),
  mode: z.enum(SPARSE_FEATURE_MODES).default("at-least-zero-active").describe("how many features are active"),
  keepEmpty: z.number().min(0).max(1).default(1).describe("how likely an example with no active feature is kept"),
  start: z
    .enum(["unit", "linear"])
    .default("unit")
    .describe("W at the start: rows of length 1 in random directions, or PyTorch's Linear"),
  bias: z.enum(["zero", "uniform"]).default("zero").describe("b at the start: zero, or U(±1/√hidden)"),
  attempts: z
    .int()
    .min(1)
    .max(1000)
    .default(20)
    .describe("trains anew, at most so often, until every feature has found its place"),
  batch: z.int().min(1).max(1_000_000).default(1024).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).default(10_000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(5e-3).describe("AdamW's rate at the start"),
  finalLearningRate: z.number().min(0).max(1).default(1).describe("fraction of it at the end, along a cosine"),
  weightDecay: z.number().min(0).default(0.01).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
type TmsSettings = z.infer<typeof tmsSettings>;

/** The network that these settings describe. */
function tmsNetwork(settings: TmsSettings): Network {
  return tms(settings);
}

/** How likely a feature is active. Where dimensions are scarce only sparser features all find a place. */
function probabilityOf({ featureProbability, features, hidden }: TmsSettings): number {
  if (featureProbability > 0) return featureProbability;
  return features / hidden >= 3 && hidden < 10 ? 0.01 : 0.05;
}

/** A batch of the data that this target is trained on. */
function tmsBatch(name: string, settings: TmsSettings, batch: number): Tensor<"batch feature"> {
  const { features, mode, keepEmpty } = settings;
  return sparseFeatures(name, { features, batch, probability: probabilityOf(settings), mode, keepEmpty });
}

/** Weights at the start: `W` by the setting `start`, PyTorch's being `U(±1/√features)`; `b` is 0 or `U(±1/√hidden)`. */
function initialWeights({ features, hidden, bias, start }: TmsSettings, key: Key): NamedValues {
  const within = (name: string, count: number, bound: number): Float32Array =>
    randomUniform(foldIn(key, name), count).map((u) => (2 * u - 1) * bound);
  const W =
    start === "linear"
      ? within("W", features * hidden, 1 / Math.sqrt(features))
      : unitRows(randomNormal(foldIn(key, "W"), features * hidden), hidden);
  return {
    W: values("feature hidden", [features, hidden], W),
    b: values("feature", [features], within("b", features, bias === "zero" ? 0 : 1 / Math.sqrt(hidden))),
  };
}

function unitRows(rows: Float32Array, length: number): Float32Array {
  const norms = rowNorms(rows, length);
  return rows.map((x, i) => x / norms[Math.floor(i / length)]!);
}

function rowNorms(rows: ArrayLike<number>, length: number): number[] {
  return Array.from({ length: rows.length / length }, (_, i) =>
    Math.hypot(...Array.prototype.slice.call(rows, i * length, (i + 1) * length)),
  );
}

/**
 * Which features a trained network has a place for: those whose row of `W` is at least half as long as the longest. One that training
 * dropped has no mechanism that anybody could find.
 *
 * @param W `feature hidden`
 */
function representedFeatures(W: Values): boolean[] {
  const norms = rowNorms(W.data, W.shape[1]!);
  return norms.map((norm) => norm >= Math.max(...norms) / 2);
}

/**
 * Trains it: AdamW on the mean over batch and features of `(|x| - y)²`. When features were dropped on the way it trains anew from other
 * weights and data, as often as `attempts` allows, and says how many attempts it took.
 *
 * Steps are counted through all attempts: attempt k has the steps from `k · steps` on.
 *
 * @returns the weights `W` (`feature hidden`) and `b` (`feature`)
 */
async function trainTms(settings: TmsSettings, options: LoopOptions = {}): Promise<Trained> {
  const { steps } = settings;
  let { resume } = options;
  for (let attempt = resume === undefined ? 0 : Math.max(0, Math.ceil(resume.step / steps) - 1); ; attempt++) {
    const trained = await trainOnce(settings, attempt, { ...options, ...(resume && { resume }) });
    resume = undefined;
    const represented = representedFeatures(trained.weights.W!).filter(Boolean).length;
    if (represented === settings.features || attempt === settings.attempts - 1) {
      return { ...trained, metrics: { ...trained.metrics, represented, attempts: attempt + 1 } };
    }
  }
}

function trainOnce(settings: TmsSettings, attempt: number, options: LoopOptions): Promise<Trained> {
  const network = tmsNetwork(settings);
  const x = tmsBatch("data", settings, settings.batch);
  return trainNetwork(
    {
      network,
      start: initialWeights(settings, foldIn(foldIn(keyFromSeed(settings.seed), "weights"), attempt)),
      objective: (weights) => ({ loss: mean(square(sub(abs(x) as Tensor, network.forward(weights, x)))) }),
      steps: settings.steps,
      first: attempt * settings.steps,
      seed: settings.seed,
      learningRate: cosineSchedule(settings.learningRate, settings.finalLearningRate),
      adamW: { weightDecay: settings.weightDecay },
    },
    options,
  );
}

const asTms = (settings: TrainDocument["settings"]): TmsSettings => settings as unknown as TmsSettings;
/** What the published targets have in common, where ours differ. */
const plain = { start: "linear", featureProbability: 0.05, attempts: 1 };
const published = "Bushnaq, Braun & Sharkey 2025 (SPD), appendix";

/**
 * One component a feature where features come in and go out, and as many as there are dimensions in between. Without superposition nothing is
 * crowded, and the published port gate applies.
 */
function knownTms({ features, hidden, identity }: TmsSettings): KnownMechanisms {
  const perFeature = { pattern: "identity", inputs: features } as const;
  return {
    patterns: {
      inputs: features,
      magnitude: PROBE_MAGNITUDE,
      sites: {
        linear1: perFeature,
        ...(identity && { identity: { pattern: "dense", rank: hidden } as const }),
        linear2: perFeature,
      },
    },
    directions: { point: "hook_hidden", weight: "W" },
    gate: hidden >= features ? portGate(["linear1", "linear2"]) : RECOVERY_GATE,
  };
}

/** The toy model of superposition as a target. */
export const tmsTarget: Target = {
  summary: "toy model of superposition: n features through m < n hidden dimensions",
  schema: tmsSettings,
  presets: {
    default: { summary: "any size, trained until every feature has a place", source: "Mechanist", settings: {} },
    quick: {
      summary: "any size, 3,000 steps: for a first look",
      source: "Mechanist",
      settings: { steps: 3000 },
    },
    "tms-5-2": {
      summary: "5 features, 2 dimensions",
      source: published,
      settings: { ...plain, features: 5, hidden: 2, bias: "uniform" },
    },
    "tms-5-2-id": {
      summary: "5-2 with a frozen identity between",
      source: published,
      settings: { ...plain, features: 5, hidden: 2, bias: "uniform", identity: true },
    },
    "tms-40-10": {
      summary: "40 features, 10 dimensions",
      source: published,
      settings: { ...plain, features: 40, hidden: 10, batch: 8192 },
    },
    "tms-40-10-id": {
      summary: "40-10 with a frozen identity between",
      source: published,
      settings: { ...plain, features: 40, hidden: 10, batch: 8192, identity: true },
    },
    "tms-5-5": {
      summary: "5 features, 5 dimensions: nothing in superposition",
      source: "goodfire-ai/param-decomp, end-to-end tests",
      settings: { ...plain, features: 5, hidden: 5, batch: 2048, steps: 2000, learningRate: 1e-2 },
    },
  },
  success: [{ metric: "represented", meaning: "features with a place of their own, of all features" }],
  title: (settings) => {
    const { features, hidden, identity } = asTms(settings);
    return `tms-${features}-${hidden}${identity ? "-id" : ""}`;
  },
  network: (settings) => tmsNetwork(asTms(settings)),
  known: (settings) => knownTms(asTms(settings)),
  batch: (name, settings, batch) => tmsBatch(name, asTms(settings), batch),
  train: (settings, options) => trainTms(asTms(settings), options),
};
