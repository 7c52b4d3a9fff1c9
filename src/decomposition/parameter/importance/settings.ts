/** The settings of what predicts importances; `function.ts` has the function that they ask for. */
import { z } from "zod";

const size = (most: number, what: string): z.ZodInt => z.int().min(1).max(most).describe(what);

/** To be spread into a method's settings. */
export const importanceSettings = {
  importance: z
    .enum(["gate", "vector-mlp", "layerwise-mlp", "global-mlp", "transformer", "chunkwise-transformer"])
    .default("gate")
    .describe(
      "what predicts importances: gate sees a component's activation, vector-mlp and layerwise-mlp the input of its site, the others many sites",
    ),
  gateWidth: size(4096, "hidden width of each component's gate or vector MLP").default(16),
  gateStart: z
    .enum(["normal", "rising"])
    .default("normal")
    .describe("gates' weights at the start: any sign, or importance rises with activation"),
  importanceHidden: z
    .string()
    .regex(/^[1-9]\d{0,4}(,[1-9]\d{0,4})*$/, "expected widths from 1 to 99999 with commas between")
    .default("256")
    .describe("hidden widths of a layerwise or global MLP, with commas between"),
  importanceDModel: size(16_384, "width of an importance transformer's stream").default(128),
  importanceBlocks: size(64, "its blocks").default(2),
  importanceHeads: size(256, "its heads in a block").default(4),
  importanceDMlp: size(65_536, "its hidden units in a block's MLP").default(512),
  importanceCausal: z.boolean().default(false).describe("whether it sees only positions up to the present one"),
  importanceChunks: z
    .string()
    .default("block")
    .describe(
      "sites that share a chunkwise transformer: block, site, all, or names with , between and ; between chunks",
    ),
  importanceTaps: z
    .string()
    .default("inputs")
    .describe(
      "what transformers read: inputs of their sites, residual, or hook points with , between; ; between chunks",
    ),
};

export type ImportanceSettings = z.infer<z.ZodObject<typeof importanceSettings>>;
