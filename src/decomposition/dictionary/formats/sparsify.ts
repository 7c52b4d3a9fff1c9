/**
 * sparsify: a folder for each hook point, called after the module whose output it is of (`layers.3.mlp`), with `cfg.json` and `sae.safetensors`. The `k`
 * largest latents of each row; dictionaries read activations without the decoder's bias, transcoders, which read the module's input, as they are.
 *
 * Source: eai-sparsify 1.3.3, `sparse_coder.py` (github.com/EleutherAI/sparsify, MIT).
 */
import { z } from "zod";
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import { writeSafetensors } from "../../../file/safetensors.ts";
import { transposed, withInputBias, withoutInputBias } from "./folding.ts";
import { expectSize, readJson, settingsIn, type Sizes, withTensors } from "./reading.ts";
import { isTranscoder, storedSizes, type StoredDictionary, type StoredFiles, type StoredWeights } from "./stored.ts";

export const SPARSIFY_WEIGHTS = "sae.safetensors";
const CONFIG = "cfg.json";

const schema = z.looseObject({
  // What is not one of these it does not know either.
  activation: z.enum(["topk", "groupmax"]).default("topk"),
  signed: z.literal(false).default(false),
  d_in: z.int().min(1),
  num_latents: z.int().min(0).default(0),
  expansion_factor: z.number().gt(0).default(32),
  k: z.int().min(1),
  skip_connection: z.boolean().default(false),
  transcode: z.boolean().default(false),
});

/** Reads a dictionary or a transcoder. @throws `MissingFile` or `BadFile` */
export async function readSparsify(folder: SourceFolder): Promise<StoredDictionary> {
  const where = `${folder.name}/${CONFIG}`;
  const config = settingsIn(where, schema, await readJson(folder, CONFIG));
  const { d_in: dIn, k, transcode, skip_connection: skip } = config;
  if (config.activation !== "topk") {
    throw new MechanistError("BadFile", `${where}: activation: expected topk, got ${config.activation}`);
  }
  const C = config.num_latents || Math.round(dIn * config.expansion_factor);
  if (k > C) throw new MechanistError("BadFile", `${where}: k: expected at most ${C}, the latents, got ${k}`);
  const sizes: Sizes = new Map();
  for (const [axis, size] of Object.entries({ d_in: dIn, C })) expectSize(where, sizes, axis, size, CONFIG);
  if (!transcode) expectSize(where, sizes, "d_out", dIn, CONFIG);
  const weights = await withTensors(folder, SPARSIFY_WEIGHTS, sizes, async (tensors): Promise<StoredWeights> => {
    const found = {
      W_enc: await tensors.readTransposed("encoder.weight", "d_in C"),
      b_enc: await tensors.read("encoder.bias", "C"),
      W_dec: await tensors.read("W_dec", "C d_out"),
      b_dec: await tensors.read("b_dec", "d_out"),
      ...(skip && { W_skip: await tensors.readTransposed("W_skip", "d_in d_out") }),
    };
    tensors.expectNoMore(skip ? "a coder with skip_connection" : "a coder without skip_connection");
    return found;
  });
  return {
    code: "topk",
    k,
    normalization: "none",
    ...placeOf(folder.name, transcode),
    weights: transcode ? weights : withoutInputBias(weights),
    claims: {},
  };
}

/** The hook points that a folder's name means: those of a module, or one as it is called here. */
function placeOf(path: string, transcode: boolean): Pick<StoredDictionary, "reads" | "writes"> {
  const name = path.split("/").at(-1)!;
  const [across, reads, writes] = /^(.+)->(.+)$/.exec(name) ?? [];
  if (across !== undefined) return { reads: reads!, writes: writes! };
  const [, layer, module] = /(?:^|\.)(?:layers|h)\.(\d+)(?:\.(.+))?$/.exec(name) ?? [];
  if (layer === undefined) {
    if (name === "embed_tokens") return { reads: "hook_embed", writes: "hook_embed" };
    return /(?:^|\.)hook_\w+$/.test(name) && !transcode ? { reads: name, writes: name } : {};
  }
  const output = `model.layers.${layer}${module === undefined ? "" : `.${module}`}`;
  if (!transcode) return { reads: output, writes: output };
  // Of a transcoder's input only an MLP's is a point: what its norm makes.
  return module === "mlp" ? { reads: `blocks.${layer}.mlp.hook_in`, writes: output } : {};
}

/** A dictionary's files; they belong into a folder called after its hook point. */
export function sparsifyFiles(dictionary: StoredDictionary): StoredFiles {
  const { code, k, normalization } = dictionary;
  if (code !== "topk") throw new MechanistError("Refused", `export sparsify: expected topk, got ${code}`);
  if (normalization !== "none") {
    throw new MechanistError("Refused", `export sparsify: expected activations as they are, got ${normalization}`);
  }
  const transcode = isTranscoder(dictionary);
  const { dIn, C } = storedSizes(dictionary.weights);
  const { W_enc, W_dec, b_enc, b_dec, W_skip } = transcode ? dictionary.weights : withInputBias(dictionary.weights);
  const config = {
    activation: "topk",
    expansion_factor: Math.max(1, Math.round(C / dIn)),
    normalize_decoder: true,
    num_latents: C,
    k,
    multi_topk: false,
    skip_connection: W_skip !== undefined,
    transcode,
    d_in: dIn,
  };
  const tensors = {
    "encoder.weight": transposed(W_enc!, "C d_in"),
    "encoder.bias": b_enc!,
    W_dec: W_dec!,
    b_dec: b_dec!,
    ...(W_skip && { W_skip: transposed(W_skip, "d_out d_in") }),
  };
  return {
    [CONFIG]: `${JSON.stringify(config, undefined, 2)}\n`,
    [SPARSIFY_WEIGHTS]: writeSafetensors(tensors, { format: "pt" }),
  };
}
