/** A transformer's description as plain data from a file, held against what `TransformerConfig` says before anything is made of it. */
import { z } from "zod";
import type { TransformerConfig } from "./config.ts";

const size = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);
const positive = z.number().gt(0);
const cap = z.number().min(0);

const positions = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("none") }),
  z.strictObject({
    kind: z.literal("absolute"),
    table: z.enum(["learned", "sinusoidal"]),
    addedTo: z.enum(["residual", "queries and keys"]),
  }),
  z.strictObject({
    kind: z.literal("rotary"),
    frequencies: z.array(z.number()),
    pairs: z.enum(["halves", "neighbours"]),
    scale: z.number(),
  }),
]);

/** `TransformerConfig` as a schema. */
export const transformerConfigSchema = z.strictObject({
  vocab: size,
  context: size,
  layers: size.max(10_000),
  dModel: size,
  positions,
  norm: z.strictObject({
    kind: z.enum(["layer", "rms", "none"]),
    epsilon: z.number().min(0),
    unitOffset: z.boolean(),
    post: z.boolean(),
  }),
  attention: z.strictObject({
    heads: size,
    kvHeads: size,
    dHead: size,
    scale: z.union([positive, z.array(positive)]),
    queryKeyValueBias: z.boolean(),
    outputBias: z.boolean(),
    queryKeyNorm: z.boolean(),
    scoreCap: cap,
    causal: z.boolean(),
    windows: z.array(z.int().min(0)),
  }),
  mlp: z
    .strictObject({
      dMlp: size,
      activation: z.enum(["relu", "gelu", "geluTanh", "silu"]),
      gated: z.boolean(),
      bias: z.boolean(),
    })
    .optional(),
  parallel: z.boolean(),
  embedScale: z.number(),
  tied: z.boolean(),
  unembedBias: z.boolean(),
  logitCap: cap,
});

/** A description that was checked, for the types of those who read it. */
export function asTransformerConfig(data: z.infer<typeof transformerConfigSchema>): TransformerConfig {
  const { mlp, ...rest } = data;
  return { ...rest, ...(mlp !== undefined && { mlp }) };
}
