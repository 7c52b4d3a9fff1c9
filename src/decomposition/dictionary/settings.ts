/** Everything that decides how a dictionary is trained. */
import { z } from "zod";

/** How activations are scaled before they are read (SAELens's names). */
const NORMALISATIONS = ["none", "expected_average_only_in", "constant_norm_rescale", "layer_norm"] as const;
export type Normalisation = (typeof NORMALISATIONS)[number];

/** Whether a dictionary is judged by what it writes, or by what the network makes of it (Braun et al. 2024). */
const END_TO_END = ["no", "output", "downstream"] as const;

const fraction = z.number().min(0).max(1);

/** Settings of every training on activations, transcoders' and crosscoders' too. */
const trainingFields = {
  C: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(0)
    .describe("latents of each dictionary; 0: expansion times the width it reads"),
  expansion: z.number().gt(0).max(1024).default(4).describe("latents over the width that is read, where C is 0"),
  batch: z.int().min(2).max(1_000_000).default(1024).describe("rows, positions of examples, a step"),
  steps: z.int().min(1).max(10_000_000).default(4000).describe("optimiser steps"),
  lr: z.number().gt(0).default(1e-3).describe("Adam's rate"),
  lrWarmUp: fraction.default(0.02).describe("fraction of the run over which the rate rises from 0"),
  lrDecay: fraction.default(0.2).describe("fraction of the run, its last, over which the rate falls to 0"),
  beta1: z.number().min(0).lt(1).default(0.9).describe("Adam's decay of the gradient's running mean"),
  beta2: z.number().min(0).lt(1).default(0.999).describe("Adam's decay of its square's"),
  epsilon: z.number().gt(0).default(1e-8).describe("Adam's least denominator"),
  clipNorm: z.number().min(0).default(0).describe("clips the norm of each dictionary's gradient; 0: never"),
  geometricMedianStart: z
    .boolean()
    .default(false)
    .describe("the decoder's bias starts at the geometric median of activations, else at 0"),
  subtractDecoderBias: z.boolean().default(false).describe("the encoder reads activations without the decoder's bias"),
  normalizeDecoder: z
    .boolean()
    .default(true)
    .describe("rows of the decoder are kept at length 1, and no gradient along them is followed"),
  decoderStart: z.number().gt(0).default(1).describe("length of the decoder's rows at the start"),
  activationNormalization: z.enum(NORMALISATIONS).default("none").describe("how activations are scaled in training"),
  endToEnd: z
    .enum(END_TO_END)
    .default("no")
    .describe("what the network makes of what is written is in the loss: its output, or later activations too"),
  outputCoefficient: z.number().min(0).default(1).describe("weight of the output's divergence, end to end"),
  downstreamCoefficient: z.number().min(0).default(1).describe("weight of later activations' squared error"),
  localCoefficient: z.number().min(0).default(0).describe("weight of the activation's own squared error, end to end"),
  resampleEvery: z
    .int()
    .min(0)
    .default(0)
    .describe("steps after which latents that were silent for as long start anew; 0: never"),
  resampleUntil: fraction.default(0.8).describe("fraction of the run after which none do"),
  deadAfter: z.int().min(1).default(1000).describe("steps without firing after which a latent counts as dead"),
  storeRows: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .describe("rows that are shuffled at a time; 0: 131,072 where examples have positions, else as they come"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights, data and shuffling"),
};

const {
  subtractDecoderBias: _bias,
  normalizeDecoder: _length,
  endToEnd: _end,
  outputCoefficient: _output,
  downstreamCoefficient: _downstream,
  localCoefficient: _local,
  resampleEvery: _every,
  resampleUntil: _until,
  ...severalPointFields
} = trainingFields;
/** The same for a code over several points: without what is said of one. */
export { severalPointFields };

/** Where dictionaries of one point act. */
const pointFields = {
  point: z
    .string()
    .default("")
    .describe(
      "hook points, with commas between and * for any part of a name, a dictionary each; empty: one in the middle",
    ),
};

/** The penalty's coefficient and its rise. */
export const l1Fields = {
  l1Coefficient: z.number().min(0).default(0.05).describe("weight of the penalty on latents"),
  l1WarmUp: fraction.default(0.05).describe("fraction of the run over which it rises from 0"),
};

/** How dead latents are brought back by a loss of their own. */
const revivalFields = {
  auxCoefficient: z
    .number()
    .min(0)
    .default(1 / 32)
    .describe("weight of what dead latents make of the rest; 0: none"),
  auxK: z.int().min(0).default(0).describe("how many of them; 0: half the width"),
};

const kFields = { k: z.int().min(1).max(1_000_000).default(8).describe("latents that are kept, a row") };

export const saeSettings = z.strictObject({
  ...pointFields,
  ...trainingFields,
  ...l1Fields,
  decoderNormInPenalty: z
    .boolean()
    .default(false)
    .describe("latents count by what they write: times their decoder's length"),
  pEnd: z.number().gt(0).max(1).default(1).describe("power of latents in the penalty at the end; 1: the plain penalty"),
  pFrom: fraction.default(0).describe("fraction of the run from which it falls from 1"),
});
export type SaeSettings = z.infer<typeof saeSettings>;

export const gatedSettings = z.strictObject({ ...pointFields, ...trainingFields, ...l1Fields });
export type GatedSettings = z.infer<typeof gatedSettings>;

export const topKSettings = z.strictObject({ ...pointFields, ...trainingFields, ...kFields, ...revivalFields });
export type TopKSettings = z.infer<typeof topKSettings>;
export type RevivalSettings = Pick<TopKSettings, keyof typeof revivalFields>;

/** The same: only what k counts over differs. */
export type BatchTopKSettings = TopKSettings;

export const matryoshkaSettings = z.strictObject({
  ...topKSettings.shape,
  prefixes: z
    .string()
    .default("0.0625,0.125,0.25,0.5,1")
    .describe("where nested dictionaries end, as rising fractions of all latents"),
});
export type MatryoshkaSettings = z.infer<typeof matryoshkaSettings>;

export const jumpReluSettings = z.strictObject({
  ...pointFields,
  ...trainingFields,
  l0Coefficient: z.number().min(0).default(0.02).describe("weight of the penalty on how many latents are on"),
  l0WarmUp: fraction.default(0.2).describe("fraction of the run over which it rises from 0"),
  sparsityLoss: z
    .enum(["l0", "tanh"])
    .default("l0")
    .describe("the penalty: their number, or tanh of how much they are on"),
  tanhScale: z.number().gt(0).default(4).describe("steepness of that tanh"),
  preActivationCoefficient: z
    .number()
    .min(0)
    .default(0)
    .describe("weight of how far below their thresholds latents stay; 0: none"),
  bandwidth: z.number().gt(0).default(0.1).describe("how near its threshold a latent moves it"),
  thresholdStart: z.number().gt(0).default(0.1).describe("every threshold at the start"),
});
export type JumpReluSettings = z.infer<typeof jumpReluSettings>;

/** What the training of any of them needs to know. */
export type TrainingSettings = z.infer<z.ZodObject<typeof trainingFields>>;
