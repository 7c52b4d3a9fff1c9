/** Floating-point numbers as a file's own type has them: rounded to the nearest, of two that are as near to the even one (IEEE 754). */
import { MechanistError } from "../error.ts";
import { ELEMENT_BYTES, type StoredType } from "./stored-numbers.ts";

/** The types that `writeFloat` writes. */
export type FloatType = Extract<StoredType, "F64" | "F32" | "F16" | "BF16">;

const WRITE: Readonly<Record<FloatType, (view: DataView, at: number, value: number) => void>> = {
  F64: (view, at, value) => view.setFloat64(at, value, true),
  F32: (view, at, value) => view.setFloat32(at, value, true),
  F16: (view, at, value) => view.setUint16(at, halfBits(value), true),
  BF16: (view, at, value) => view.setUint16(at, brainBits(value), true),
};

/**
 * Writes one number.
 *
 * @param index of the number, not of its first byte
 * @throws `Refused` for a finite number that the type has no finite one for
 */
export function writeFloat(type: FloatType, view: DataView, index: number, value: number, where: string): void {
  const largest = type === "F16" ? 65_520 : Infinity;
  if (Math.abs(value) >= largest && Number.isFinite(value)) {
    throw new MechanistError("Refused", `${where}: expected numbers that ${type} holds, got ${value}`);
  }
  WRITE[type](view, index * ELEMENT_BYTES[type], value);
}

function evenRounded(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** binary16. */
function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(size)) return 0x7e00;
  if (size === Infinity) return sign | 0x7c00;
  // Below the smallest normal number all are multiples of 2^-24; rounding up from there carries into the exponent as it should.
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const fraction = evenRounded(size * 2 ** (10 - exponent));
  return sign | (((exponent + 15) << 10) - (1 << 10) + fraction);
}

/** bfloat16: the upper half of binary32. */
function brainBits(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
  if (Number.isNaN(value)) return 0x7fc0;
  const upper = bits >>> 16;
  const lower = bits & 0xffff;
  return lower > 0x8000 || (lower === 0x8000 && (upper & 1) === 1) ? upper + 1 : upper;
}
