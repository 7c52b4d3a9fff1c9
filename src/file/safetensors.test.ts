import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Values } from "../engine/values.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

const shapes = fc.array(fc.nat({ max: 4 }), { maxLength: 3 });
const count = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const axesFor = (shape: readonly number[]): string => shape.map((_, i) => `a${i}`).join(" ");

const anyValues: fc.Arbitrary<Values> = shapes.chain((shape) => {
  const n = count(shape);
  const sized = { minLength: n, maxLength: n };
  const rest = { axes: axesFor(shape), shape };
  return fc.oneof(
    fc.float32Array(sized).map((data): Values => ({ ...rest, dtype: "f32", data })),
    fc.int32Array(sized).map((data): Values => ({ ...rest, dtype: "i32", data })),
    fc.uint8Array({ ...sized, max: 1 }).map((data): Values => ({ ...rest, dtype: "bool", data })),
  );
});
const names = fc.oneof(fc.string(), fc.constantFrom("linear1.V", "constructor", "__proto__", "axes"));
const anyFile = fc.array(fc.tuple(names, anyValues), { maxLength: 6 }).map((entries) => Object.fromEntries(entries));

/** A file of the given header and data, as a stranger might write it. */
function fileOf(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(Array.from(data), 8 + text.length);
  return bytes;
}

const f32 = (start: number, end: number): object => ({
  dtype: "F32",
  shape: [(end - start) / 4],
  data_offsets: [start, end],
});

describe("safetensors", () => {
  test("reads back what it wrote", () => {
    fc.assert(
      fc.property(anyFile, fc.dictionary(fc.string(), fc.string()), (tensors, metadata) => {
        delete metadata.axes;
        const read = readSafetensors(writeSafetensors(tensors, metadata));
        expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
        for (const [name, x] of Object.entries(tensors)) expect(read.tensors[name]).toEqual(x);
        expect({ ...read.metadata }).toEqual({ ...metadata });
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test("the same tensors give the same bytes, whatever their order", () => {
    fc.assert(
      fc.property(anyFile, (tensors) => {
        const turned = Object.fromEntries(Object.entries(tensors).reverse());
        expect(writeSafetensors(turned)).toEqual(writeSafetensors(tensors));
      }),
      { seed: 2 },
    );
  });

  test("no cut of a file reads", () => {
    fc.assert(
      fc.property(anyFile, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (tensors, fraction) => {
        const bytes = writeSafetensors(tensors);
        expect(() => readSafetensors(bytes.subarray(0, Math.floor(bytes.length * fraction)))).toThrow(/safetensors/);
      }),
      { seed: 3 },
    );
  });

  test("any bytes either read or are refused as a bad file", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          readSafetensors(bytes);
        } catch (error) {
          expect(error).toMatchObject({ code: "BadFile" });
        }
      }),
      { seed: 4, numRuns: 500 },
    );
  });

  test("the layout is the published one", () => {
    const bytes = writeSafetensors({ W: { axes: "row", shape: [2], dtype: "f32", data: Float32Array.of(1, -2) } });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect((8 + length) % 8).toBe(0);
    expect(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)))).toEqual({
      __metadata__: { axes: '{"W":"row"}' },
      W: { dtype: "F32", shape: [2], data_offsets: [0, 8] },
    });
    // 1 and -2 as little-endian binary32
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
  });

  test("narrow and wide floats become f32", () => {
    // 1.5: binary16 0x3e00, bfloat16 0x3fc0, binary64 0x3ff8…; 2^-24 is binary16's smallest, 0x0001; -inf is 0xfc00
    const half = fileOf({ h: { dtype: "F16", shape: [3], data_offsets: [0, 6] } }, [0, 0x3e, 1, 0, 0, 0xfc]);
    expect([...readSafetensors(half).tensors.h!.data]).toEqual([1.5, 2 ** -24, -Infinity]);
    const brain = fileOf({ b: { dtype: "BF16", shape: [], data_offsets: [0, 2] } }, [0xc0, 0x3f]);
    expect(readSafetensors(brain).tensors.b).toMatchObject({ axes: "", shape: [], dtype: "f32" });
    expect(readSafetensors(brain).tensors.b!.data[0]).toBe(1.5);
    const double = fileOf({ d: { dtype: "F64", shape: [1], data_offsets: [0, 8] } }, [0, 0, 0, 0, 0, 0, 0xf8, 0x3f]);
    expect(readSafetensors(double).tensors.d).toMatchObject({ axes: "axis0", dtype: "f32" });
    expect(readSafetensors(double).tensors.d!.data[0]).toBe(1.5);
  });

  test.each([
    ["nothing", new Uint8Array(3), "w: expected at least 8 bytes, got 3"],
    ["a header longer than the file", fileOf("{}").fill(9, 0, 1), "w: truncated: expected a header of 9 bytes, got 2"],
    ["an absurd header", fileOf("{}").fill(255, 0, 6), /w: expected a header of at most/],
    ["no JSON", fileOf("{nope"), "w: expected a JSON header, got something else"],
    ["a JSON array", fileOf([]), "w: expected a JSON object as header, got []"],
    [
      "an unknown type",
      fileOf({ x: { dtype: "C64", shape: [], data_offsets: [0, 8] } }),
      /w: x: expected a type among/,
    ],
    ["a negative size", fileOf({ x: { dtype: "F32", shape: [-1], data_offsets: [0, 4] } }), /w: x: expected a shape/],
    [
      "a size that lies",
      fileOf({ x: { dtype: "F32", shape: [2], data_offsets: [0, 4] } }, [0, 0, 0, 0]),
      "w: x: expected 8 bytes for F32 of 2, got 4",
    ],
    [
      "an overlap",
      fileOf({ x: f32(0, 8), y: f32(4, 12) }, Array(12).fill(0)),
      "w: y: overlaps the tensor before it: expected it to start at byte 8, got 4",
    ],
    [
      "a hole",
      fileOf({ x: f32(0, 4), y: f32(8, 12) }, Array(12).fill(0)),
      "w: y: leaves a hole before it: expected it to start at byte 4, got 8",
    ],
    ["missing numbers", fileOf({ x: f32(0, 8) }, [0, 0, 0, 0]), "w: truncated: expected 8 bytes of numbers, got 4"],
    ["numbers left over", fileOf({ x: f32(0, 4) }, Array(8).fill(0)), "w: expected 4 bytes of numbers, got 8"],
    [
      "a truth value of 2",
      fileOf({ x: { dtype: "BOOL", shape: [2], data_offsets: [0, 2] } }, [1, 2]),
      "w: x: expected bytes 0 and 1, got 2 at 1",
    ],
    [
      "axes that do not fit",
      fileOf({ __metadata__: { axes: '{"x":"a b"}' }, x: f32(0, 4) }, [0, 0, 0, 0]),
      'w: x: expected 1 axis names, got "a b"',
    ],
  ])("refuses %s", (_, bytes, message) => {
    expect(() => readSafetensors(bytes, "w")).toThrow(message);
    expect(() => readSafetensors(bytes, "w")).toThrow(expect.objectContaining({ code: "BadFile" }));
  });
});
