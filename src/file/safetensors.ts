/**
 * The safetensors format: eight bytes of header length, a JSON header, then the numbers of every tensor, one after another.
 * Nothing in it executes. Axis names are kept in the header's `__metadata__` under `axes`, as JSON; files without them read too.
 *
 * Source: https://github.com/huggingface/safetensors, "Format". Reading is strict: every byte belongs to exactly one tensor.
 */
import type { NamedValues, Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { axisNames, sizeOf } from "../tensor/axes.ts";
import {
  decodeNumbers,
  ELEMENT_BYTES,
  encodeNumbers,
  isStoredType,
  STORED_AS,
  type StoredType,
} from "./stored-numbers.ts";

/** What a file holds. */
export interface SafetensorsFile {
  readonly tensors: NamedValues;
  /** The header's `__metadata__` without `axes`. */
  readonly metadata: Readonly<Record<string, string>>;
}

const LENGTH_BYTES = 8;
/** Far above any header of ours; what claims more is not a safetensors file. */
const LONGEST_HEADER = 100_000_000;

interface Entry {
  readonly name: string;
  readonly type: StoredType;
  readonly shape: readonly number[];
  readonly start: number;
  readonly end: number;
}

/**
 * Writes tensors: f32 as F32, i32 as I32, bool as BOOL. The same tensors give the same bytes, whatever the order of their names.
 *
 * @param metadata further text for the header; `axes` is taken
 */
export function writeSafetensors(tensors: NamedValues, metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  // Wider numbers first, so that each tensor starts at a multiple of its own width.
  const names = Object.keys(tensors).sort((a, b) => {
    const width = (name: string): number => ELEMENT_BYTES[STORED_AS[tensors[name]!.dtype]];
    return width(b) - width(a) || (a < b ? -1 : 1);
  });
  const header: [string, unknown][] = [];
  if (names.includes("__metadata__")) {
    throw new MechanistError("BadArgument", "safetensors: expected another name than __metadata__ for a tensor");
  }
  const axes = Object.fromEntries(names.map((name) => [name, tensors[name]!.axes]));
  header.push(["__metadata__", { ...metadata, axes: JSON.stringify(axes) }]);
  let end = 0;
  for (const name of names) {
    const { dtype, shape } = tensors[name]!;
    const type = STORED_AS[dtype];
    const start = end;
    end += sizeOf(shape) * ELEMENT_BYTES[type];
    header.push([name, { dtype: type, shape, data_offsets: [start, end] }]);
  }
  const text = JSON.stringify(Object.fromEntries(header));
  const encoded = new TextEncoder().encode(text);
  const padded = Math.ceil((LENGTH_BYTES + encoded.length) / 8) * 8;
  const bytes = new Uint8Array(padded + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(padded - LENGTH_BYTES), true);
  bytes.set(encoded, LENGTH_BYTES);
  bytes.fill(0x20, LENGTH_BYTES + encoded.length, padded);
  let at = padded;
  for (const name of names) {
    const x = tensors[name]!;
    encodeNumbers(x, new DataView(bytes.buffer, at, sizeOf(x.shape) * ELEMENT_BYTES[STORED_AS[x.dtype]]));
    at += sizeOf(x.shape) * ELEMENT_BYTES[STORED_AS[x.dtype]];
  }
  return bytes;
}

/**
 * Reads tensors: F16, BF16, F32 and F64 become f32, I32 and U8 become i32, BOOL becomes bool. The numbers are copies.
 *
 * @param where names the file in an error
 * @throws `BadFile` where the bytes are not one whole safetensors file
 */
export function readSafetensors(bytes: Uint8Array, where = "safetensors"): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes, where);
  const { __metadata__: rawMetadata = {}, ...described } = header;
  const { axes: rawAxes, ...metadata } = textTable(rawMetadata, where);
  const axes = readAxes(rawAxes, where);
  const entries = Object.entries(described).map(([name, entry]) => readEntry(name, entry, where));
  expectContiguous(entries, bytes.length - dataStart, where);
  const tensors = entries.map((entry): [string, Values] => {
    const view = new DataView(bytes.buffer, bytes.byteOffset + dataStart + entry.start, entry.end - entry.start);
    const { dtype, data } = decodeNumbers(entry.type, view, `${where}: ${entry.name}`);
    const names = Object.hasOwn(axes, entry.name) ? axes[entry.name] : undefined;
    return [entry.name, { axes: axesOf(entry, names, where), shape: entry.shape, dtype, data }];
  });
  return { tensors: Object.fromEntries(tensors), metadata };
}

