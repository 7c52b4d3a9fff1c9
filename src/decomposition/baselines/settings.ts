/** Everything that decides a baseline. */
import { z } from "zod";

const seed = z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of data and draws");
/** Nothing is learnt step by step. */
const steps = z.int().min(0).max(0).default(0).describe("none: there is nothing to iterate");

const point = (usual: string): z.ZodDefault<z.ZodString> =>
  z.string().default("").describe(`hook points, with commas between and * for any part of a name; empty: ${usual}`);
const MIDDLE = "one in the middle, as for dictionaries";

const samples = z
  .int()
  .min(2)
  .max(100_000_000)
  .default(16_384)
  .describe("rows, positions of examples, that it is fitted to; all are held in memory");
const count = (usual: string): z.ZodDefault<z.ZodInt> =>
  z.int().min(0).max(1_000_000).default(0).describe(`components at each point; 0: ${usual}`);
const AS_WIDE = "as many as there are dimensions";

const iterations = (usual: number): z.ZodDefault<z.ZodInt> =>
  z.int().min(1).max(1_000_000).default(usual).describe("iterations at most");
const tolerance = (usual: number, what: string): z.ZodDefault<z.ZodNumber> =>
  z.number().min(0).default(usual).describe(what);
const restarts = z.int().min(1).max(1000).default(4).describe("fits from different starts, of which the best is kept");

export const neuronsSettings = z.strictObject({ point: point("all MLPs, or the hidden units"), steps, seed });
export const headsSettings = z.strictObject({ point: point("all heads"), steps, seed });
export const residualSettings = z.strictObject({ point: point("all of the residual stream"), steps, seed });
export const rotationSettings = z.strictObject({ point: point(MIDDLE), steps, seed });

export const randomSettings = z.strictObject({
  point: point(MIDDLE),
  count: count(AS_WIDE),
  rank: z.int().min(1).max(100_000).default(1).describe("dimensions of each random subspace; 1: directions"),
  samples,
  steps,
  seed,
});
export type RandomSettings = z.infer<typeof randomSettings>;

export const pcaSettings = z.strictObject({ point: point(MIDDLE), count: count(AS_WIDE), samples, steps, seed });
export type PcaSettings = z.infer<typeof pcaSettings>;

export const icaSettings = z.strictObject({
  point: point(MIDDLE),
  count: count(AS_WIDE),
  samples,
  steps: iterations(200),
  tolerance: tolerance(1e-4, "stops once no direction turns by more: 1 - |cosine| between iterations"),
  seed,
});
export type IcaSettings = z.infer<typeof icaSettings>;

export const nmfSettings = z.strictObject({
  point: point("what MLPs' output matrices read, all of them"),
  count: count(AS_WIDE),
  samples,
  steps: iterations(300),
  tolerance: tolerance(1e-5, "stops once the error falls by less in an iteration, as part of itself"),
  codeSteps: z
    .int()
    .min(1)
    .max(10_000)
    .default(50)
    .describe("steps of projected gradient descent by which a new row is coded"),
  seed,
});
export type NmfSettings = z.infer<typeof nmfSettings>;

export const kmeansSettings = z.strictObject({
  point: point(MIDDLE),
  count: count(AS_WIDE),
  spherical: z
    .boolean()
    .default(false)
    .describe("clusters of directions: by cosine, and written at the row's length along"),
  samples,
  steps: iterations(100),
  restarts,
  seed,
});
export type KmeansSettings = z.infer<typeof kmeansSettings>;

export const probesSettings = z.strictObject({
  point: point(MIDDLE),
  samples: samples.default(65_536).describe("rows that probes are fitted to; they are not held in memory"),
  ridge: z
    .number()
    .min(0)
    .default(1e-6)
    .describe("what is added to the covariance's diagonal, as part of its mean entry there"),
  steps,
  seed,
});
export type ProbesSettings = z.infer<typeof probesSettings>;

export const dasSettings = z.strictObject({
  point: z.string().default("").describe("one hook point; empty: after the first hidden layer"),
  variable: z.string().default("").describe("the causal model's variable that is looked for; empty: its first"),
  rank: z.int().min(0).max(100_000).default(0).describe("dimensions of the subspace; 0: half of the point's"),
  batch: z.int().min(1).max(1_000_000).default(1024).describe("pairs a step"),
  steps: z.int().min(1).max(10_000_000).default(3000).describe("optimiser steps"),
  lr: z.number().gt(0).default(1e-2).describe("AdamW's rate at the start, to 0 along a cosine"),
  seed,
});
export type DasSettings = z.infer<typeof dasSettings>;

export const svdSettings = z.strictObject({
  sites: z.string().default("").describe("matrices, with commas between and * for any part of a name; empty: all"),
  count: z.int().min(0).max(1_000_000).default(0).describe("components of each matrix, the largest; 0: all"),
  steps,
  seed,
});
export type SvdSettings = z.infer<typeof svdSettings>;
