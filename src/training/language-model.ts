/**
 * Small language models that are trained here: a transformer with layer norm and GELU, AdamW along a rate that warms up and then falls to 0. What their text
 * is, and how it is cut into rows, is each target's own.
 */
import { z } from "zod";
import type { NamedValues } from "../engine/index.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { type Transformer, transformer } from "../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, type Tensor, type Tensors } from "../tensor/index.ts";
import type { LoopOptions } from "./loop.ts";
import type { Knot } from "./schedule.ts";
import type { Trained } from "./target.ts";
import { trainNetwork } from "./train-network.ts";
import { startingWeights } from "./transformer-start.ts";

/** The settings of such a model, beside those of its text. `steps` is the target's own: how many it takes depends on the text. */
export const languageModelSettings = {
  layers: z.int().min(1).max(24).default(2).describe("layers"),
  width: z.int().min(1).max(4096).default(128).describe("d_model"),
  heads: z.int().min(1).max(64).default(4).describe("heads a layer; each has width / heads dimensions"),
  mlpWidth: z.int().min(0).max(16_384).default(512).describe("neurons a layer; 0: attention alone"),
  batch: z.int().min(1).max(100_000).default(16).describe("rows a step"),
  learningRate: z.number().gt(0).default(3e-3).describe("AdamW's highest rate"),
  warmUp: z.number().min(0).max(1).default(0.05).describe("share of the steps in which the rate rises to it"),
  weightDecay: z.number().min(0).default(0.01).describe("AdamW's decoupled decay"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
};
type LanguageModelSettings = z.infer<z.ZodObject<typeof languageModelSettings>> & {
  readonly context: number;
  readonly steps: number;
};

/** The network that these settings describe. */
export function languageModel(settings: LanguageModelSettings, vocab: number): Transformer {
  const { context, layers, width, heads, mlpWidth } = settings;
  return transformer(
    toyTransformer({
      vocab,
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

/** Trains one: AdamW on a loss, from starts as GPT-2 has them. */
export function trainLanguageModel(
  network: Transformer,
  settings: LanguageModelSettings,
  { loss, tables }: { readonly loss: (weights: Tensors) => Tensor<"">; readonly tables: NamedValues },
  options: LoopOptions,
): Promise<Trained> {
  const { layers, seed, steps, learningRate, warmUp, weightDecay } = settings;
  const schedule: Knot[] = [
    { at: 0, value: 0.01 * learningRate },
    { at: warmUp, value: learningRate },
    { at: 1, value: 0, interpolation: "cosine" },
  ];
  const scales = { embed: 0.1, unembed: 0.02, residual: 1 / Math.sqrt(2 * layers) };
  return trainNetwork(
    {
      network,
      start: startingWeights(network, foldIn(keyFromSeed(seed), "weights"), scales),
      objective: (weights) => ({ loss: loss(weights) }),
      tables,
      steps,
      seed,
      learningRate: schedule,
      adamW: { weightDecay },
      clipNorm: 1,
    },
    options,
  );
}
