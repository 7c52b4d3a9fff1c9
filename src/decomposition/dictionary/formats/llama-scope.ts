/**
 * Llama Scope: `hyperparams.json` and `checkpoints/final.safetensors`. Encoder and decoder act on activations whose mean length over the data was brought
 * to `√d_model`; one threshold for all latents, of activations as they are and latents as long as what they write.
 *
 * Source: He et al. 2024; `SparseAutoEncoder.from_config` of OpenMOSS/Language-Model-SAEs, November 2024: biases are divided by the factor, the decoder
 * brought from the input's to the output's, then decoder rows to length 1, and only then does the threshold cut.
 */
import { z } from "zod";
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import { writeSafetensors } from "../../../file/safetensors.ts";
import { repeated, transposed, withLatentUnits, withoutInputBias, withScale, withUnitDecoder } from "./folding.ts";
import { expectSize, hasFile, readJson, settingsIn, type Sizes, withTensors } from "./reading.ts";
import { isTranscoder, storedSizes, type StoredDictionary, type StoredFiles, type StoredWeights } from "./stored.ts";

export const LLAMA_SCOPE_CONFIG = "hyperparams.json";
/** Where the weights are, or where somebody put them. */
const LLAMA_SCOPE_WEIGHTS = ["checkpoints/final.safetensors", "final.safetensors"] as const;

const positive = z.number().gt(0);

const schema = z.looseObject({
  d_model: z.int().min(1),
  d_sae: z.int().min(1).optional(),
  expansion_factor: positive.optional(),
  hook_point_in: z.string(),
  hook_point_out: z.string().optional(),
  act_fn: z.enum(["relu", "jumprelu", "topk"]),
  jump_relu_threshold: z.number().min(0).default(0),
  top_k: z.int().min(1).optional(),
  norm_activation: z.enum(["dataset-wise", "inference", "none"]).default("dataset-wise"),
  dataset_average_activation_norm: z.looseObject({ in: positive, out: positive }).nullish(),
  sparsity_include_decoder_norm: z.boolean().default(true),
  use_decoder_bias: z.boolean().default(true),
  apply_decoder_bias_to_pre_encoder: z.boolean().default(false),
  use_glu_encoder: z.literal(false).default(false),
});

/** Reads a dictionary or a transcoder. @throws `MissingFile` or `BadFile` */
export async function readLlamaScope(folder: SourceFolder): Promise<StoredDictionary> {
  const where = `${folder.name}/${LLAMA_SCOPE_CONFIG}`;
  const config = settingsIn(where, schema, await readJson(folder, LLAMA_SCOPE_CONFIG));
  const { d_model: dIn, d_sae, expansion_factor, jump_relu_threshold: threshold, top_k: k } = config;
  const C = d_sae ?? (expansion_factor === undefined ? undefined : Math.round(expansion_factor * dIn));
  const sizes: Sizes = new Map();
  for (const axis of ["d_in", "d_out"]) expectSize(where, sizes, axis, dIn, LLAMA_SCOPE_CONFIG);
  if (C !== undefined) expectSize(where, sizes, "C", C, LLAMA_SCOPE_CONFIG);
  const [usual, other] = LLAMA_SCOPE_WEIGHTS;
  const file = (await hasFile(folder, usual)) ? usual : other;
  const stored = await withTensors(folder, file, sizes, async (tensors): Promise<StoredWeights> => {
    const found = {
      W_enc: await tensors.readTransposed("encoder.weight", "d_in C"),
      b_enc: await tensors.read("encoder.bias", "C"),
      W_dec: await tensors.readTransposed("decoder.weight", "C d_out"),
      b_dec: config.use_decoder_bias ? await tensors.read("decoder.bias", "d_out") : repeated("d_out", dIn, 0),
    };
    tensors.expectNoMore("a dictionary of Llama Scope");
    return found;
  });
  const scaled = scaledBack(where, stored, config);
  const centred = config.apply_decoder_bias_to_pre_encoder ? withoutInputBias(scaled) : scaled;
  const weights = config.sparsity_include_decoder_norm ? withUnitDecoder(centred) : centred;
  // TopK of training, with a threshold that was found for it, is a JumpReLU.
  const jumps = config.act_fn === "jumprelu" || (config.act_fn === "topk" && threshold > 0);
  if (config.act_fn === "topk" && !jumps && (k === undefined || k > storedSizes(weights).C)) {
    throw new MechanistError(
      "BadFile",
      `${where}: top_k: expected from 1 to ${storedSizes(weights).C}, got ${k ?? "none"}`,
    );
  }
  const { hook_point_in: reads, hook_point_out: writes = reads } = config;
  return {
    ...(jumps
      ? { code: "jumprelu", weights: { ...weights, threshold: repeated("C", storedSizes(weights).C, threshold) } }
      : config.act_fn === "topk"
        ? { code: "topk", k: k!, weights }
        : { code: "relu", weights }),
    normalization: "none",
    reads,
    writes,
    claims: {},
  };
}

