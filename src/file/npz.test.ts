import { zipSync } from "fflate";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { golden } from "../../test/golden/load.ts";
import { type NamedValues, values } from "../engine/values.ts";
import { memorySource } from "./bytes.ts";
import { openNpz, writeNpz } from "./npz.ts";
import type { OpenTensors } from "./open-tensors.ts";

interface Golden extends Readonly<Record<string, unknown>> {
  readonly tensors: Readonly<Record<string, { readonly shape: number[]; readonly values: number[] }>>;
}
const numpy = (): Promise<Golden> => golden<Golden>("npz.json");
const bytesOf = (base64: unknown): Uint8Array => Uint8Array.from(atob(String(base64)), (c) => c.charCodeAt(0));
const open = (bytes: Uint8Array): Promise<OpenTensors> => openNpz(memorySource("w.npz", bytes));

async function readAll(bytes: Uint8Array): Promise<NamedValues> {
  const file = await open(bytes);
  const read = [...file.tensors.keys()].map(async (name) => [name, await file.readTensor(name)] as const);
  return Object.fromEntries(await Promise.all(read));
}

describe("what NumPy wrote", () => {
  test.each(["stored", "deflated"])("%s: every type, shape and order", async (way) => {
    const { tensors, ...files } = await numpy();
    const read = await readAll(bytesOf(files[way]));
    expect(Object.keys(read).sort()).toEqual(Object.keys(tensors).sort());
    for (const [name, { shape, values: numbers }] of Object.entries(tensors)) {
      expect([name, read[name]!.shape, [...read[name]!.data]]).toEqual([
        name,
        shape,
        read[name]!.dtype === "f32" ? numbers.map(Math.fround) : numbers,
      ]);
    }
    expect(read.truth!.dtype).toBe("bool");
    expect(read.long!.dtype).toBe("i32");
    expect(read.fortran!.axes).toBe("axis0 axis1 axis2");
  });

  test.each(["version2", "version3"])("%s of the header", async (version) => {
    const { tensors, ...files } = await numpy();
    expect([...(await readAll(bytesOf(files[version]))).x!.data]).toEqual(tensors.single!.values);
  });

  test.each([
    [
      "objects",
      /x\.npy: expected numbers, got Python objects, which are pickles and never loaded: save np\.asarray\(x, dtype=np\.float32\) instead$/,
    ],
    ["bigEndian", /x\.npy: expected a type among <f2, <f4, <f8, <i4, <i8, \|u1, \|b1, got ">f4"$/],
    ["complex", /got "<c8"$/],
    ["structured", /x\.npy: expected one array of numbers, got "\{'descr': \[\('a', '<f4'\), /],
  ])("%s are refused", async (what, message) => {
    const opened = open(bytesOf((await numpy())[what]));
    await expect(opened).rejects.toThrow(message);
    await expect(opened).rejects.toMatchObject({ code: "BadFile" });
  });

  test("integers beyond 32 bits are refused when read", async () => {
    const file = await open(bytesOf((await numpy()).longTooLong));
    await expect(file.readTensor("x")).rejects.toThrow(
      "w.npz: x: expected integers of 32 bits, got 1099511627776 at 1",
    );
    await expect(file.readTensor("y")).rejects.toThrow("w.npz: expected a tensor y, got none; the nearest is x");
    await expect(file.readTensor("x", { axes: "a b" })).rejects.toThrow('expected axes "a b", got a shape of 1: 2');
  });
});

const anyTensors: fc.Arbitrary<NamedValues> = fc.dictionary(
  fc.stringMatching(/^[\w.]{1,12}$/),
  fc.array(fc.nat({ max: 4 }), { maxLength: 3 }).chain((shape) => {
    const n = shape.reduce((a, b) => a * b, 1);
    const axes = shape.map((_, i) => `axis${i}`).join(" ");
    const sized = { minLength: n, maxLength: n };
    return fc.oneof(
      fc.float32Array(sized).map((data) => ({ axes, shape, dtype: "f32" as const, data })),
      fc.int32Array(sized).map((data) => ({ axes, shape, dtype: "i32" as const, data })),
      fc.uint8Array({ ...sized, max: 1 }).map((data) => ({ axes, shape, dtype: "bool" as const, data })),
    );
  }),
  { maxKeys: 4 },
);

describe("npz", () => {
  test("reads back what it wrote", async () => {
    await fc.assert(
      fc.asyncProperty(anyTensors, async (tensors) => {
        expect(await readAll(writeNpz(tensors))).toEqual(tensors);
      }),
      { seed: 1, numRuns: 100 },
    );
  });

  test("is written alike whatever the order", () => {
    const [a, b] = [values("x", [1], [1]), values("x", [2], [2, 3])];
    expect(writeNpz({ a, b })).toEqual(writeNpz({ b, a }));
  });

  test("numbers longer than a chunk, stored and deflated", async () => {
    const x = values(
      "axis0",
      [600_000],
      Float32Array.from({ length: 600_000 }, (_, i) => (i % 1000) / 8),
    );
    const written = writeNpz({ x });
    const same = async (bytes: Uint8Array): Promise<boolean> =>
      Buffer.from((await readAll(bytes)).x!.data.buffer).equals(Buffer.from(x.data.buffer));
    expect(await same(written)).toBe(true);
    const npy = written
      .subarray(written.length - 22 - 46 - 5 - x.data.byteLength - 128)
      .subarray(0, x.data.byteLength + 128);
    const deflated = zipSync({ "x.npy": npy });
    expect(deflated.length).toBeLessThan(npy.length / 4);
    expect(await same(deflated)).toBe(true);
  });

  test("no cut of a file reads", async () => {
    const whole = writeNpz({ x: values("axis0", [3], [1, 2, 3]) });
    for (let length = 0; length < whole.length; length++) {
      await expect(readAll(whole.subarray(0, length))).rejects.toMatchObject({ code: "BadFile" });
    }
  });

  test("every spoilt byte of the numbers is noticed", async () => {
    const whole = writeNpz({ x: values("axis0", [3], [1, 2, 3]) });
    const at = 30 + 5 + 128;
    for (let i = at; i < at + 12; i++) {
      const spoilt = whole.slice();
      spoilt[i]! ^= 1;
      await expect(readAll(spoilt)).rejects.toThrow(/expected the checksum [0-9a-f]{8}, got [0-9a-f]{8}$/);
    }
  });

  const npyOf = (header: string): Uint8Array => {
    const text = new TextEncoder().encode(header);
    return Uint8Array.from([
      0x93,
      ...new TextEncoder().encode("NUMPY"),
      1,
      0,
      text.length & 0xff,
      text.length >> 8,
      ...text,
      0,
      0,
      0,
      0,
    ]);
  };
  const F4 = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }\n";
  test.each([
    [
      "a header in another order, without the last comma",
      npyOf("{'shape': (1,), 'descr': '<f4', 'fortran_order': False}"),
      undefined,
    ],
    ["a field twice", npyOf(F4.replace("'fortran_order': False", "'descr': '<f4'")), /expected descr once, got /],
    ["a shape with an empty axis", npyOf(F4.replace("(1,)", "(,1)")), /expected a shape, got /],
    ["a shape of words", npyOf(F4.replace("(1,)", "(one,)")), /expected one array of numbers, got /],
    ["a size that lies", npyOf(F4.replace("(1,)", "(2,)")), /expected 8 bytes for <f4 of 2, got 4$/],
    [
      "an absurd size",
      npyOf(F4.replace("(1,)", "(9007199254740991, 9007199254740991)")),
      /expected 3\.2\d*e\+32 bytes for <f4 of /,
    ],
    ["code", npyOf("__import__('os').system('true')"), /expected one array of numbers, got /],
    ["no magic", new Uint8Array(20), /expected a NumPy array, got something else$/],
    ["nothing", new Uint8Array(0), /expected a NumPy array, got something else$/],
    ["version 4", npyOf(F4).map((byte, i) => (i === 6 ? 4 : byte)), /expected version 1\.0, 2\.0 or 3\.0, got 4\.0$/],
    [
      "a header longer than the file",
      npyOf(F4).map((byte, i) => (i === 9 ? 0x80 : byte)),
      /truncated: expected a header of \d+ bytes, got 72$/,
    ],
  ])("%s", async (_, npy, message) => {
    for (const level of [0, 6] as const) {
      const read = readAll(zipSync({ "x.npy": npy }, { level }));
      if (message === undefined) expect((await read).x!.data).toEqual(Float32Array.of(0));
      else await expect(read).rejects.toThrow(message);
    }
  });

  /** An archive with one field of its directory overwritten. */
  const spoilt = (field: number, value: number, bytes = 4): Uint8Array => {
    const archive = writeNpz({ x: values("axis0", [3], [1, 2, 3]) });
    const at = archive.length - 22 - 46 - 5 + field;
    const view = new DataView(archive.buffer);
    if (bytes === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    return archive;
  };
  test.each([
    [
      "a size beyond what its bytes can say",
      spoilt(24, 0x7fffffff),
      /x\.npy: expected at most 140 bytes in 140 of the archive, got 2147483647$/,
    ],
    ["a packed size beyond the archive", spoilt(20, 0x7fffffff), /x\.npy: expected it to end by byte \d+, got \d+$/],
    ["a place beyond it", spoilt(42, 0x7fffffff), /x\.npy: expected it to end by byte \d+, got \d+$/],
    ["a place where there is none", spoilt(42, 1), /x\.npy: expected /],
    ["an unknown method", spoilt(10, 99, 2), /x\.npy: expected it stored or deflated, got method 99$/],
    ["encryption", spoilt(8, 1, 2), /x\.npy: expected no encryption, got some$/],
    ["64-bit sizes that are not there", spoilt(24, 0xffffffff), /x\.npy: expected at most /],
    ["deflated bytes that are none", spoilt(10, 8, 2), /x\.npy: expected /],
    ["the same name twice", twice(), /expected each name once, got x\.npy twice$/],
    [
      "something else than arrays",
      zipSync({ "readme.txt": new Uint8Array(3) }),
      /expected arrays, named \.npy, got readme\.txt$/,
    ],
    ["no archive", new Uint8Array(100), /expected a zip archive, got something else or a part of one$/],
  ])("%s is refused", async (_, archive, message) => {
    await expect(readAll(archive)).rejects.toThrow(message);
    await expect(readAll(archive)).rejects.toMatchObject({ code: "BadFile" });
  });

  function twice(): Uint8Array {
    const archive = writeNpz({ x: values("axis0", [1], [1]), q: values("axis0", [1], [2]) });
    return archive.map((byte) => (byte === "q".charCodeAt(0) ? "x".charCodeAt(0) : byte));
  }
});
