import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type FloatType, writeFloat } from "./encode-floats.ts";
import { decodeNumbers, ELEMENT_BYTES } from "./stored-numbers.ts";

function bitsOf(type: FloatType, value: number): number {
  const view = new DataView(new ArrayBuffer(8));
  writeFloat(type, view, 0, value, "test");
  return ELEMENT_BYTES[type] === 2 ? view.getUint16(0, true) : view.getUint32(0, true);
}

/** What each of 65,536 patterns of 16 bits means, in their order. */
const meanings = (type: FloatType): Float32Array =>
  decodeNumbers(type, new Uint8Array(Uint16Array.from({ length: 2 ** 16 }, (_, i) => i).buffer), "test")
    .data as Float32Array;

describe.each(["F16", "BF16"] as const)("%s", (type) => {
  const all = meanings(type);

  test("writes every number that it has as itself", () => {
    const wrong = Array.from(all.keys()).filter(
      (bits) => !Number.isNaN(all[bits]) && bitsOf(type, all[bits]!) !== bits,
    );
    expect(wrong).toEqual([]);
    expect(all[bitsOf(type, Number.NaN)]).toBeNaN();
  });

  test("rounds to the nearest, halfway to the even one", () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, min: -60_000, max: 60_000 }), (value) => {
        const bits = bitsOf(type, value);
        const off = (other: number): number => Math.abs(all[other]! - value);
        for (const other of [bits - 1, bits + 1]) {
          if (other < 0 || other > 0xffff || !Number.isFinite(all[other])) continue;
          expect(off(bits)).toBeLessThanOrEqual(off(other));
          if (off(bits) === off(other) && all[bits] !== all[other]) expect(bits % 2).toBe(0);
        }
      }),
    );
  });
});

test("halfway between two halves, by hand, and what none holds", () => {
  // 2048 and 2050 are neighbours, so are 2050 and 2052.
  expect([2049, 2051, 2049.01].map((x) => meanings("F16")[bitsOf("F16", x)])).toEqual([2048, 2052, 2050]);
  // 256 and 258 are, of eight bits.
  expect([257, 259, 257.1].map((x) => meanings("BF16")[bitsOf("BF16", x)])).toEqual([256, 260, 258]);
  expect(meanings("F16")[bitsOf("F16", 65_519)]).toBe(65_504);
  expect(() => bitsOf("F16", -65_520)).toThrow("test: expected numbers that F16 holds, got -65520");
  expect(meanings("F16")[bitsOf("F16", -Infinity)]).toBe(-Infinity);
});
