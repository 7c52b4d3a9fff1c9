/**
 * SAELens: a folder with `cfg.json` and `sae_weights.safetensors`, and where it was measured `sparsity.safetensors`, the logarithm to base 10 of how
 * often each latent fires. Read as versions 6 write it and as those before do (one flat table, the normalisation a truth value); written for 6.
 *
 * Source: SAELens 6.54, `SAE.load_from_disk` and `SAE.save_model` (github.com/decoderesearch/SAELens, MIT).
 */
import { writeSafetensors } from "../../../file/safetensors.ts";
import { values } from "../../../engine/values.ts";
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import type { Code } from "../dictionary.ts";
import {
  decoderLengths,
  transposed,
  withLatentFactors,
  withLatentUnits,
  withoutInputBias,
  withScale,
} from "./folding.ts";
import { expectSize, hasFile, nonNegative, readJson, type Sizes, type SizedTensors, withTensors } from "./reading.ts";
import { saeLensConfig, type SaeLensConfig } from "./saelens-config.ts";
import { isTranscoder, storedSizes, type StoredDictionary, type StoredFiles, type StoredWeights } from "./stored.ts";

export const SAELENS_WEIGHTS = "sae_weights.safetensors";
const SAELENS_CONFIG = "cfg.json";
const SPARSITY = "sparsity.safetensors";
const SCALER = "activation_scaler.json";
/** SAELens adds this to a fraction before it takes the logarithm. */
const LEAST_FIRING = 1e-10;

/** Reads a dictionary. @throws `MissingFile` or `BadFile` */
export async function readSaeLens(folder: SourceFolder): Promise<StoredDictionary> {
  const where = `${folder.name}/${SAELENS_CONFIG}`;
  const config = saeLensConfig(where, await readJson(folder, SAELENS_CONFIG));
  const sizes: Sizes = new Map();
  expectSize(where, sizes, "d_in", config.dIn, SAELENS_CONFIG);
  if (config.C !== undefined) expectSize(where, sizes, "C", config.C, SAELENS_CONFIG);
  expectSize(where, sizes, "d_out", config.dOut ?? config.dIn, SAELENS_CONFIG);
  if (config.k !== undefined && config.C !== undefined && config.k > config.C) {
    throw new MechanistError("BadFile", `${where}: k: expected at most d_sae, ${config.C}, got ${config.k}`);
  }
  const stored = await withTensors(folder, SAELENS_WEIGHTS, sizes, (tensors, file) => weightsOf(tensors, file, config));
  const { weights, unscaled } = await folded(folder, where, config, stored);
  const firing = await firingIn(folder, sizes);
  const { l0 = firing?.reduce((total, x) => total + x, 0), explainedVariance } = config.claims;
  return {
    code: config.code,
    ...(config.k !== undefined && { k: config.k }),
    normalization: config.normalization === "expected_average_only_in" ? "none" : config.normalization,
    ...config.place,
    weights,
    claims: {
      ...(l0 !== undefined && { l0 }),
      ...(explainedVariance !== undefined && { explainedVariance }),
      ...(firing && { firing }),
    },
    ...(unscaled && { unscaled }),
  };
}

/** The vectors over latents that an architecture has, by SAELens's names, which are ours. */
const VECTORS: Readonly<Record<Code, readonly (keyof StoredWeights)[]>> = {
  relu: ["b_enc"],
  topk: ["b_enc"],
  jumprelu: ["b_enc", "threshold"],
  gated: ["b_gate", "b_mag", "r_mag"],
};

interface AsStored {
  readonly weights: StoredWeights;
  /** What latents are multiplied with before they are decoded, where that was trained once more. */
  readonly factors?: ArrayLike<number>;
}

async function weightsOf(
  tensors: SizedTensors,
  where: string,
  { code, skip, architecture, finetuned }: SaeLensConfig,
): Promise<AsStored> {
  const weights: Record<string, StoredWeights[keyof StoredWeights]> = {
    W_enc: await tensors.read("W_enc", "d_in C"),
    W_dec: await tensors.read("W_dec", "C d_out"),
    b_dec: await tensors.read("b_dec", "d_out"),
  };
  for (const name of VECTORS[code]) weights[name] = await tensors.read(name, "C");
  if (code === "jumprelu") weights.threshold = nonNegative(where, weights.threshold!, true);
  // SAELens multiplies from the right with its transpose.
  if (skip) weights.W_skip = await tensors.readTransposed("W_skip", "d_in d_out");
  const factors = tensors.has("scaling_factor") ? (await tensors.read("scaling_factor", "C")).data : undefined;
  tensors.expectNoMore(`architecture ${architecture}`);
  if (factors?.some((factor) => Math.abs(factor - 1) > 1e-5) && !finetuned) {
    throw new MechanistError(
      "BadFile",
      `${where}: scaling_factor: expected 1 throughout, as finetuning_scaling_factor is false, got others`,
    );
  }
  return { weights, ...(factors && finetuned && { factors }) };
}

