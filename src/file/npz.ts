/** NumPy's `.npz`: a ZIP archive of arrays, read one by one, and written for those who read them elsewhere. */
import { zipSync } from "fflate";
import type { NamedValues, NumberArray, Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { sizeOf } from "../tensor/axes.ts";
import type { ByteSource } from "./bytes.ts";
import { quoted } from "./json.ts";
import { NPY_START, type NpyHeader, npyHeaderLength, parseNpyHeader } from "./npy.ts";
import {
  arrayOf,
  CHUNK_BYTES,
  expectAxes,
  type OpenTensors,
  type ReadOptions,
  type TensorInfo,
  tensorNamed,
} from "./open-tensors.ts";
import { decodeInto, ELEMENT_BYTES, encodeNumbers, HELD_AS, STORED_AS } from "./stored-numbers.ts";
import { readZipEntries, readZipEntry, type ZipEntry } from "./zip.ts";

interface Entry extends TensorInfo {
  readonly entry: ZipEntry;
  readonly header: NpyHeader;
}

/**
 * Reads an archive's headers. Closing what it gives closes the source, as a refusal does.
 *
 * @throws `BadFile` for what is no archive of arrays of numbers
 */
export async function openNpz(source: ByteSource): Promise<OpenTensors> {
  const { name: where } = source;
  try {
    const tensors = new Map<string, Entry>();
    for (const entry of await readZipEntries(source)) {
      const name = /^(.*)\.npy$/.exec(entry.name)?.[1];
      if (name === undefined) {
        throw new MechanistError("BadFile", `${where}: expected arrays, named .npy, got ${quoted(entry.name)}`);
      }
      const header = await readHeader(source, entry);
      const axes = header.shape.map((_, i) => `axis${i}`).join(" ");
      tensors.set(name, { name, type: header.type, shape: header.shape, axes, entry, header });
    }
    return {
      tensors,
      metadata: {},
      readTensor: async (name, options) => readArray(source, tensorNamed(where, tensors, name), options),
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function readHeader(source: ByteSource, entry: ZipEntry): Promise<NpyHeader> {
  const where = `${source.name}: ${quoted(entry.name)}`;
  let bytes = new Uint8Array();
  let length = Infinity;
  for await (const piece of readZipEntry(source, entry)) {
    const before = bytes;
    bytes = new Uint8Array(before.length + piece.length);
    bytes.set(before);
    bytes.set(piece, before.length);
    if (length === Infinity && bytes.length >= NPY_START) length = npyHeaderLength(bytes.subarray(0, NPY_START), where);
    if (bytes.length >= length) return parseNpyHeader(bytes.subarray(0, length), entry.size, where);
  }
  if (length === Infinity) npyHeaderLength(bytes, where);
  throw new MechanistError("BadFile", `${where}: truncated: expected a header of ${length} bytes, got ${bytes.length}`);
}

async function readArray(
  source: ByteSource,
  { name, type, shape, axes: ownAxes, entry, header }: Entry,
  { axes = ownAxes, signal }: ReadOptions = {},
): Promise<Values> {
  const where = `${source.name}: ${quoted(name)}`;
  const dtype = HELD_AS[type];
  const width = ELEMENT_BYTES[type];
  expectAxes(where, axes, shape);
  const data = arrayOf(where, dtype, shape);
  // Pieces end anywhere; numbers are decoded a chunk of whole ones at a time.
  const chunk = new Uint8Array(Math.min(CHUNK_BYTES, data.length * width));
  let [skip, filled, done] = [header.length, 0, 0];
  for await (const piece of readZipEntry(source, entry)) {
    if (signal?.aborted) throw new MechanistError("Cancelled", `${where}: stopped while it was read`);
    let at = Math.min(skip, piece.length);
    skip -= at;
    while (at < piece.length) {
      const part = piece.subarray(at, at + chunk.length - filled);
      chunk.set(part, filled);
      filled += part.length;
      at += part.length;
      if (filled < chunk.length && done * width + filled < data.length * width) continue;
      decodeInto(type, chunk.subarray(0, filled), data, done, where);
      done += filled / width;
      filled = 0;
    }
  }
  return { axes, shape, dtype, data: header.fortran ? rowMajor(arrayOf(where, dtype, shape), data, shape) : data };
}

/** Numbers whose first axis moves fastest, put in the order in which the last one does. */
function rowMajor(target: NumberArray, data: NumberArray, shape: readonly number[]): NumberArray {
  const index = shape.map(() => 0);
  const strides = shape.map((_, axis) => sizeOf(shape.slice(0, axis)));
  let from = 0;
  for (let i = 0; i < target.length; i++) {
    target[i] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return target;
}

const DESCR = { f32: "<f4", i32: "<i4", bool: "|b1" } as const;
/** Numbers begin at a multiple of this. */
const ALIGNMENT = 64;

/** Writes tensors as `np.savez` does: uncompressed, by name. The same tensors give the same bytes, whatever their order. Axis names are lost. */
export function writeNpz(tensors: NamedValues): Uint8Array {
  const files = Object.keys(tensors)
    .sort()
    .map((name): [string, Uint8Array] => [`${name}.npy`, writeNpy(tensors[name]!)]);
  return zipSync(Object.fromEntries(files), { level: 0, mtime: "1980-01-01T00:00:00" });
}

function writeNpy(x: Values): Uint8Array {
  const sizes = x.shape.length === 1 ? `${x.shape[0]},` : x.shape.join(", ");
  const text = `{'descr': '${DESCR[x.dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const length = Math.ceil((10 + text.length + 1) / ALIGNMENT) * ALIGNMENT;
  const numbers = sizeOf(x.shape) * ELEMENT_BYTES[STORED_AS[x.dtype]];
  const bytes = new Uint8Array(length + numbers);
  bytes.set([0x93, ...new TextEncoder().encode("NUMPY"), 1, 0, (length - 10) & 0xff, (length - 10) >> 8]);
  bytes.fill(0x20, 10, length);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[length - 1] = 0x0a;
  encodeNumbers(x, new DataView(bytes.buffer, length, numbers));
  return bytes;
}
