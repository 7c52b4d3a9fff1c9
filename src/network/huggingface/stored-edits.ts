/**
 * Changed weights as the bytes of a folder's tensors: under its names, in its layouts and types. Only numbers that changed are written anew, so
 * that all others stay as they are to the bit, whatever type they have.
 */
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { SourceFolder } from "../../file/bytes.ts";
import { type FloatType, writeFloat } from "../../file/encode-floats.ts";
import { openWeights, type PlacedTensor } from "../../file/open-safetensors.ts";
import { decodeNumbers, ELEMENT_BYTES } from "../../file/stored-numbers.ts";
import { axisNames } from "../../tensor/index.ts";
import { replaced } from "./arrange.ts";
import type { CheckpointOptions } from "./checkpoint.ts";
import { describeNetwork, readConfig } from "./checkpoint.ts";
import { familyOf } from "./families.ts";
import { EMBEDDING, type Made, partOf, planned, prefixOf, sizesOf, UNEMBEDDING } from "./read-weights.ts";

/** Bytes that stand in for those of a file from a place on. */
export interface StoredEdit {
  readonly file: string;
  readonly start: number;
  readonly bytes: Uint8Array;
}

export interface StoredEdits {
  /** The files that hold tensors, changed or not. */
  readonly files: readonly string[];
  readonly edits: readonly StoredEdit[];
}

/**
 * What changes in a network's folder when some of its weights do.
 *
 * @param changed weights by our names, whole
 * @throws `BadFile` as `readCheckpoint`; `Refused` for numbers that the tensor's type cannot hold
 */
export async function storedEdits(
  folder: SourceFolder,
  changed: NamedValues,
  { signal }: Pick<CheckpointOptions, "signal"> = {},
): Promise<StoredEdits> {
  const config = await readConfig(folder);
  const where = `${folder.name}/config.json`;
  const [, family] = familyOf(config, where);
  const { network } = describeNetwork(config, where);
  const tensors = await openWeights(folder);
  try {
    const plan = planned(network, family, prefixOf(family, tensors), tensors, where);
    const edits: StoredEdit[] = [];
    const edit = async (name: string, made: readonly Made[]): Promise<void> => {
      signal?.throwIfAborted();
      const tensor = tensors.tensors.get(name)!;
      edits.push({ file: tensor.file, start: tensor.start, bytes: await editedBytes(folder, tensor, made, changed) });
    };
    for (const [name, made] of plan) {
      const wanted = made.filter(({ spec }) => spec.name in changed);
      if (wanted.length > 0) await edit(name, wanted);
    }
    // Where the file has the tied unembedding a second time, both change.
    const [again] = family.weights[UNEMBEDDING]!;
    const embedding = [...plan.values()].flat().find(({ spec }) => spec.name === EMBEDDING);
    if (network.config.tied && tensors.tensors.has(again) && EMBEDDING in changed) await edit(again, [embedding!]);
    return { files: [...new Set([...tensors.tensors.values()].map(({ file }) => file))], edits };
  } finally {
    await tensors.close();
  }
}

async function editedBytes(
  folder: SourceFolder,
  { name, file, start, end, type }: PlacedTensor,
  made: readonly Made[],
  changed: NamedValues,
): Promise<Uint8Array> {
  const source = await folder.open(file);
  if (source === undefined) throw new MechanistError("MissingFile", `${folder.name}: expected ${file}, got none`);
  try {
    const bytes = await source.read(start, end);
    const where = `${source.name}: ${name}`;
    const before = decodeNumbers(type, bytes, where).data as Float32Array;
    const after = Float32Array.from(before);
    for (const { spec, stored } of made) {
      const data = Float32Array.from(changed[spec.name]!.data);
      replaced(data, stored, sizesOf(spec), axisNames(spec.axes), partOf(spec.name), after);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, before.length * ELEMENT_BYTES[type]);
    for (let i = 0; i < after.length; i++) {
      if (after[i] !== before[i]) writeFloat(type as FloatType, view, i, after[i]!, where);
    }
    return bytes;
  } finally {
    await source.close();
  }
}
