/** What a harvest asks for. */
import { z } from "zod";

export const harvestSettings = z.strictObject({
  positions: z
    .int()
    .min(1)
    .max(1_000_000_000)
    .default(200_000)
    .describe("positions of the data to look at, or examples where the network has none; padding does not count"),
  threshold: z.number().min(0).default(0.1).describe("τ: a component fires where its importance is above this"),
  examples: z.int().min(1).max(1000).default(24).describe("examples of each kind kept for a component"),
  window: z.int().min(0).max(1000).default(16).describe("tokens shown on each side of a firing"),
  outputs: z.boolean().default(true).describe("count which output tokens are likely where a component fires"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of the data and of the examples"),
});
export type HarvestSettings = z.infer<typeof harvestSettings>;

/** What is kept of what was counted. What was left out is said beside it. */
export const KEPT = {
  /** Tokens of a component: this many by how often, and this many by how much they stand out. */
  tokens: 50,
  /** Components that fire together with one, by Jaccard. */
  partners: 50,
  /** Places of the data that were not chosen for any component. */
  background: 200,
} as const;
