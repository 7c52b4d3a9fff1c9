/**
 * Gemma Scope: JumpReLU dictionaries and transcoders of Gemma models. The first has `params.npz` and says everything else in the path,
 * `…-pt-res/layer_20/width_16k/average_l0_71`; the second has `params.safetensors`, names in lower case, and `config.json`.
 *
 * Source: Lieberum et al. 2024 and the files of google/gemma-scope-2b-pt-res; McDougall et al. 2025 and those of google/gemma-scope-2-*; the hook points
 * are those that SAELens 6.54 loads them at.
 */
import { z } from "zod";
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import { writeNpz } from "../../../file/npz.ts";
import { writeSafetensors } from "../../../file/safetensors.ts";
import { repeated } from "./folding.ts";
import { expectSize, hasFile, nonNegative, readJson, settingsIn, type Sizes, withTensors } from "./reading.ts";
import { isTranscoder, storedSizes, type StoredDictionary, type StoredFiles, type StoredWeights } from "./stored.ts";

export const GEMMA_SCOPE = "params.npz";
export const GEMMA_SCOPE_2 = "params.safetensors";
const CONFIG = "config.json";

/** Reads a dictionary of the first Gemma Scope. @throws `MissingFile` or `BadFile` */
export async function readGemmaScope(folder: SourceFolder): Promise<StoredDictionary> {
  const path = pathOf(folder.name);
  const sizes: Sizes = new Map();
  if (path.width !== undefined) expectSize(folder.name, sizes, "C", path.width, "the path");
  const weights = await withTensors(folder, GEMMA_SCOPE, sizes, async (tensors, where) => {
    const found = {
      W_enc: await tensors.read(tensors.oneOf("W_enc", "w_enc"), "d_in C"),
      b_enc: await tensors.read("b_enc", "C"),
      threshold: nonNegative(where, await tensors.read("threshold", "C"), true),
      W_dec: await tensors.read(tensors.oneOf("W_dec", "w_dec"), "C d_out"),
      b_dec: await tensors.read("b_dec", "d_out"),
    };
    tensors.expectNoMore("a dictionary of Gemma Scope");
    return found;
  });
  const { l0, place } = path;
  return { code: "jumprelu", normalization: "none", ...place, weights, claims: l0 === undefined ? {} : { l0 } };
}

interface FromPath {
  readonly width?: number;
  readonly l0?: number;
  readonly place: Pick<StoredDictionary, "model" | "reads" | "writes">;
}

/** What a path says of the dictionary in it. */
function pathOf(path: string): FromPath {
  const [, layer] = /(?:^|\/)layer_(\d+)(?=\/|$)/.exec(path) ?? [];
  const [, width, unit] = /(?:^|\/)width_(\d+)([km])(?=\/|$)/.exec(path) ?? [];
  const [, l0] = /(?:^|\/)average_l0_(\d+)(?=\/|$)/.exec(path) ?? [];
  const [, size, kind] = /gemma-scope-(\d+b)-(?:pt|it)-(res|mlp|att|transcoders)(?=\/|$)/.exec(path) ?? [];
  const points: Readonly<Record<string, readonly [string, string]>> = {
    res: ["hook_resid_post", "hook_resid_post"],
    mlp: ["hook_mlp_out", "hook_mlp_out"],
    att: ["attn.hook_z", "attn.hook_z"],
    transcoders: ["ln2.hook_normalized", "hook_mlp_out"],
  };
  const [reads, writes] =
    layer === undefined || kind === undefined ? [] : points[kind]!.map((p) => `blocks.${layer}.${p}`);
  return {
    ...(width !== undefined && { width: Number(width) * (unit === "k" ? 2 ** 10 : 2 ** 20) }),
    ...(l0 !== undefined && { l0: Number(l0) }),
    place: { ...(size !== undefined && { model: `gemma-2-${size}` }), ...(reads && { reads, writes: writes! }) },
  };
}

const schema = z.looseObject({
  architecture: z.literal("jump_relu"),
  model_name: z.string().nullish(),
  hf_hook_point_in: z.string().nullish(),
  hf_hook_point_out: z.string().nullish(),
  affine_connection: z.boolean().default(false),
  width: z.int().min(1).nullish(),
});

