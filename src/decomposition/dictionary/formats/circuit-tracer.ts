/**
 * circuit-tracer: `config.yaml`, and a transcoder for each layer in `layer_<i>.safetensors`, or a cross-layer transcoder in `W_enc_<i>.safetensors` and
 * `W_dec_<i>.safetensors`. Encoders are stored `d_feature d_model`, the other way round than elsewhere.
 *
 * Source: circuit-tracer 0.5.0, `transcoder/single_layer_transcoder.py` and `cross_layer_transcoder.py` (github.com/decoderesearch/circuit-tracer, MIT).
 */
import { z } from "zod";
import { MechanistError } from "../../../error.ts";
import type { SourceFolder } from "../../../file/bytes.ts";
import { writeSafetensors } from "../../../file/safetensors.ts";
import { transposed } from "./folding.ts";
import { hasFile, nonNegative, readYamlTable, settingsIn, type Sizes, withTensors } from "./reading.ts";
import {
  isTranscoder,
  type StoredCrossLayer,
  type StoredDictionary,
  type StoredFiles,
  type StoredWeights,
} from "./stored.ts";

const CONFIG = "config.yaml";
const SET = "transcoder_set";
const CROSS_LAYER = "cross_layer_transcoder";
const THRESHOLD = "activation_function.threshold";
/** Far more layers than any network has. */
const MOST_LAYERS = 1000;

export const transcoderFile = (layer: number): string => `layer_${layer}.safetensors`;
export const encoderFile = (layer: number): string => `W_enc_${layer}.safetensors`;
const decoderFile = (layer: number): string => `W_dec_${layer}.safetensors`;

const schema = z.looseObject({
  model_name: z.string().nullish(),
  model_kind: z.enum([SET, CROSS_LAYER]),
  feature_input_hook: z.string(),
  feature_output_hook: z.string(),
});

async function configIn(folder: SourceFolder, kind: string): Promise<z.infer<typeof schema>> {
  const where = `${folder.name}/${CONFIG}`;
  const config = settingsIn(where, schema, await readYamlTable(folder, CONFIG));
  if (config.model_kind === kind) return config;
  throw new MechanistError(
    "BadFile",
    `${where}: model_kind: expected ${kind}, as the files are, got ${config.model_kind}`,
  );
}

/** The layers that there are files of, from the first on. */
async function layersIn(folder: SourceFolder, file: (layer: number) => string): Promise<number[]> {
  const found: number[] = [];
  for (let layer = 0; layer < MOST_LAYERS && (await hasFile(folder, file(layer))); layer++) found.push(layer);
  if (found.length > 0) return found;
  throw new MechanistError("MissingFile", `${folder.name}: expected ${file(0)}, got none`);
}

/**
 * Reads transcoders.
 *
 * @param only one layer's file; all there are unless given
 * @throws `MissingFile` or `BadFile`
 */
export async function readTranscoderSet(folder: SourceFolder, only?: string): Promise<StoredDictionary[]> {
  const config = await configIn(folder, SET);
  const layers =
    only === undefined ? await layersIn(folder, transcoderFile) : [Number(/^layer_(\d+)\.safetensors$/.exec(only)![1])];
  const { model_name: model, feature_input_hook: input, feature_output_hook: output } = config;
  const found: StoredDictionary[] = [];
  const sizes: Sizes = new Map();
  for (const layer of layers) {
    const weights = await withTensors(folder, transcoderFile(layer), sizes, async (tensors, where) => {
      const jumps = tensors.has(THRESHOLD);
      const own: StoredWeights = {
        W_enc: await tensors.readTransposed("W_enc", "d_in C"),
        b_enc: await tensors.read("b_enc", "C"),
        ...(jumps && { threshold: nonNegative(where, await tensors.read(THRESHOLD, "C"), false) }),
        W_dec: await tensors.read("W_dec", "C d_out"),
        b_dec: await tensors.read("b_dec", "d_out"),
        ...(tensors.has("W_skip") && { W_skip: await tensors.readTransposed("W_skip", "d_in d_out") }),
      };
      tensors.expectNoMore("a transcoder");
      return own;
    });
    found.push({
      code: weights.threshold ? "jumprelu" : "relu",
      normalization: "none",
      reads: `blocks.${layer}.${input}`,
      writes: `blocks.${layer}.${output}`,
      ...(model && { model }),
      weights,
      claims: {},
    });
  }
  return found;
}

