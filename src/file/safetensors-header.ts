/**
 * The header of a safetensors file: which tensor is where. Eight bytes of length, then JSON; the numbers follow it.
 *
 * Source: https://github.com/huggingface/safetensors, "Format". Reading is strict, as the format's own library is: every byte belongs to
 * exactly one tensor, no key appears twice, and nothing is believed that the file's size does not bear out.
 */
import { MechanistError } from "../error.ts";
import { axisNames, sizeOf } from "../tensor/axes.ts";
import { describeJson, isTable, parseJson, quoted } from "./json.ts";
import type { TensorInfo } from "./open-tensors.ts";
import { ELEMENT_BYTES, isStoredType } from "./stored-numbers.ts";

/** A tensor, and where it is. */
export interface StoredTensor extends TensorInfo {
  /** Its first byte in the file, and the one after its last. */
  readonly start: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The header's `__metadata__` without `axes`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bytes of the length that a file begins with. */
export const LENGTH_BYTES = 8;
/** The format's own limit; what claims more is not a safetensors file. */
const LONGEST_HEADER = 100_000_000;

/**
 * The header's length, believed only as far as the file is long.
 *
 * @param first the file's first bytes, eight where it has so many
 * @param size of the whole file, in bytes
 * @throws `BadFile`
 */
export function headerLength(first: Uint8Array, size: number, where: string): number {
  if (size < LENGTH_BYTES) throw bad(where, `expected at least ${LENGTH_BYTES} bytes, got ${size}`);
  const length = Number(new DataView(first.buffer, first.byteOffset, LENGTH_BYTES).getBigUint64(0, true));
  if (length > LONGEST_HEADER) throw bad(where, `expected a header of at most ${LONGEST_HEADER} bytes, got ${length}`);
  if (LENGTH_BYTES + length > size) {
    throw bad(where, `truncated: expected a header of ${length} bytes, got ${size - LENGTH_BYTES}`);
  }
  return length;
}

/**
 * Reads the header's JSON.
 *
 * @param bytes the header without the length before it
 * @param size of the whole file, in bytes
 * @throws `BadFile`
 */
export function parseHeader(bytes: Uint8Array, size: number, where: string): SafetensorsHeader {
  const header = parseJson(bytes, where, "a JSON header");
  if (!isTable(header)) throw bad(where, `expected a JSON object as header, got ${describeJson(header)}`);
  const { __metadata__: rawMetadata = {}, ...described } = header;
  const { axes: rawAxes, ...metadata } = textTable(rawMetadata, where);
  const axes = readAxes(rawAxes, where);
  const dataStart = LENGTH_BYTES + bytes.length;
  const tensors = Object.entries(described).map(([name, entry]): StoredTensor => {
    const placed = readEntry(name, entry, where);
    const names = Object.hasOwn(axes, name) ? axes[name] : undefined;
    return {
      ...placed,
      axes: axesOf(placed, names, where),
      start: dataStart + placed.start,
      end: dataStart + placed.end,
    };
  });
  expectContiguous(tensors, dataStart, size, where);
  return { tensors: new Map(tensors.map((tensor) => [tensor.name, tensor])), metadata };
}

function bad(where: string, what: string): MechanistError {
  return new MechanistError("BadFile", `${where}: ${what}`);
}

function readEntry(name: string, entry: unknown, where: string): Omit<StoredTensor, "axes"> {
  const at = `${where}: ${quoted(name)}`;
  if (!isTable(entry)) throw bad(at, `expected a tensor's description, got ${describeJson(entry)}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !isStoredType(dtype)) {
    const got = typeof dtype === "string" ? quoted(dtype) : describeJson(dtype);
    throw bad(at, `expected a type among ${Object.keys(ELEMENT_BYTES).join(", ")}, got ${got}`);
  }
  if (!isSizes(shape)) throw bad(at, `expected a shape, got ${describeJson(shape)}`);
  if (!isSizes(offsets) || offsets.length !== 2) throw bad(at, `expected two offsets, got ${describeJson(offsets)}`);
  const [start, end] = offsets as [number, number];
  const wanted = sizeOf(shape) * ELEMENT_BYTES[dtype];
  if (end - start !== wanted) {
    const sizes = shape.join("×").slice(0, 60) || "one number";
    throw bad(at, `expected ${wanted} bytes for ${dtype} of ${sizes}, got ${end - start}`);
  }
  return { name, type: dtype, shape, start, end };
}

/** Every byte of data in exactly one tensor: no overlap, no hole, nothing missing, nothing left over. */
function expectContiguous(tensors: readonly StoredTensor[], dataStart: number, size: number, where: string): void {
  let at = dataStart;
  for (const { name, start, end } of tensors.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) {
      const fault = start < at ? "overlaps the tensor before it" : "leaves a hole before it";
      const [expected, got] = [at - dataStart, start - dataStart];
      throw bad(`${where}: ${quoted(name)}`, `${fault}: expected it to start at byte ${expected}, got ${got}`);
    }
    at = end;
  }
  if (at === size) return;
  const fault = at > size ? "truncated: " : "";
  throw bad(where, `${fault}expected ${at - dataStart} bytes of numbers, got ${size - dataStart}`);
}

function readAxes(text: string | undefined, where: string): Record<string, string> {
  if (text === undefined) return {};
  return textTable(parseJson(new TextEncoder().encode(text), where, "axis names as JSON"), where);
}

/** The axes as written, or `axis0 axis1 …` for a file that has no names. */
function axesOf({ name, shape }: Omit<StoredTensor, "axes">, axes: string | undefined, where: string): string {
  if (axes === undefined) return shape.map((_, i) => `axis${i}`).join(" ");
  const names = axisNames(axes);
  if (names.length !== shape.length || new Set(names).size !== names.length || names.includes("")) {
    throw bad(
      `${where}: ${quoted(name)}`,
      `expected ${shape.length} axis names, got ${JSON.stringify(axes.slice(0, 60))}`,
    );
  }
  return axes;
}

function textTable(value: unknown, where: string): Record<string, string> {
  if (!isTable(value)) throw bad(where, `expected a table of texts, got ${describeJson(value)}`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw bad(where, `expected text for ${quoted(key)}, got ${describeJson(text)}`);
  }
  return value as Record<string, string>;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}
