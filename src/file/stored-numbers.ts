/** Numbers as safetensors store them, little-endian, and as the engine holds them. */
import { arrayFor, type NumberArray, type Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import type { DType } from "../tensor/tensor.ts";

/** Bytes an element takes. */
export const ELEMENT_BYTES = { F64: 8, F32: 4, I32: 4, F16: 2, BF16: 2, U8: 1, BOOL: 1 } as const;
export type StoredType = keyof typeof ELEMENT_BYTES;

/** How each type of the engine is stored. */
export const STORED_AS: Readonly<Record<DType, StoredType>> = { f32: "F32", i32: "I32", bool: "BOOL" };

const HELD_AS: Readonly<Record<StoredType, DType>> = {
  F64: "f32",
  F32: "f32",
  F16: "f32",
  BF16: "f32",
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
 * Reads numbers. F64 is rounded to f32; the 16-bit types widen exactly.
 *
 * @throws `BadFile` for a BOOL byte other than 0 and 1
 */
export function decodeNumbers(type: StoredType, view: DataView, where: string): { dtype: DType; data: NumberArray } {
  const dtype = HELD_AS[type];
  const data = arrayFor(dtype, view.byteLength / ELEMENT_BYTES[type]);
  const read = READERS[type];
  for (let i = 0; i < data.length; i++) data[i] = read(view, i);
  if (type === "BOOL") {
    const at = data.findIndex((byte) => byte > 1);
    if (at >= 0) throw new MechanistError("BadFile", `${where}: expected bytes 0 and 1, got ${data[at]} at ${at}`);
  }
  return { dtype, data };
}

const READERS: Readonly<Record<StoredType, (view: DataView, i: number) => number>> = {
  F64: (view, i) => view.getFloat64(8 * i, true),
  F32: (view, i) => view.getFloat32(4 * i, true),
  F16: (view, i) => halfToNumber(view.getUint16(2 * i, true)),
  BF16: (view, i) => brainToNumber(view.getUint16(2 * i, true)),
  I32: (view, i) => view.getInt32(4 * i, true),
  U8: (view, i) => view.getUint8(i),
  BOOL: (view, i) => view.getUint8(i),
};

/** IEEE 754 binary16. */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

const scratch = new DataView(new ArrayBuffer(4));

/** The upper half of a binary32. */
function brainToNumber(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}