/** What the configuration says is done to activations and latents, folded in the order in which it is undone. */
async function folded(
  folder: SourceFolder,
  where: string,
  config: SaeLensConfig,
  { weights, factors }: AsStored,
): Promise<{ readonly weights: StoredWeights; readonly unscaled: boolean }> {
  let found = factors === undefined ? weights : withLatentFactors(weights, factors);
  if (config.subtractsBias) found = withoutInputBias(found);
  if (config.rescaledByDecoder) {
    // Latents are chosen by what they write: `k` of them after their units are those lengths.
    const lengths = decoderLengths(found.W_dec!);
    const silent = lengths.indexOf(0);
    if (silent >= 0) {
      throw new MechanistError(
        "BadFile",
        `${where}: rescale_acts_by_decoder_norm: expected every row of W_dec to have a length, got 0 at ${silent}`,
      );
    }
    found = withLatentUnits(found, lengths);
  }
  if (config.normalization !== "expected_average_only_in") return { weights: found, unscaled: false };
  const scale = await scaleIn(folder);
  return { weights: scale === undefined ? found : withScale(found, scale), unscaled: scale === undefined };
}

/** The number that activations were multiplied with in training, where it was kept. */
async function scaleIn(folder: SourceFolder): Promise<number | undefined> {
  if (!(await hasFile(folder, SCALER))) return undefined;
  const scale = (await readJson(folder, SCALER)).scaling_factor;
  if (scale === null || scale === undefined) return undefined;
  if (typeof scale === "number" && scale > 0 && Number.isFinite(scale)) return scale;
  throw new MechanistError(
    "BadFile",
    `${folder.name}/${SCALER}: scaling_factor: expected a number above 0, got ${JSON.stringify(scale).slice(0, 60)}`,
  );
}

async function firingIn(folder: SourceFolder, sizes: Sizes): Promise<Float64Array | undefined> {
  if (!(await hasFile(folder, SPARSITY))) return undefined;
  const logarithms = await withTensors(folder, SPARSITY, sizes, async (tensors) => {
    const found = await tensors.read("sparsity", "C");
    tensors.expectNoMore("how often latents fire");
    return found;
  });
  return Float64Array.from(logarithms.data, (x) => Math.min(1, Math.max(0, 10 ** x - LEAST_FIRING)));
}

/** The names of architectures that SAELens has a loader for, by code and whether it is a transcoder. */
function architectureOf(dictionary: StoredDictionary): string {
  const { code, weights } = dictionary;
  if (!isTranscoder(dictionary)) return code === "relu" ? "standard" : code;
  const skip = weights.W_skip === undefined ? "" : "skip_";
  if (code === "relu") return `${skip}transcoder`;
  if (code === "jumprelu") return `jumprelu_${skip}transcoder`;
  throw new MechanistError(
    "Refused",
    `export saelens: expected a transcoder with relu or jumprelu, got ${code}; sparsify has topk`,
  );
}

/** A dictionary's files, as SAELens 6 reads them. */
export function saeLensFiles(dictionary: StoredDictionary): StoredFiles {
  const { weights, claims, k, normalization, reads, writes, model, network } = dictionary;
  const { dIn, C, dOut } = storedSizes(weights);
  const across = isTranscoder(dictionary);
  if (across && normalization !== "none") {
    const got = `one with ${normalization}`;
    throw new MechanistError("Refused", `export saelens: expected a transcoder of activations as they are, got ${got}`);
  }
  const config = {
    d_in: dIn,
    d_sae: C,
    ...(across && { d_out: dOut }),
    dtype: "float32",
    device: "cpu",
    apply_b_dec_to_input: false,
    normalize_activations: normalization,
    reshape_activations: reads?.endsWith(".hook_z") ? "hook_z" : "none",
    ...(k !== undefined && { k, rescale_acts_by_decoder_norm: false }),
    architecture: architectureOf(dictionary),
    metadata: {
      sae_lens_version: "6.0.0",
      sae_lens_training_version: null,
      model_name: model,
      hook_name: reads,
      ...(across && { hook_name_out: writes }),
      hook_head_index: null,
      l0: claims.l0,
      explained_variance: claims.explainedVariance,
      network_sha256: network,
    },
  };
  const { W_skip, ...rest } = weights;
  const tensors = { ...rest, ...(W_skip && { W_skip: transposed(W_skip, "d_out d_in") }) };
  const firing = claims.firing;
  return {
    [SAELENS_CONFIG]: `${JSON.stringify(config, undefined, 2)}\n`,
    [SAELENS_WEIGHTS]: writeSafetensors(tensors, { format: "pt" }),
    ...(firing && {
      [SPARSITY]: writeSafetensors(
        {
          sparsity: values(
            "C",
            [C],
            Float32Array.from(firing, (x) => Math.log10(x + LEAST_FIRING)),
          ),
        },
        { format: "pt" },
      ),
    }),
  };
}
