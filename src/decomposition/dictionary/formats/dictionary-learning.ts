/**
 * dictionary_learning: a folder with `config.json`, whose `trainer` says which class of dictionary it is, and its weights. The library keeps those in a
 * pickle, `ae.pt`, which is not read here; `ae.safetensors` is the same table of tensors. All its classes but two subtract the decoder's bias from what
 * they read; matrices of linear layers are stored the other way round.
 *
 * Source: dictionary_learning 0.1.0, `dictionary.py` and `trainers/` (github.com/saprmarks/dictionary_learning, MIT).
 */
import { z } from "zod";
import { type Values, values } from "../../../engine/values.ts";
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import { writeSafetensors } from "../../../file/safetensors.ts";
import { named } from "../../../settings.ts";
import type { Code } from "../dictionary.ts";
import { repeated, transposed, withInputBias, withoutInputBias } from "./folding.ts";
import {
  expectSize,
  hasFile,
  nonNegative,
  readJson,
  settingsIn,
  type Sizes,
  type SizedTensors,
  withTensors,
} from "./reading.ts";
import {
  isTranscoder,
  storedSizes,
  type Claims,
  type StoredDictionary,
  type StoredFiles,
  type StoredWeights,
} from "./stored.ts";

export const DICTIONARY_LEARNING_WEIGHTS = "ae.safetensors";
const CONFIG = "config.json";
const MEASURED = "eval_results.json";

const schema = z.looseObject({
  trainer: z.looseObject({
    dict_class: z.string().optional(),
    activation_dim: z.int().min(1),
    dict_size: z.int().min(1),
    k: z.int().min(1).optional(),
    layer: z.int().nullish(),
    lm_name: z.string().nullish(),
    submodule_name: z.string().nullish(),
  }),
});

const measured = z.looseObject({ l0: z.number().optional(), frac_variance_explained: z.number().optional() });

/** How a class stores its weights and what it computes. */
interface DictionaryClass {
  readonly code: Code;
  /** Whether its matrices are those of linear layers, the other way round. */
  readonly linear: boolean;
  readonly b_dec: string;
  readonly subtractsBias: boolean;
  /** Our names of vectors over latents, with its names. */
  readonly vectors: Readonly<Partial<Record<keyof StoredWeights, string>>>;
  /** One threshold for all latents, below 0 as long as it was never set; else one for each. */
  readonly threshold?: "one" | "each";
  /** Tensors that do not matter to what it computes. */
  readonly ignored?: readonly string[];
}

const LINEAR = { linear: true, subtractsBias: true, vectors: { b_enc: "encoder.bias" } } as const;
const CLASSES: Readonly<Record<string, DictionaryClass>> = {
  AutoEncoder: { ...LINEAR, code: "relu", b_dec: "bias" },
  AutoEncoderNew: { ...LINEAR, code: "relu", b_dec: "decoder.bias", subtractsBias: false },
  GatedAutoEncoder: {
    ...LINEAR,
    code: "gated",
    b_dec: "decoder_bias",
    vectors: { b_gate: "gate_bias", b_mag: "mag_bias", r_mag: "r_mag" },
  },
  // It keeps a threshold too, and takes the k largest all the same.
  AutoEncoderTopK: { ...LINEAR, code: "topk", b_dec: "b_dec", ignored: ["threshold"] },
  BatchTopKSAE: { ...LINEAR, code: "jumprelu", b_dec: "b_dec", threshold: "one", ignored: ["k"] },
  MatryoshkaBatchTopKSAE: {
    linear: false,
    code: "jumprelu",
    b_dec: "b_dec",
    subtractsBias: true,
    vectors: { b_enc: "b_enc" },
    threshold: "one",
    ignored: ["k", "group_sizes"],
  },
  JumpReluAutoEncoder: {
    linear: false,
    code: "jumprelu",
    b_dec: "b_dec",
    subtractsBias: false,
    vectors: { b_enc: "b_enc" },
    threshold: "each",
  },
};