/** Reads a dictionary or a transcoder of the second. @throws `MissingFile` or `BadFile` */
export async function readGemmaScope2(folder: SourceFolder): Promise<StoredDictionary> {
  const where = `${folder.name}/${CONFIG}`;
  const config = (await hasFile(folder, CONFIG))
    ? settingsIn(where, schema, await readJson(folder, CONFIG))
    : undefined;
  const sizes: Sizes = new Map();
  if (config?.width) expectSize(where, sizes, "C", config.width, CONFIG);
  const reads = config?.hf_hook_point_in ? pointOf(config.hf_hook_point_in) : undefined;
  const writes = config?.hf_hook_point_out ? pointOf(config.hf_hook_point_out) : reads;
  const weights = await withTensors(folder, GEMMA_SCOPE_2, sizes, async (tensors, file): Promise<StoredWeights> => {
    const skip = tensors.has(SKIP);
    if (config !== undefined && skip !== config.affine_connection) {
      const [wanted, got] = config.affine_connection ? ["a tensor", "none"] : ["none", "one"];
      throw new MechanistError(
        "BadFile",
        `${file}: ${SKIP}: expected ${wanted}, as affine_connection is ${config.affine_connection}, got ${got}`,
      );
    }
    const found = {
      W_enc: await tensors.read("w_enc", "d_in C"),
      b_enc: await tensors.read("b_enc", "C"),
      threshold: nonNegative(file, await tensors.read("threshold", "C"), true),
      W_dec: await tensors.read("w_dec", "C d_out"),
      b_dec: await tensors.read("b_dec", "d_out"),
      ...(skip && { W_skip: await tensors.read(SKIP, "d_in d_out") }),
    };
    tensors.expectNoMore("a dictionary of Gemma Scope 2");
    return found;
  });
  return {
    code: "jumprelu",
    normalization: "none",
    ...(reads && { reads, writes: writes! }),
    ...(config?.model_name && { model: config.model_name }),
    weights,
    claims: {},
  };
}

const SKIP = "affine_skip_connection";

/** A module of `transformers` and which side of it, as the hook point's name: `model.layers.3.self_attn.o_proj.input`. */
function pointOf(module: string): string {
  const [, layer] = /^model\.layers\.(\d+)\.self_attn\.o_proj\.input$/.exec(module) ?? [];
  if (layer !== undefined) return `blocks.${layer}.attn.hook_z`;
  return module.replace(/\.output$/, "");
}

/** A dictionary as JumpReLU: one of plain ReLU is one whose thresholds are 0. */
function asJumpRelu(format: string, { code, normalization, weights }: StoredDictionary): StoredWeights {
  if (code !== "jumprelu" && code !== "relu") {
    throw new MechanistError("Refused", `export ${format}: expected jumprelu or relu, got ${code}`);
  }
  if (normalization !== "none") {
    throw new MechanistError("Refused", `export ${format}: expected activations as they are, got ${normalization}`);
  }
  return { ...weights, threshold: weights.threshold ?? repeated("C", storedSizes(weights).C, 0) };
}

/** The file of the first. It says neither network nor point: those were in the path. */
export function gemmaScopeFiles(dictionary: StoredDictionary): StoredFiles {
  const { W_skip, ...weights } = asJumpRelu("gemma-scope", dictionary);
  if (W_skip) throw new MechanistError("Refused", "export gemma-scope: expected no skip connection, got one");
  return { [GEMMA_SCOPE]: writeNpz(weights) };
}

/** The files of the second. */
export function gemmaScope2Files(dictionary: StoredDictionary): StoredFiles {
  const { W_enc, W_dec, W_skip, ...vectors } = asJumpRelu("gemma-scope-2", dictionary);
  const { reads, writes, model } = dictionary;
  const config = {
    architecture: "jump_relu",
    model_name: model,
    width: storedSizes(dictionary.weights).C,
    hf_hook_point_in: reads,
    ...(isTranscoder(dictionary) && { hf_hook_point_out: writes }),
    affine_connection: W_skip !== undefined,
  };
  const tensors = { w_enc: W_enc!, w_dec: W_dec!, ...vectors, ...(W_skip && { [SKIP]: W_skip }) };
  return {
    [CONFIG]: `${JSON.stringify(config, undefined, 2)}\n`,
    [GEMMA_SCOPE_2]: writeSafetensors(tensors, { format: "pt" }),
  };
}
