/** Everything that decides a run of local loss-landscape decomposition. */
import { z } from "zod";
import { REFERENCES } from "./gradient-factors.ts";

export const l3dSettings = z.strictObject({
  sites: z.string().default("").describe("names of the matrices to take apart, with commas between; empty: all"),
  subnetworks: z.int().min(1).max(10_000).describe("n_v, directions in the space of all matrices"),
  factors: z
    .int()
    .min(0)
    .max(10_000)
    .default(1)
    .describe("rank-one factors of each direction at each matrix; 0: as many as the matrix has rank"),
  topK: z.number().gt(0).max(1).default(0.1).describe("fraction of pairs of direction and example that are kept"),
  reference: z
    .enum(REFERENCES)
    .default("zero")
    .describe("outputs that the network's are held against: zeros, the batch's mean, or another example's"),
  featureProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0)
    .describe("how likely a feature is active in the data for this; 0: as the target was trained"),
  batch: z.int().min(2).max(1_000_000).describe("examples a step"),
  steps: z.int().min(1).max(10_000_000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(0.01).describe("Adam's rate at the start"),
  finalLearningRate: z.number().min(0).max(1).default(0).describe("fraction of it at the end, along a cosine"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of directions and data"),
});
export type L3dSettings = z.infer<typeof l3dSettings>;
