/** Everything that decides a run of parameter decomposition: SPD, VPD and targeted decomposition are settings of one method. */
import { z } from "zod";
import { importanceSettings } from "./importance/settings.ts";

const coefficient = (what: string): z.ZodDefault<z.ZodNumber> =>
  z.number().min(0).default(0).describe(`coefficient of ${what}`);

const fraction = (what: string): z.ZodNumber => z.number().min(0).max(1).describe(`fraction of the run ${what}`);

const places = {
  sites: z
    .string()
    .default("")
    .describe(
      "the matrices to take apart, names with commas between, * for any part of one; empty: all but embeddings, which are asked for by name",
    ),
  identities: z
    .string()
    .default("")
    .describe("hook points with commas between, at each of which an identity is put in and taken apart as well"),
  tied: z.boolean().default(false).describe("one matrix in two places has the same components in both, transposed"),
  components: z.int().min(1).max(100_000).describe("C, subcomponent slots at each site"),
  componentsAt: z
    .string()
    .default("")
    .describe("other numbers of slots for some sites: *.W_in=64,blocks.0.*=32; the last that fits counts"),
  start: z
    .enum(["normal", "nonlinearity-aligned"])
    .default("normal")
    .describe("components at the start: random, or rows and columns of the matrices at their neurons or heads"),
};

const reconstructions = {
  stochasticRecon: z
    .number()
    .min(0)
    .default(1)
    .describe("coefficient of reconstruction with all sites masked at random"),
  layerwiseRecon: z.number().min(0).default(1).describe("coefficient of reconstruction with one site masked at a time"),
  subsetRecon: coefficient("reconstruction with a random subset of sites masked, others whole"),
  ciMaskedRecon: coefficient("reconstruction with importances as masks"),
  unmaskedRecon: coefficient("reconstruction with all components whole and no remainder"),
  adversarialRecon: coefficient("reconstruction under an adversary that starts anew each step"),
  persistentRecon: coefficient("reconstruction under an adversary that is kept from step to step"),
  mergedRecon: coefficient(
    "both in one run: each example is attacked by the persistent adversary, or masked at random on a subset",
  ),
  hiddenRecon: coefficient("reconstruction of the residual stream in the runs with all sites masked at random"),
  hiddenPoints: z
    .string()
    .default("*.hook_resid_post")
    .describe("which hook points that compares; * for any part of a name"),
  samples: z.int().min(1).max(64).default(1).describe("draws of masks for each random reconstruction"),
  sampling: z.enum(["uniform", "binomial"]).default("uniform").describe("sources of random masks: U(0, 1), or 0 and 1"),
  routing: z
    .enum(["uniform-k", "probability"])
    .default("uniform-k")
    .describe("how subsets are drawn, for each row anew"),
  routingProbability: z.number().gt(0).max(1).default(0.5).describe("with probability: how likely each site is masked"),
  delta: z.boolean().default(false).describe("mask what the components leave over, too"),
};

const adversaries = {
  adversarySteps: z.int().min(1).max(1000).default(1).describe("ascents of the adversary that starts anew"),
  adversaryStepSize: z.number().gt(0).default(1).describe("how far each moves every source"),
  adversaryStart: z.enum(["random", "zeros", "ones"]).default("random").describe("where it starts"),
  adversaryScope: z
    .enum(["row", "all"])
    .default("all")
    .describe("whether each row has its own sources, or all share them"),
  adversaryRouting: z.enum(["all", "subset", "layerwise"]).default("all").describe("which sites it masks"),
  persistentScope: z
    .enum(["row", "example", "position", "all", "pool"])
    .default("row")
    .describe("which rows share a persistent source; pool: each example draws one of several"),
  particles: z.int().min(1).max(64).default(4).describe("with pool: how many sources an example has"),
  persistentLearningRate: z
    .number()
    .gt(0)
    .default(0.01)
    .describe("Adam's rate of its ascents, after a rise over 2.5 % of the run"),
  persistentWarmUps: z.int().min(0).max(100).default(2).describe("its ascents a step beside the last"),
  persistentBeta1: z.number().min(0).lt(1).default(0.5).describe("Adam's β1 of its ascents"),
  persistentBeta2: z.number().min(0).lt(1).default(0.99).describe("Adam's β2 of its ascents"),
  persistentFrom: fraction("after which its reconstruction counts").default(0),
  persistentRise: fraction("over which its coefficient then rises").default(0),
  adversarialFraction: z.number().min(0).max(1).default(0.5).describe("of mergedRecon: how many examples are attacked"),
};