function bad(where: string, what: string): MechanistError {
  return new MechanistError("BadFile", `${where}: ${what}`);
}

function readHeader(bytes: Uint8Array, where: string): { header: Record<string, unknown>; dataStart: number } {
  if (bytes.length < LENGTH_BYTES) throw bad(where, `expected at least ${LENGTH_BYTES} bytes, got ${bytes.length}`);
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  if (length > LONGEST_HEADER) throw bad(where, `expected a header of at most ${LONGEST_HEADER} bytes, got ${length}`);
  const dataStart = LENGTH_BYTES + length;
  if (dataStart > bytes.length) {
    throw bad(where, `truncated: expected a header of ${length} bytes, got ${bytes.length - LENGTH_BYTES}`);
  }
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(LENGTH_BYTES, dataStart)));
  } catch (cause) {
    throw new MechanistError("BadFile", `${where}: expected a JSON header, got something else`, {}, { cause });
  }
  if (!isTable(header)) throw bad(where, `expected a JSON object as header, got ${describe(header)}`);
  return { header, dataStart };
}

function readEntry(name: string, entry: unknown, where: string): Entry {
  const at = `${where}: ${name}`;
  if (!isTable(entry)) throw bad(at, `expected a tensor's description, got ${describe(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !isStoredType(dtype)) {
    throw bad(at, `expected a type among ${Object.keys(ELEMENT_BYTES).join(", ")}, got ${describe(dtype)}`);
  }
  if (!isSizes(shape)) throw bad(at, `expected a shape, got ${describe(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) throw bad(at, `expected two offsets, got ${describe(offsets)}`);
  const [start, end] = offsets as [number, number];
  const wanted = sizeOf(shape) * ELEMENT_BYTES[dtype];
  if (end - start !== wanted) {
    throw bad(at, `expected ${wanted} bytes for ${dtype} of ${shape.join("×") || "one number"}, got ${end - start}`);
  }
  return { name, type: dtype, shape, start, end };
}

/** Every byte of data in exactly one tensor: no overlap, no hole, nothing missing, nothing left over. */
function expectContiguous(entries: readonly Entry[], length: number, where: string): void {
  let at = 0;
  for (const { name, start, end } of entries.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) {
      const fault = start < at ? "overlaps the tensor before it" : "leaves a hole before it";
      throw bad(`${where}: ${name}`, `${fault}: expected it to start at byte ${at}, got ${start}`);
    }
    at = end;
  }
  if (at > length) throw bad(where, `truncated: expected ${at} bytes of numbers, got ${length}`);
  if (at < length) throw bad(where, `expected ${at} bytes of numbers, got ${length}`);
}

function readAxes(text: string | undefined, where: string): Record<string, string> {
  if (text === undefined) return {};
  try {
    return textTable(JSON.parse(text), where);
  } catch (cause) {
    throw new MechanistError("BadFile", `${where}: expected axis names as JSON, got ${describe(text)}`, {}, { cause });
  }
}

/** The axes as written, or `axis0 axis1 …` for a file that has no names. */
function axesOf({ name, shape }: Entry, axes: string | undefined, where: string): string {
  if (axes === undefined) return shape.map((_, i) => `axis${i}`).join(" ");
  if (axisNames(axes).length !== shape.length) {
    throw bad(`${where}: ${name}`, `expected ${shape.length} axis names, got "${axes}"`);
  }
  return axes;
}

function textTable(value: unknown, where: string): Record<string, string> {
  if (!isTable(value)) throw bad(where, `expected a table of texts, got ${describe(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw bad(where, `expected text for ${key}, got ${describe(text)}`);
  }
  return value as Record<string, string>;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function describe(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 60);
}
