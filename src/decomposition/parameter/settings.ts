/** Everything that decides a run of stochastic parameter decomposition. */
import { z } from "zod";
import type { ImportanceFunction } from "./importance/importance.ts";
import { scalarGates } from "./importance/scalar-gate.ts";

const coefficient = (what: string): z.ZodNumber => z.number().min(0).describe(`coefficient of ${what}`);

const fraction = (what: string): z.ZodNumber => z.number().min(0).max(1).describe(`fraction of the run ${what}`);

export const spdSettings = z.strictObject({
  sites: z.string().default("").describe("names of the matrices to take apart, with commas between; empty: all"),
  components: z.int().min(1).max(100_000).describe("C, subcomponent slots at each site"),
  gateWidth: z.int().min(1).max(4096).default(16).describe("hidden width of each component's gate"),
  gateStart: z
    .enum(["normal", "rising"])
    .default("normal")
    .describe("gates' weights at the start: any sign, or importance rises with activation"),
  faithfulness: coefficient("faithfulness").default(1),
  stochasticRecon: coefficient("reconstruction with all sites masked").default(1),
  layerwiseRecon: coefficient("reconstruction with one site masked at a time").default(1),
  importanceMinimality: coefficient("importance minimality, at its peak"),
  importanceRise: fraction("over which that coefficient rises from 0").default(0),
  importanceFall: fraction("after which it falls").default(1),
  importanceEnd: z.number().min(0).max(1).default(1).describe("fraction of the coefficient left at the end"),
  frequencyMinimality: z.number().min(0).default(0).describe("weight of frequency minimality, times that coefficient"),
  frequencyReference: z.number().gt(0).default(1).describe("a' of frequency minimality, examples"),
  pStart: z.number().gt(0).max(4).describe("importance exponent p at the start"),
  pEnd: z.number().gt(0).max(4).describe("p at the end; a straight line between"),
  lowerLeak: z
    .enum(["straight-through", "slope"])
    .default("straight-through")
    .describe("leak of the mask sigmoid below 0"),
  delta: z.boolean().default(false).describe("mask what the components leave over, too"),
  featureProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("how likely a feature is active in the data for this; 0: as the target was trained"),
  keepEmpty: z.number().min(0).max(1).default(1).describe("how likely an example with no active feature is kept"),
  batch: z.int().min(1).max(1_000_000).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).describe("optimiser steps after the warm-up"),
  learningRate: z.number().gt(0).describe("Adam's rate at the start"),
  finalLearningRate: z.number().min(0).max(1).default(0).describe("fraction of it at the end, along a cosine"),
  clipNorm: z.number().min(0).default(0).describe("clip the gradient at this norm; 0: never"),
  warmupSteps: z.int().min(0).max(1_000_000).default(200).describe("steps of faithfulness alone, first"),
  warmupLearningRate: z.number().gt(0).default(0.01).describe("AdamW's rate in the warm-up"),
  warmupWeightDecay: z.number().min(0).default(0).describe("AdamW's decay in the warm-up"),
  pruneBelow: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("components whose importance is less than this on average become 0; 0: none do"),
  pruneAt: z.number().gt(0).max(1).default(1).describe("fraction of the run after which they do; the others learn on"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of components, gates, data and masks"),
});
export type SpdSettings = z.infer<typeof spdSettings>;

/** What predicts importances, as settings ask for it. */
export function importanceFunction({ gateWidth, gateStart }: SpdSettings): ImportanceFunction {
  return scalarGates(gateWidth, gateStart);
}
