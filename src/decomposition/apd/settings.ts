/** Everything that decides a run of attribution-based parameter decomposition. */
import { z } from "zod";

const coefficient = (what: string): z.ZodNumber => z.number().min(0).describe(`coefficient of ${what}`);

export const apdSettings = z.strictObject({
  sites: z.string().default("").describe("names of the matrices to take apart, with commas between; empty: all"),
  components: z.int().min(1).max(10_000).describe("C, components, each with a part at every site"),
  factors: z
    .int()
    .min(0)
    .max(10_000)
    .default(0)
    .describe("m, rank-one factors of each part at most; 0: as many as its matrix has rank"),
  topK: z.number().gt(0).describe("k, components active on an example, on average over the batch; may be a fraction"),
  attributionsAt: z
    .enum(["target", "components"])
    .default("target")
    .describe("parameters that gradients are taken at: the network's own, or the sum of the components"),
  faithfulness: coefficient("faithfulness").default(1),
  reconstruction: coefficient("reconstruction with the active components alone").default(1),
  hiddenReconstruction: coefficient("the same of neurons after the nonlinearity").default(0),
  simplicity: coefficient("simplicity"),
  p: z.number().gt(0).max(1).default(1).describe("exponent of simplicity"),
  unitNorm: z.boolean().default(false).describe("keep what each factor reads at length 1"),
  featureProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("how likely a feature is active in the data for this; 0: as the target was trained"),
  batch: z.int().min(1).max(1_000_000).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).describe("optimiser steps"),
  learningRate: z.number().gt(0).describe("Adam's rate at its peak"),
  warmUp: z.number().min(0).max(0.5).default(0).describe("fraction of the run over which the rate rises from 0"),
  finalLearningRate: z.number().min(0).max(1).default(0).describe("fraction of it at the end, along a cosine"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of components and data"),
});
export type ApdSettings = z.infer<typeof apdSettings>;