const sparsity = {
  faithfulness: z.number().min(0).default(1).describe("coefficient of faithfulness"),
  relativeFaithfulness: z
    .boolean()
    .default(false)
    .describe("share of squared weights, mean over sites, instead of mean squared weight"),
  importanceMinimality: coefficient("importance minimality, at its peak"),
  importanceRise: fraction("over which that coefficient rises from 0").default(0),
  importanceFall: fraction("after which it falls").default(1),
  importanceEnd: z.number().min(0).max(1).default(1).describe("fraction of the coefficient left at the end"),
  penalty: z
    .enum(["power", "smooth-l0"])
    .default("power")
    .describe("what an importance g costs: g^p, or g² / (g² + γ²)"),
  pStart: z.number().gt(0).max(4).default(1).describe("importance exponent p at the start"),
  pEnd: z.number().gt(0).max(4).default(1).describe("p at the end; a straight line between"),
  penaltyEpsilon: z.number().min(0).default(0).describe("added to importances before they are raised to p"),
  gammaStart: z.number().gt(0).default(1).describe("γ of smooth-l0 at the start"),
  gammaEnd: z.number().gt(0).default(0.01).describe("γ from gammaUntil on; a straight line between"),
  gammaUntil: fraction("after which γ stays").default(0.9),
  normalizeAtOne: z.boolean().default(false).describe("an importance of 1 costs 1 whatever γ is"),
  frequencyMinimality: z.number().min(0).default(0).describe("weight of frequency minimality, times that coefficient"),
  frequencyReference: z
    .number()
    .min(0)
    .default(1)
    .describe("a' of frequency minimality, examples; 0: the rows of a batch"),
  frequencyOf: z
    .enum(["importance", "penalty"])
    .default("importance")
    .describe("whose means are frequencies: importances, or what they cost"),
  frequencyHalfLife: z
    .number()
    .min(0)
    .default(0)
    .describe("steps in which the running mean of frequencies halves; 0: each batch for itself"),
  locality: coefficient("nonlinearity locality: each component at few neurons or heads"),
  localityStart: z.number().gt(0).default(8).describe("its threshold at the start"),
  localityEnd: z.number().gt(0).default(0.25).describe("its threshold at the end"),
  lowerLeak: z
    .enum(["straight-through", "slope"])
    .default("straight-through")
    .describe("leak of the mask sigmoid below 0"),
};

const targeting = {
  targetFeatures: z
    .string()
    .default("")
    .describe("take apart only what these input features use, numbers with commas between; empty: everything"),
  targetPrompts: z
    .string()
    .default("")
    .describe(
      "take apart only what these prompts use: token ids with spaces between, a line or ; between prompts of one length",
    ),
  targetBatch: z.int().min(1).max(1_000_000).default(256).describe("examples of the target a step"),
  otherImportance: z.number().min(0).default(2).describe("importance minimality elsewhere, times that on the target"),
  otherRecon: z
    .number()
    .min(0)
    .default(1)
    .describe("coefficient of random reconstruction elsewhere, the remainder whole"),
  otherUnmasked: coefficient("reconstruction elsewhere with all components whole and no remainder"),
  unusedDecay: z
    .number()
    .min(0)
    .default(0)
    .describe("decay of components by what their greatest importance lacks to 1"),
};

const optimisation = {
  featureProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("how likely a feature is active in the data for this; 0: as the target was trained"),
  keepEmpty: z.number().min(0).max(1).default(1).describe("how likely an example with no active feature is kept"),
  batch: z.int().min(1).max(1_000_000).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).describe("optimiser steps after the warm-up"),
  optimiser: z.enum(["adamw", "muon"]).default("adamw").describe("of components and what predicts importances"),
  learningRate: z.number().gt(0).describe("its rate at the start"),
  importanceLearningRate: z.number().min(0).default(0).describe("its rate for what predicts importances; 0: the same"),
  finalLearningRate: z.number().min(0).max(1).default(0).describe("fraction of it at the end, along a cosine"),
  clipNorm: z.number().min(0).default(0).describe("clip the components' gradient at this norm; 0: never"),
  importanceClipNorm: z.number().min(0).default(0).describe("the same for what predicts importances"),
  warmupSteps: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(200)
    .describe("steps of faithfulness alone, first; none where an aligned start adds up exactly"),
  warmupLearningRate: z.number().gt(0).default(0.01).describe("AdamW's rate in the warm-up"),
  warmupWeightDecay: z.number().min(0).default(0).describe("AdamW's decay in the warm-up"),
  pruneBelow: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("components whose importance is less than this on average become 0 and leave the program; 0: none do"),
  pruneAt: z.number().gt(0).max(1).default(1).describe("fraction of the run after which they do; the others learn on"),
  pruneEvery: fraction("after which it is done again; 0: once").default(0),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of components, gates, data and masks"),
};

export const parameterSettings = z.strictObject({
  ...places,
  ...importanceSettings,
  ...sparsity,
  ...reconstructions,
  ...adversaries,
  ...targeting,
  ...optimisation,
});
export type ParameterSettings = z.infer<typeof parameterSettings>;