/** The class that has such tensors, where its name was not kept; TopK and BatchTopK have the same. */
function classLike(tensors: SizedTensors): string | undefined {
  if (tensors.has("decoder_bias")) return "GatedAutoEncoder";
  if (tensors.has("bias")) return "AutoEncoder";
  if (tensors.has("decoder.bias")) return "AutoEncoderNew";
  if (tensors.has("group_sizes")) return "MatryoshkaBatchTopKSAE";
  return tensors.has("W_enc") ? "JumpReluAutoEncoder" : undefined;
}

/** Reads a dictionary. @throws `MissingFile` or `BadFile`; `UnknownName` for a class that is not known */
export async function readDictionaryLearning(folder: SourceFolder): Promise<StoredDictionary> {
  const where = `${folder.name}/${CONFIG}`;
  const { trainer } = settingsIn(where, schema, await readJson(folder, CONFIG));
  const { activation_dim: dIn, dict_size: C, lm_name: model } = trainer;
  const sizes: Sizes = new Map();
  for (const [axis, size] of Object.entries({ d_in: dIn, d_out: dIn, C })) expectSize(where, sizes, axis, size, CONFIG);
  const { own, weights, k } = await withTensors(folder, DICTIONARY_LEARNING_WEIGHTS, sizes, async (tensors, file) => {
    const name = trainer.dict_class ?? classLike(tensors);
    if (name === undefined) {
      throw new MechanistError("BadFile", `${where}: dict_class: expected the dictionary's class, got none`);
    }
    const found = named(`${where}: dict_class`, name, CLASSES);
    const read = await weightsOf(tensors, file, found);
    const kept = found.code === "topk" ? await kOf(tensors, file, trainer.k) : undefined;
    tensors.expectNoMore(name, found.ignored);
    return { own: found, weights: read, k: kept };
  });
  if (k !== undefined && k > C) {
    throw new MechanistError("BadFile", `${where}: k: expected at most dict_size, ${C}, got ${k}`);
  }
  const point = pointOf(trainer.submodule_name ?? undefined, trainer.layer ?? undefined);
  return {
    code: own.code,
    ...(k !== undefined && { k }),
    normalization: "none",
    ...(point !== undefined && { reads: point, writes: point }),
    ...(model && { model }),
    weights: own.subtractsBias ? withoutInputBias(weights) : weights,
    claims: await claimsIn(folder),
  };
}

async function weightsOf(tensors: SizedTensors, file: string, own: DictionaryClass): Promise<StoredWeights> {
  const weights: Record<string, Values> = own.linear
    ? {
        W_enc: await tensors.readTransposed("encoder.weight", "d_in C"),
        W_dec: await tensors.readTransposed("decoder.weight", "C d_out"),
      }
    : { W_enc: await tensors.read("W_enc", "d_in C"), W_dec: await tensors.read("W_dec", "C d_out") };
  weights.b_dec = await tensors.read(own.b_dec, "d_out");
  for (const [name, stored] of Object.entries(own.vectors)) weights[name] = await tensors.read(stored, "C");
  if (own.threshold === "each") weights.threshold = nonNegative(file, await tensors.read("threshold", "C"), true);
  if (own.threshold === "one") {
    const threshold = await tensors.number("threshold");
    weights.threshold = repeated("C", weights.W_enc!.shape[1]!, Math.max(0, threshold));
  }
  return weights;
}

/** How many latents of a row are kept: the tensor's number, and the configuration's where that has one. */
async function kOf(tensors: SizedTensors, file: string, said: number | undefined): Promise<number> {
  const k = tensors.has("k") ? await tensors.number("k") : said;
  if (k === undefined || !Number.isInteger(k) || k < 1) {
    throw new MechanistError("BadFile", `${file}: k: expected a whole number from 1, got ${k ?? "none"}`);
  }
  if (said !== undefined && said !== k) {
    throw new MechanistError("BadFile", `${file}: k: expected ${said}, as ${CONFIG} has it, got ${k}`);
  }
  return k;
}

const PARTS: Readonly<Record<string, string>> = {
  resid_pre: "hook_resid_pre",
  resid_mid: "hook_resid_mid",
  resid_post: "hook_resid_post",
  resid_out: "hook_resid_post",
  attn_out: "hook_attn_out",
  mlp_out: "hook_mlp_out",
};

