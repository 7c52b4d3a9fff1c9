/** Networks in Hugging Face folders: `config.json` and safetensors. Only tensors and text are read; nothing executes. */
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { SourceFolder } from "../../file/bytes.ts";
import { describeJson, isTable, parseJson } from "../../file/json.ts";
import { openWeights } from "../../file/open-safetensors.ts";
import type { OpenTensors } from "../../file/open-tensors.ts";
import { type Transformer, transformer } from "../transformer/transformer.ts";
import { familyOf } from "./families.ts";
import { readWeights } from "./read-weights.ts";

/** A network that was opened. */
export interface Checkpoint {
  readonly network: Transformer;
  readonly weights: NamedValues;
  /** What `model_type` calls it. */
  readonly family: string;
  /** All of `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
}

export interface CheckpointOptions {
  readonly signal?: AbortSignal;
  /** Is told how far the reading is, in tensors. */
  readonly onProgress?: (done: number, all: number) => void;
}

const CONFIG = "config.json";
/** Far above any: the longest list what each of a thousand layers is. */
const LONGEST_CONFIG = 10_000_000;

/**
 * Opens a network's folder.
 *
 * @throws `MissingFile` where a file is missing; `BadFile` as `fromHuggingFace`
 */
export async function readCheckpoint(folder: SourceFolder, options: CheckpointOptions = {}): Promise<Checkpoint> {
  const config = await readConfig(folder);
  const where = `${folder.name}/${CONFIG}`;
  // The config is judged before any tensor is looked for.
  describeNetwork(config, where);
  const tensors = await openWeights(folder);
  try {
    return await fromHuggingFace(config, tensors, { ...options, where });
  } finally {
    await tensors.close();
  }
}

/**
 * A network made of a parsed `config.json` and tensors.
 *
 * @throws `BadFile` for a family that is not known, for a field that is wrong or asks for something that is not computed, and where
 * config and tensors contradict each other
 */
export async function fromHuggingFace(
  config: Readonly<Record<string, unknown>>,
  tensors: OpenTensors,
  { where = CONFIG, ...options }: CheckpointOptions & { readonly where?: string } = {},
): Promise<Checkpoint> {
  const { family, network } = describeNetwork(config, where);
  const [, row] = familyOf(config, where);
  return { network, family, config, weights: await readWeights(network, row, tensors, where, options) };
}

/**
 * The network that a `config.json` describes, without its weights.
 *
 * @throws `BadFile`
 */
export function describeNetwork(
  config: Readonly<Record<string, unknown>>,
  where = CONFIG,
): { readonly family: string; readonly network: Transformer } {
  const [family, row] = familyOf(config, where);
  return { family, network: transformer(row.describe(config, where)) };
}

/** A folder's `config.json`. */
export async function readConfig(folder: SourceFolder): Promise<Record<string, unknown>> {
  const source = await folder.open(CONFIG);
  if (source === undefined) throw new MechanistError("MissingFile", `${folder.name}: expected ${CONFIG}, got none`);
  const { name: where, size } = source;
  try {
    if (size > LONGEST_CONFIG) {
      throw new MechanistError("BadFile", `${where}: expected at most ${LONGEST_CONFIG} bytes, got ${size}`);
    }
    const config = parseJson(await source.read(0, size), where);
    if (isTable(config)) return config;
    throw new MechanistError("BadFile", `${where}: expected a table, got ${describeJson(config)}`);
  } finally {
    await source.close();
  }
}
