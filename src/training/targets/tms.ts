/** Training the toy model of superposition, with the settings of the published experiments. */
import { z } from "zod";
import { type NamedValues, values } from "../../engine/index.ts";
import { SPARSE_FEATURE_MODES, sparseFeatures } from "../../data/sparse-feature.ts";
import { tms } from "../../network/tms.ts";
import type { Network } from "../../network/network.ts";
import {
  abs,
  foldIn,
  type Key,
  keyFromSeed,
  mean,
  randomUniform,
  square,
  sub,
  type Tensor,
} from "../../tensor/index.ts";
import { adamWScalars } from "../adamw.ts";
import { type LoopOptions, runStage } from "../loop.ts";
import { compileOptimisation, savedState, weightsOf } from "../optimise.ts";
import { layoutOf } from "../parameters.ts";
import { cosineSchedule, scheduleAt } from "../schedule.ts";
import type { Trained } from "../targets.ts";

/** Everything that decides a trained TMS. */
export const tmsSettings = z.strictObject({
  features: z.int().min(2).max(2000).default(5).describe("n, input features"),
  hidden: z.int().min(1).max(1000).default(2).describe("m, hidden dimensions"),
  identity: z.boolean().default(false).describe("a frozen identity between the two uses of W"),
  featureProbability: z.number().gt(0).max(1).default(0.05).describe("how likely a feature is active"),
  mode: z.enum(SPARSE_FEATURE_MODES).default("at-least-zero-active").describe("how many features are active"),
  keepEmpty: z.number().min(0).max(1).default(1).describe("how likely an example with no active feature is kept"),
  bias: z.enum(["zero", "uniform"]).default("zero").describe("b at the start: zero, or U(±1/√hidden)"),
  batch: z.int().min(1).max(1_000_000).default(1024).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).default(10_000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(5e-3).describe("AdamW's rate at the start"),
  finalLearningRate: z.number().min(0).max(1).default(1).describe("fraction of it at the end, along a cosine"),
  weightDecay: z.number().min(0).default(0.01).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type TmsSettings = z.infer<typeof tmsSettings>;

/** The network that these settings describe. */
export function tmsNetwork(settings: TmsSettings): Network {
  return tms(settings);
}

/** A batch of the data that this target is trained on. */
export function tmsBatch(name: string, settings: TmsSettings, batch: number): Tensor<"batch feature"> {
  const { features, featureProbability: probability, mode, keepEmpty } = settings;
  return sparseFeatures(name, { features, batch, probability, mode, keepEmpty });
}

/** Weights at the start, as PyTorch's `Linear` draws them: `W ~ U(±1/√features)`, `b ~ U(±1/√hidden)` or 0. */
function initialWeights({ features, hidden, bias }: TmsSettings, key: Key): NamedValues {
  const draw = (name: string, count: number, bound: number): Float32Array =>
    randomUniform(foldIn(key, name), count).map((u) => (2 * u - 1) * bound);
  return {
    W: values("feature hidden", [features, hidden], draw("W", features * hidden, 1 / Math.sqrt(features))),
    b: values("feature", [features], draw("b", features, bias === "zero" ? 0 : 1 / Math.sqrt(hidden))),
  };
}

/**
 * Trains it: AdamW on the mean over batch and features of `(|x| - y)²`.
 *
 * @returns the weights `W` (`feature hidden`) and `b` (`feature`)
 */
export async function trainTms(settings: TmsSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = tmsNetwork(settings);
  const layout = layoutOf(network.weights);
  const key = keyFromSeed(settings.seed);
  const x = tmsBatch("data", settings, settings.batch);
  const stepper = await compileOptimisation(
    {
      layout,
      objective: (weights) => ({ loss: mean(square(sub(abs(x) as Tensor, network.forward(weights, x)))) }),
      start: options.resume?.tensors ?? initialWeights(settings, foldIn(key, "weights")),
      adamW: settings,
    },
    options,
  );
  const stepKey = foldIn(key, "steps");
  const schedule = cosineSchedule(settings.learningRate, settings.finalLearningRate);
  try {
    const result = await runStage(
      {
        name: "train",
        stepper,
        from: options.resume?.step ?? 0,
        steps: settings.steps,
        inputsAt: (step) => ({
          key: foldIn(stepKey, step),
          scalars: adamWScalars(step + 1, scheduleAt(schedule, step, settings.steps)),
        }),
        tensors: savedState(layout),
      },
      options,
    );
    return { ...result, weights: weightsOf(layout, stepper) };
  } finally {
    await stepper.dispose();
  }
}