/** The hook point that a submodule's name means: `resid_post_layer_3`; any other name is taken as it is. */
function pointOf(submodule: string | undefined, layer: number | undefined): string | undefined {
  if (submodule === undefined) return layer === undefined ? undefined : `blocks.${layer}.hook_resid_post`;
  if (submodule === "embed") return "hook_embed";
  const [, part, own] = /^([a-z_]+?)(?:_layer_?(\d+))?$/.exec(submodule) ?? [];
  const at = own ?? layer;
  if (part === undefined || at === undefined || !Object.hasOwn(PARTS, part)) return submodule;
  return `blocks.${at}.${PARTS[part]}`;
}

async function claimsIn(folder: SourceFolder): Promise<Claims> {
  if (!(await hasFile(folder, MEASURED))) return {};
  const found = settingsIn(`${folder.name}/${MEASURED}`, measured, await readJson(folder, MEASURED));
  const { l0, frac_variance_explained: explainedVariance } = found;
  return { ...(l0 !== undefined && { l0 }), ...(explainedVariance !== undefined && { explainedVariance }) };
}

const WRITTEN: Readonly<Record<Code, string>> = {
  relu: "AutoEncoder",
  gated: "GatedAutoEncoder",
  topk: "AutoEncoderTopK",
  jumprelu: "JumpReluAutoEncoder",
};

/** A dictionary's files. What the library loads is `ae.pt`, which `torch.save(load_file("ae.safetensors"), "ae.pt")` makes of the tensors. */
export function dictionaryLearningFiles(dictionary: StoredDictionary): StoredFiles {
  const { code, k, normalization, reads, model, claims } = dictionary;
  if (isTranscoder(dictionary)) {
    throw new MechanistError(
      "Refused",
      "export dictionary_learning: expected a dictionary of one point, got a transcoder",
    );
  }
  if (normalization !== "none") {
    throw new MechanistError(
      "Refused",
      `export dictionary_learning: expected activations as they are, got ${normalization}`,
    );
  }
  const name = WRITTEN[code];
  const own = CLASSES[name]!;
  const weights = own.subtractsBias ? withInputBias(dictionary.weights) : dictionary.weights;
  const { dIn, C } = storedSizes(weights);
  const tensors: Record<string, Values> = own.linear
    ? {
        "encoder.weight": transposed(weights.W_enc!, "C d_in"),
        "decoder.weight": transposed(weights.W_dec!, "d_out C"),
      }
    : { W_enc: weights.W_enc!, W_dec: weights.W_dec! };
  tensors[own.b_dec] = weights.b_dec!;
  for (const [ours, stored] of Object.entries(own.vectors)) tensors[stored] = weights[ours as keyof StoredWeights]!;
  if (own.threshold === "each") tensors.threshold = weights.threshold!;
  if (code === "topk") {
    tensors.k = { axes: "", shape: [], dtype: "i32", data: Int32Array.of(k!) };
    tensors.threshold = values("", [], [-1]);
  }
  const [, layer, part] = /^blocks\.(\d+)\.hook_(\w+)$/.exec(reads ?? "") ?? [];
  const trainer = {
    dict_class: name,
    activation_dim: dIn,
    dict_size: C,
    ...(k !== undefined && { k }),
    layer: layer === undefined ? undefined : Number(layer),
    lm_name: model,
    submodule_name: layer === undefined ? reads : `${part}_layer_${layer}`,
  };
  const measures = { l0: claims.l0, frac_variance_explained: claims.explainedVariance };
  const buffer = { d_submodule: dIn, io: "out" };
  return {
    [CONFIG]: `${JSON.stringify({ trainer, buffer }, undefined, 2)}\n`,
    [DICTIONARY_LEARNING_WEIGHTS]: writeSafetensors(tensors, { format: "pt" }),
    ...(claims.l0 !== undefined && { [MEASURED]: `${JSON.stringify(measures, undefined, 2)}\n` }),
  };
}
