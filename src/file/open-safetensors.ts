/**
 * Tensors read from safetensors files one by one, so that memory holds what is kept and one chunk, however large the files are.
 * A network's folder has one file, or shards with an index that says which holds what.
 */
import type { Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import type { ByteSource, SourceFolder } from "./bytes.ts";
import { describeJson, isTable, parseJson, quoted } from "./json.ts";
import { arrayOf, CHUNK_BYTES, expectAxes, type OpenTensors, type ReadOptions, tensorNamed } from "./open-tensors.ts";
import { headerLength, LENGTH_BYTES, parseHeader, type StoredTensor } from "./safetensors-header.ts";
import { decodeInto, ELEMENT_BYTES, HELD_AS, HELD_RAW } from "./stored-numbers.ts";

/** Tensors of one file, with where in it they are. */
interface OpenSafetensors extends OpenTensors {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** A tensor of a folder, and the file in it. */
export interface PlacedTensor extends StoredTensor {
  readonly file: string;
}

/** Tensors of a folder. */
export interface OpenWeights extends OpenTensors {
  readonly tensors: ReadonlyMap<string, PlacedTensor>;
}

/**
 * Reads a file's header. Closing what it gives closes the source, as a refusal does.
 *
 * @throws `BadFile` where the source is not one whole safetensors file
 */
export async function openSafetensors(source: ByteSource): Promise<OpenSafetensors> {
  const { name: where, size } = source;
  try {
    const length = headerLength(await source.read(0, Math.min(LENGTH_BYTES, size)), size, where);
    const { tensors, metadata } = parseHeader(await source.read(LENGTH_BYTES, LENGTH_BYTES + length), size, where);
    return {
      tensors,
      metadata,
      readTensor: async (name, options) => readStored(source, tensorNamed(where, tensors, name), options),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

const WHOLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";
/** Far above any index; the largest open models' are below 10 MB. */
const LONGEST_INDEX = 100_000_000;

/**
 * Opens a network's weights: the shards that `model.safetensors.index.json` names, or `model.safetensors`.
 *
 * @throws `MissingFile` where neither is there, or a shard is not; `BadFile` where index and shards contradict each other
 */
export async function openWeights(folder: SourceFolder): Promise<OpenWeights> {
  const index = await folder.open(INDEX);
  if (index !== undefined) return openShards(folder, await readIndex(index));
  const whole = await folder.open(WHOLE);
  if (whole === undefined) {
    throw new MechanistError("MissingFile", `${folder.name}: expected ${WHOLE} or ${INDEX}, got neither`);
  }
  const opened = await openSafetensors(whole);
  const tensors = new Map([...opened.tensors].map(([name, tensor]) => [name, { ...tensor, file: WHOLE }]));
  return { ...opened, tensors };
}

/** Reads `weight_map`: which file holds which tensor. */
async function readIndex(source: ByteSource): Promise<ReadonlyMap<string, string>> {
  const { name: where, size } = source;
  try {
    if (size > LONGEST_INDEX) {
      throw new MechanistError("BadFile", `${where}: expected at most ${LONGEST_INDEX} bytes, got ${size}`);
    }
    const index = parseJson(await source.read(0, size), where);
    const map = isTable(index) ? index.weight_map : undefined;
    if (!isTable(map)) {
      throw new MechanistError("BadFile", `${where}: expected a table weight_map, got ${describeJson(map)}`);
    }
    for (const [name, file] of Object.entries(map)) {
      if (typeof file === "string" && /^[^/\\]+\.safetensors$/.test(file)) continue;
      const got = describeJson(file);
      throw new MechanistError(
        "BadFile",
        `${where}: ${quoted(name)}: expected a safetensors file beside it, got ${got}`,
      );
    }
    return new Map(Object.entries(map as Record<string, string>));
  } finally {
    await source.close();
  }
}

async function openShards(folder: SourceFolder, index: ReadonlyMap<string, string>): Promise<OpenWeights> {
  const shards = new Map<string, OpenSafetensors>();
  const close = async (): Promise<void> => {
    for (const shard of shards.values()) await shard.close();
  };
  try {
    const tensors = new Map<string, PlacedTensor>();
    for (const file of [...new Set(index.values())].sort()) {
      const source = await folder.open(file);
      if (source === undefined) {
        throw new MechanistError("MissingFile", `${folder.name}: expected the shard ${file}, got none`);
      }
      const shard = await openSafetensors(source);
      shards.set(file, shard);
      for (const [name, tensor] of shard.tensors) {
        const expected = index.get(name);
        if (expected !== file) {
          const said = expected === undefined ? "not in the index" : `said to be in ${expected}`;
          throw new MechanistError(
            "BadFile",
            `${source.name}: ${quoted(name)}: expected what the index lists, got a tensor ${said}`,
          );
        }
        tensors.set(name, { ...tensor, file });
      }
    }
    for (const [name, file] of index) {
      if (tensors.has(name)) continue;
      throw new MechanistError(
        "BadFile",
        `${folder.name}: ${quoted(name)}: expected it in ${file}, got a shard without it`,
      );
    }
    return {
      tensors,
      metadata: shards.values().next().value?.metadata ?? {},
      async readTensor(name, options) {
        tensorNamed(folder.name, tensors, name);
        return shards.get(index.get(name)!)!.readTensor(name, options);
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function readStored(
  source: ByteSource,
  { name, type, shape, axes: storedAxes, start, end }: StoredTensor,
  { axes = storedAxes, signal }: ReadOptions = {},
): Promise<Values> {
  const where = `${source.name}: ${quoted(name)}`;
  const dtype = HELD_AS[type];
  expectAxes(where, axes, shape);
  const data = arrayOf(where, dtype, shape);
  // Where the bytes are the numbers, they are read to where they stay.
  const held = HELD_RAW.has(type) ? new Uint8Array(data.buffer) : undefined;
  const chunk = new Uint8Array(held === undefined ? Math.min(CHUNK_BYTES, end - start) : 0);
  for (let at = start; at < end; at += CHUNK_BYTES) {
    if (signal?.aborted) throw new MechanistError("Cancelled", `${where}: stopped while it was read`);
    const [done, length] = [at - start, Math.min(CHUNK_BYTES, end - at)];
    const part = held?.subarray(done, done + length) ?? chunk.subarray(0, length);
    await source.readInto(at, part);
    if (held === undefined) decodeInto(type, part, data, done / ELEMENT_BYTES[type], where);
  }
  return { axes, shape, dtype, data };
}
