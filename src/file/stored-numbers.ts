/** Numbers as files store them, little-endian, and as the engine holds them. */
import { arrayFor, type NumberArray, type Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import type { DType } from "../tensor/tensor.ts";

/** Bytes an element takes, by the names that safetensors gives the types. */
export const ELEMENT_BYTES = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1, BOOL: 1 } as const;
export type StoredType = keyof typeof ELEMENT_BYTES;

/** How each type of the engine is stored. */
export const STORED_AS: Readonly<Record<DType, StoredType>> = { f32: "F32", i32: "I32", bool: "BOOL" };

/** How each stored type is held: the 16-bit floats widen exactly, F64 is rounded, I64 must fit. */
export const HELD_AS: Readonly<Record<StoredType, DType>> = {
  F64: "f32",
  F32: "f32",
  F16: "f32",
  BF16: "f32",
  I64: "i32",
  I32: "i32",
  U8: "i32",
  BOOL: "bool",
};

export function isStoredType(name: string): name is StoredType {
  return Object.hasOwn(ELEMENT_BYTES, name);
}

/** Writes all numbers of `x` into `view`, which has exactly their size. */
export function encodeNumbers(x: Values, view: DataView): void {
  const { dtype, data } = x;
  const width = ELEMENT_BYTES[STORED_AS[dtype]];
  if (data.length * width !== view.byteLength) {
    throw new MechanistError(
      "ShapeMismatch",
      `"${x.axes}": expected ${view.byteLength / width} numbers, got ${data.length}`,
    );
  }
  for (let i = 0; i < data.length; i++) {
    if (dtype === "f32") view.setFloat32(4 * i, data[i]!, true);
    else if (dtype === "i32") view.setInt32(4 * i, data[i]!, true);
    else view.setUint8(i, data[i]!);
  }
}

/**
 * Reads all numbers of a tensor.
 *
 * @throws `BadFile` as `decodeInto`
 */
export function decodeNumbers(type: StoredType, bytes: Uint8Array, where: string): { dtype: DType; data: NumberArray } {
  const dtype = HELD_AS[type];
  const data = arrayFor(dtype, bytes.length / ELEMENT_BYTES[type]);
  decodeInto(type, bytes, data, 0, where);
  return { dtype, data };
}

/** The types whose bytes are those of the array that holds them, so that a file can be read straight into it. */
export const HELD_RAW: ReadonlySet<StoredType> = new Set<StoredType>(["F32", "I32"]);

/**
 * Reads some of a tensor's numbers into the array that holds all of them. Typed arrays are taken to be little-endian, as they are on
 * every machine that ONNX Runtime has a build for.
 *
 * @param bytes whole elements
 * @param data an array for `HELD_AS[type]`
 * @param at the index in `data` of the first of them
 * @throws `BadFile` for a BOOL byte other than 0 and 1, for I64 beyond 32 bits, for a finite F64 beyond f32
 */
export function decodeInto(type: StoredType, bytes: Uint8Array, data: NumberArray, at: number, where: string): void {
  const width = ELEMENT_BYTES[type];
  const count = bytes.length / width;
  const target = data.subarray(at, at + count);
  if (HELD_RAW.has(type)) {
    new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(bytes);
    return;
  }
  // A typed array must begin at a multiple of its own width.
  const { buffer, byteOffset } = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const wrong = CONVERT[type as keyof typeof CONVERT](buffer, byteOffset, count, target);
  if (wrong === undefined) return;
  throw new MechanistError("BadFile", `${where}: expected ${wrong.expected}, got ${wrong.got} at ${at + wrong.index}`);
}

interface WrongNumber {
  readonly index: number;
  readonly expected: string;
  readonly got: number | bigint;
}

type Convert = (buffer: ArrayBufferLike, offset: number, count: number, target: NumberArray) => WrongNumber | undefined;

const CONVERT: Readonly<Record<Exclude<StoredType, "F32" | "I32">, Convert>> = {
  F64(buffer, offset, count, target) {
    const wide = new Float64Array(buffer, offset, count);
    target.set(wide);
    const index = wide.findIndex((value, i) => !Number.isFinite(target[i]) && Number.isFinite(value));
    return index < 0 ? undefined : { index, expected: "numbers that float32 holds", got: wide[index]! };
  },
  F16(buffer, offset, count, target) {
    const half = new Uint16Array(buffer, offset, count);
    const bits = new Int32Array(target.buffer, target.byteOffset, count);
    const table = halfTable();
    for (let i = 0; i < count; i++) bits[i] = table[half[i]!]!;
    return undefined;
  },
  BF16(buffer, offset, count, target) {
    const brain = new Uint16Array(buffer, offset, count);
    const bits = new Int32Array(target.buffer, target.byteOffset, count);
    // The upper half of a binary32.
    for (let i = 0; i < count; i++) bits[i] = brain[i]! << 16;
    return undefined;
  },
  I64(buffer, offset, count, target) {
    const words = new Int32Array(buffer, offset, 2 * count);
    for (let i = 0; i < count; i++) {
      const low = words[2 * i]!;
      target[i] = low;
      if (words[2 * i + 1] === low >> 31) continue;
      const got = new BigInt64Array(buffer, offset, count)[i]!;
      return { index: i, expected: "integers of 32 bits", got };
    }
    return undefined;
  },
  U8(buffer, offset, count, target) {
    target.set(new Uint8Array(buffer, offset, count));
    return undefined;
  },
  BOOL(buffer, offset, count, target) {
    const bytes = new Uint8Array(buffer, offset, count);
    target.set(bytes);
    const index = bytes.findIndex((byte) => byte > 1);
    return index < 0 ? undefined : { index, expected: "bytes 0 and 1", got: bytes[index]! };
  },
};

let halves: Int32Array | undefined;

/** The bits of every binary16 as f32: 65,536 of them. */
function halfTable(): Int32Array {
  halves ??= new Int32Array(Float32Array.from({ length: 2 ** 16 }, (_, bits) => halfToNumber(bits)).buffer);
  return halves;
}

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
