/**
 * The safetensors format: eight bytes of header length, a JSON header, then the numbers of every tensor, one after another.
 * Nothing in it executes. Axis names are kept in the header's `__metadata__` under `axes`, as JSON; files without them read too.
 * Here whole files are written and read at once; `open-safetensors.ts` reads tensors of large ones one by one.
 *
 * Source: https://github.com/huggingface/safetensors, "Format".
 */
import type { NamedValues, Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { sizeOf } from "../tensor/axes.ts";
import { quoted } from "./json.ts";
import { headerLength, LENGTH_BYTES, parseHeader } from "./safetensors-header.ts";
import { decodeNumbers, ELEMENT_BYTES, encodeNumbers, STORED_AS } from "./stored-numbers.ts";

/** What a file holds. */
export interface SafetensorsFile {
  readonly tensors: NamedValues;
  /** The header's `__metadata__` without `axes`. */
  readonly metadata: Readonly<Record<string, string>>;
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
 * Reads all tensors of a file in memory, types as in `HELD_AS`. The numbers are copies.
 *
 * @param where names the file in an error
 * @throws `BadFile` where the bytes are not one whole safetensors file
 */
export function readSafetensors(bytes: Uint8Array, where = "safetensors"): SafetensorsFile {
  const length = headerLength(bytes, bytes.length, where);
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), bytes.length, where);
  const tensors = [...header.tensors.values()].map(({ name, axes, shape, type, start, end }): [string, Values] => {
    const numbers = decodeNumbers(type, bytes.subarray(start, end), `${where}: ${quoted(name)}`);
    return [name, { axes, shape, ...numbers }];
  });
  return { tensors: Object.fromEntries(tensors), metadata: header.metadata };
}