/** Reads a cross-layer transcoder. @throws `MissingFile` or `BadFile` */
export async function readCrossLayer(folder: SourceFolder): Promise<StoredCrossLayer> {
  const config = await configIn(folder, CROSS_LAYER);
  const layers = await layersIn(folder, encoderFile);
  const sizes: Sizes = new Map();
  const found: StoredCrossLayer["layers"][number][] = [];
  for (const layer of layers) {
    const encoder = await withTensors(folder, encoderFile(layer), sizes, async (tensors, where) => {
      const threshold = `threshold_${layer}`;
      const own: StoredWeights = {
        W_enc: await tensors.readTransposed(`W_enc_${layer}`, "d_in C"),
        b_enc: await tensors.read(`b_enc_${layer}`, "C"),
        ...(tensors.has(threshold) && {
          threshold: nonNegative(where, await tensors.read(threshold, "C"), false),
        }),
        b_dec: await tensors.read(`b_dec_${layer}`, "d_out"),
      };
      tensors.expectNoMore("a layer's encoder");
      return own;
    });
    const W_dec = await withTensors(folder, decoderFile(layer), sizes, async (tensors, where) => {
      const own = await tensors.read(`W_dec_${layer}`, "C layers d_out".replace("layers", `layers_from_${layer}`));
      tensors.expectNoMore("a layer's decoders");
      const [, written] = own.shape;
      if (written !== layers.length - layer) {
        throw new MechanistError(
          "BadFile",
          `${where}: W_dec_${layer}: expected ${layers.length - layer} layers from its own on, got ${written}`,
        );
      }
      return { ...own, axes: "C layer d_out" };
    });
    found.push({
      reads: `blocks.${layer}.${config.feature_input_hook}`,
      writes: `blocks.${layer}.${config.feature_output_hook}`,
      weights: { ...encoder, W_dec },
    });
  }
  const jumping = found.filter(({ weights }) => weights.threshold).length;
  if (jumping > 0 && jumping < found.length) {
    throw new MechanistError(
      "BadFile",
      `${folder.name}: expected thresholds at all ${found.length} layers, got ${jumping}`,
    );
  }
  const { model_name: model } = config;
  return { code: jumping > 0 ? "jumprelu" : "relu", layers: found, ...(model && { model }), claims: {} };
}

/** The configuration for points that are called the same in every block, and these blocks' numbers. */
async function configOf(
  format: string,
  kind: string,
  points: readonly { readonly reads?: string; readonly writes?: string }[],
  model: string | undefined,
): Promise<string> {
  const parts = points.map(({ reads = "", writes = "" }, layer) => {
    const [, at, input] = /^blocks\.(\d+)\.(.+)$/.exec(reads) ?? [];
    const [, to, output] = /^blocks\.(\d+)\.(.+)$/.exec(writes) ?? [];
    if (Number(at) === layer && Number(to) === layer) return { input: input!, output: output! };
    const wanted = `transcoders of blocks 0 to ${points.length - 1} in their order`;
    throw new MechanistError("Refused", `export ${format}: expected ${wanted}, got ${reads} to ${writes}`);
  });
  const [first] = parts;
  const other = parts.find(({ input, output }) => input !== first!.input || output !== first!.output);
  if (other !== undefined) {
    const wanted = `${first!.input} to ${first!.output} in every block`;
    throw new MechanistError("Refused", `export ${format}: expected ${wanted}, got ${other.input} to ${other.output}`);
  }
  const { stringify } = await import("yaml");
  return stringify({
    ...(model !== undefined && { model_name: model }),
    model_kind: kind,
    feature_input_hook: first!.input,
    feature_output_hook: first!.output,
    scan: "mechanist",
  });
}

/** The files of transcoders, one for each block from the first on. */
export async function transcoderSetFiles(dictionaries: readonly StoredDictionary[]): Promise<StoredFiles> {
  const format = "circuit-tracer";
  for (const one of dictionaries) {
    const { code, normalization } = one;
    if (!isTranscoder(one) || (code !== "relu" && code !== "jumprelu") || normalization !== "none") {
      const got = isTranscoder(one) ? `${code} with normalisation ${normalization}` : "a dictionary of one point";
      throw new MechanistError("Refused", `export ${format}: expected transcoders with relu or jumprelu, got ${got}`);
    }
  }
  const files = dictionaries.map(({ weights }, layer): [string, Uint8Array] => {
    const { W_enc, W_skip, threshold, ...rest } = weights;
    const tensors = {
      ...rest,
      W_enc: transposed(W_enc!, "C d_in"),
      ...(threshold && { [THRESHOLD]: threshold }),
      ...(W_skip && { W_skip: transposed(W_skip, "d_out d_in") }),
    };
    return [transcoderFile(layer), writeSafetensors(tensors, { format: "pt" })];
  });
  return { [CONFIG]: await configOf(format, SET, dictionaries, dictionaries[0]?.model), ...Object.fromEntries(files) };
}

/** The files of a cross-layer transcoder. */
export async function crossLayerFiles({ layers, model }: StoredCrossLayer): Promise<StoredFiles> {
  const files = layers.flatMap(({ weights }, layer): [string, Uint8Array][] => {
    const { W_enc, W_dec, b_enc, b_dec, threshold } = weights;
    const encoder = {
      [`W_enc_${layer}`]: transposed(W_enc!, "C d_in"),
      [`b_enc_${layer}`]: b_enc!,
      [`b_dec_${layer}`]: b_dec!,
      ...(threshold && { [`threshold_${layer}`]: threshold }),
    };
    return [
      [encoderFile(layer), writeSafetensors(encoder, { format: "pt" })],
      [decoderFile(layer), writeSafetensors({ [`W_dec_${layer}`]: W_dec! }, { format: "pt" })],
    ];
  });
  return { [CONFIG]: await configOf("circuit-tracer-clt", CROSS_LAYER, layers, model), ...Object.fromEntries(files) };
}