/** Weights that act on activations as they are, latents in the units of those. */
function scaledBack(
  where: string,
  weights: StoredWeights,
  { d_model, norm_activation, dataset_average_activation_norm: norms }: z.infer<typeof schema>,
): StoredWeights {
  if (norm_activation !== "dataset-wise") return weights;
  if (!norms) {
    throw new MechanistError(
      "BadFile",
      `${where}: dataset_average_activation_norm: expected the mean lengths of activations, got none`,
    );
  }
  const [reads, writes] = [norms.in, norms.out].map((norm) => Math.sqrt(d_model) / norm) as [number, number];
  const scaled = withScale(weights, reads, writes);
  return withLatentUnits(scaled, new Float64Array(storedSizes(weights).C).fill(1 / reads));
}

/** A dictionary's files, with activations as they are: the factor is 1. Decoder rows become as long as 1, as reading them makes them. */
export function llamaScopeFiles(dictionary: StoredDictionary): StoredFiles {
  const { code, normalization, reads, writes, weights, k } = dictionary;
  const { dIn, C } = storedSizes(weights);
  if (code === "gated" || normalization !== "none" || weights.W_skip !== undefined) {
    const got =
      weights.W_skip === undefined ? `${code} with normalisation ${normalization}` : "one with a skip connection";
    throw new MechanistError("Refused", `export llama-scope: expected relu, topk or jumprelu as they are, got ${got}`);
  }
  const threshold = weights.threshold?.data[0] ?? 0;
  const other = weights.threshold?.data.find((x) => Math.abs(x - threshold) > 1e-6 * Math.abs(threshold));
  if (other !== undefined) {
    throw new MechanistError(
      "Refused",
      `export llama-scope: expected one threshold for all latents, got ${threshold} and ${other}`,
    );
  }
  const config = {
    d_model: dIn,
    d_sae: C,
    hook_point_in: reads,
    hook_point_out: isTranscoder(dictionary) ? writes : reads,
    act_fn: code,
    jump_relu_threshold: threshold,
    ...(k !== undefined && { top_k: k }),
    norm_activation: "dataset-wise",
    dataset_average_activation_norm: { in: Math.sqrt(dIn), out: Math.sqrt(dIn) },
    sparsity_include_decoder_norm: false,
    use_decoder_bias: true,
    apply_decoder_bias_to_pre_encoder: false,
    use_glu_encoder: false,
  };
  const { W_enc, W_dec, b_enc, b_dec } = weights;
  const tensors = {
    "encoder.weight": transposed(W_enc!, "C d_in"),
    "encoder.bias": b_enc!,
    "decoder.weight": transposed(W_dec!, "d_out C"),
    "decoder.bias": b_dec!,
  };
  return {
    [LLAMA_SCOPE_CONFIG]: `${JSON.stringify(config, undefined, 2)}\n`,
    [LLAMA_SCOPE_WEIGHTS[0]]: writeSafetensors(tensors, { format: "pt" }),
  };
}
