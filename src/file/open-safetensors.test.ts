import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { values } from "../engine/values.ts";
import { blobSource, type ByteSource, memorySource, webSource } from "./bytes.ts";
import { fileSource, folderSource } from "./node-bytes.ts";
import { openSafetensors, openWeights } from "./open-safetensors.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";
import { decodeNumbers } from "./stored-numbers.ts";

function folder(files: Readonly<Record<string, Uint8Array | string>>): string {
  const dir = mkdtempSync(join(tmpdir(), "mechanist-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  return dir;
}

/** A file of one tensor, as a stranger might write it. */
function fileOf(dtype: string, count: number, numbers: ArrayBufferView): Uint8Array {
  const data = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const header = JSON.stringify({ x: { dtype, shape: [count], data_offsets: [0, data.length] } });
  const bytes = new Uint8Array(8 + header.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(new TextEncoder().encode(header), 8);
  bytes.set(data, 8 + header.length);
  return bytes;
}

const SMALL = writeSafetensors(
  {
    W: values("row col", [2, 3], [1, -2, 3.5, 0, NaN, -Infinity]),
    ids: { axes: "pos", shape: [2], dtype: "i32", data: Int32Array.of(-7, 2 ** 31 - 1) },
    keep: { axes: "pos", shape: [3], dtype: "bool", data: Uint8Array.of(1, 0, 1) },
    none: values("empty", [0], []),
  },
  { made: "here" },
);

async function webServer(
  answer: (range: string | undefined) => { status: number; body: Uint8Array; size?: number },
): Promise<string> {
  const server = createServer((request, response) => {
    const { status, body, size } = answer(request.headers.range);
    response.writeHead(
      status,
      size === undefined ? {} : { "Content-Range": `${request.headers.range!.replace("=", " ")}/${size}` },
    );
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/w`;
}

const ranged = (bytes: Uint8Array) => (range: string | undefined) => {
  const [, start, end] = /^bytes=(\d+)-(\d+)$/.exec(range ?? "")!;
  return { status: 206, body: bytes.subarray(Number(start), Number(end) + 1), size: bytes.length };
};

describe("tensors read one by one", () => {
  test.each<[string, () => Promise<ByteSource>]>([
    ["memory", async () => memorySource("w", SMALL)],
    ["a Blob", async () => blobSource("w", new Blob([SMALL as Uint8Array<ArrayBuffer>]))],
    ["a file", async () => fileSource(join(folder({ w: SMALL }), "w"))],
    ["the web", async () => webSource(await webServer(ranged(SMALL)))],
  ])("from %s are those that reading at once gives", async (_, open) => {
    const file = await openSafetensors(await open());
    const { tensors, metadata } = readSafetensors(SMALL);
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(tensors).sort());
    expect(file.metadata).toEqual(metadata);
    for (const [name, x] of Object.entries(tensors)) expect(await file.readTensor(name)).toEqual(x);
    await file.close();
  });

  test.each(["F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL"] as const)(
    "of %s longer than a chunk are those that decoding at once gives",
    async (type) => {
      // 600 thousand numbers: more than one chunk, the last of them not whole.
      const width = { F64: 8, F32: 4, F16: 2, BF16: 2, I64: 8, I32: 4, U8: 1, BOOL: 1 }[type];
      const count = width === 1 ? 1_200_000 : 600_003;
      const bytes = new Uint8Array(count * width);
      for (let i = 0; i < bytes.length; i++)
        bytes[i] = (Math.imul(i, 2654435761) >>> 24) & (type === "BOOL" ? 1 : 0x7d);
      if (type === "F64") for (let i = 7; i < bytes.length; i += 8) bytes[i] = 0x3f;
      if (type === "I64") {
        const long = new BigInt64Array(bytes.buffer);
        for (let i = 0; i < count; i++) long[i] = BigInt(Math.imul(i, 2654435761));
      }
      const file = await openSafetensors(memorySource("w", fileOf(type, count, bytes)));
      const read = await file.readTensor("x", { axes: "batch" });
      const whole = decodeNumbers(type, bytes, "w");
      expect(read.axes).toBe("batch");
      expect(read.dtype).toBe(whole.dtype);
      expect(Buffer.from(read.data.buffer).equals(Buffer.from(whole.data.buffer))).toBe(true);
    },
  );

  test("only the tensor asked for is read", async () => {
    const source = memorySource("w", SMALL);
    const read: [number, number][] = [];
    const file = await openSafetensors({
      ...source,
      readInto: (start, into) => {
        read.push([start, start + into.length]);
        return source.readInto(start, into);
      },
    });
    await file.readTensor("ids");
    expect(read.map(([start, end]) => [SMALL[start], end - start])).toEqual([[0xf9, 8]]);
  });

  test("every f16 is what IEEE 754 says, and every bf16 the upper half of its f32", () => {
    const bits = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
    const half = decodeNumbers("F16", new Uint8Array(bits.buffer), "w").data;
    const brain = decodeNumbers("BF16", new Uint8Array(bits.buffer), "w").data;
    const f32 = new DataView(new ArrayBuffer(4));
    for (let i = 0; i < 2 ** 16; i++) {
      f32.setUint32(0, i << 16);
      expect(brain[i]).toBe(f32.getFloat32(0));
      const [sign, exponent, fraction] = [i >> 15 ? -1 : 1, (i >> 10) & 31, i & 1023];
      const normal = exponent === 31 ? (fraction ? NaN : Infinity) : 2 ** (exponent - 15) * (1 + fraction / 1024);
      expect(half[i]).toBe(sign * (exponent === 0 ? fraction * 2 ** -24 : normal));
    }
  });

  test("bytes at an odd place decode alike", () => {
    const bytes = new Uint8Array(17);
    bytes.set([0, 0x3e, 1, 0, 0, 0xfc, 0, 0], 1);
    expect([...decodeNumbers("F16", bytes.subarray(1, 7), "w").data]).toEqual([1.5, 2 ** -24, -Infinity]);
    expect([...decodeNumbers("F32", bytes.subarray(9, 13), "w").data]).toEqual([0]);
  });

  test.each([
    [
      "an integer above 32 bits",
      fileOf("I64", 2, BigInt64Array.of(-(2n ** 31n), 2n ** 31n)),
      "w: x: expected integers of 32 bits, got 2147483648 at 1",
    ],
    [
      "an integer below",
      fileOf("I64", 1, BigInt64Array.of(-(2n ** 31n) - 1n)),
      "w: x: expected integers of 32 bits, got -2147483649 at 0",
    ],
    [
      "a double that overflows",
      fileOf("F64", 3, Float64Array.of(Infinity, 1, 1e39)),
      "w: x: expected numbers that float32 holds, got 1e+39 at 2",
    ],
  ])("%s is refused, not wrapped", async (_, bytes, message) => {
    const file = await openSafetensors(memorySource("w", bytes));
    await expect(file.readTensor("x")).rejects.toThrow(message);
  });

  test("a name that is not there: the nearest", async () => {
    const file = await openSafetensors(memorySource("w", SMALL));
    await expect(file.readTensor("idx")).rejects.toThrow("w: expected a tensor idx, got none; the nearest is ids");
    await expect(file.readTensor("W", { axes: "a" })).rejects.toThrow('w: W: expected axes "a", got a shape of 2: 2×3');
  });

  test("reading stops when asked to", async () => {
    const file = await openSafetensors(memorySource("w", SMALL));
    await expect(file.readTensor("W", { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "Cancelled" });
  });

  test.each([
    ["F8_E4M3", /^w: x: expected a type among F64, .*BOOL, got F8_E4M3$/],
    ["Q4_K", /got Q4_K$/],
  ])("an unknown type, %s, is named", async (dtype, message) => {
    await expect(openSafetensors(memorySource("w", fileOf(dtype, 4, new Uint8Array(4))))).rejects.toThrow(message);
  });

  test("a file that shrinks while it is read", async () => {
    const path = join(folder({ w: SMALL }), "w");
    const file = await openSafetensors(await fileSource(path));
    writeFileSync(path, SMALL.subarray(0, SMALL.length - 24));
    await expect(file.readTensor("W")).rejects.toThrow(/expected \d+ bytes, got \d+: it was cut while read/);
    await file.close();
  });

  test("what is no file", async () => {
    const dir = folder({});
    await expect(fileSource(join(dir, "w"))).rejects.toMatchObject({ code: "MissingFile" });
    await expect(fileSource(dir)).rejects.toThrow(/expected a file, got something else$/);
    await expect(folderSource(dir).open("../w")).rejects.toThrow('expected the name of a file in it, got "../w"');
  });

  test("a server that ignores the range", async () => {
    const url = await webServer(() => ({ status: 200, body: SMALL }));
    await expect(webSource(url)).rejects.toThrow(`${url}: expected status 206 for bytes=0-0, got 200`);
  });
});

describe("headers from strangers", () => {
  const open = (header: string, data = 0): Promise<unknown> => {
    const text = new TextEncoder().encode(header);
    const bytes = new Uint8Array(8 + text.length + data);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(text, 8);
    return openSafetensors(memorySource("w", bytes));
  };
  const x = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';

  test.each([
    ["the same tensor twice", `{"x":${x},"x":${x}}`, 4, "w: expected each key once, got x twice"],
    ["the same tensor in other letters", `{"x":${x},"\\u0078" :${x}}`, 4, "w: expected each key once, got x twice"],
    [
      "the same field twice",
      '{"x":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
      4,
      "w: expected each key once, got dtype twice",
    ],
    [
      "axes twice",
      '{"__metadata__":{"axes":"{\\"x\\":\\"a\\",\\"x\\":\\"b\\"}"},"x":' + x + "}",
      4,
      "w: expected each key once, got x twice",
    ],
    [
      "an axis twice",
      '{"__metadata__":{"axes":"{\\"x\\":\\"a a\\"}"},"x":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}',
      4,
      'w: x: expected 2 axis names, got "a a"',
    ],
    ["a byte order mark", `\u{feff}{"x":${x}}`, 4, "w: expected a JSON header, got something else"],
    [
      "sizes whose product is beyond all numbers",
      `{"x":{"dtype":"F32","shape":[${Array(40)
        .fill(2 ** 52)
        .join()}],"data_offsets":[0,4]}}`,
      4,
      /w: x: expected Infinity bytes for F32 of [\d×]{1,60}, got 4/,
    ],
    [
      "a shape of fractions",
      '{"x":{"dtype":"F32","shape":[0.5,2],"data_offsets":[0,4]}}',
      4,
      "w: x: expected a shape, got [0.5,2]",
    ],
    [
      "offsets turned round",
      '{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}',
      4,
      "w: x: expected 4 bytes for F32 of 1, got -4",
    ],
    [
      "offsets beyond the file",
      '{"x":{"dtype":"U8","shape":[9007199254740991],"data_offsets":[0,9007199254740991]}}',
      4,
      /w: truncated: expected 900719925474\d+ bytes of numbers, got 4/,
    ],
    ["a nest", `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`, 0, /w: a: expected a type among .*, got nothing/],
    [
      "a nest of lists",
      `{"x":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
      0,
      /w: x: expected a tensor's description, got /,
    ],
    [
      "a name of many lines",
      `{${JSON.stringify("a\nb".repeat(1000))}:1}`,
      0,
      /^w: "(a\\nb)+a?(\\n)?": expected a tensor's description, got 1$/,
    ],
  ])("%s", async (_, header, data, message) => {
    await expect(open(header, data)).rejects.toThrow(message);
    await expect(open(header, data)).rejects.toMatchObject({ code: "BadFile" });
  });

  test("keys with backslashes and quotes are told apart", async () => {
    const names = ['"', "\\", '\\"', ":", "{", 'a":"b', "\\\\", "\u0000", "__proto__", "toString"];
    const header = Object.fromEntries(
      names.map((name, i) => [`${name} ${i}`, { dtype: "U8", shape: [1], data_offsets: [i, i + 1] }]),
    );
    const file = (await open(JSON.stringify(header), names.length)) as Awaited<ReturnType<typeof openSafetensors>>;
    expect([...file.tensors.keys()]).toEqual(names.map((name, i) => `${name} ${i}`));
  });
});

describe("a network's folder", () => {
  const shard = (names: readonly string[]): Uint8Array =>
    writeSafetensors(Object.fromEntries(names.map((name, i) => [name, values("row", [2], [i, name.charCodeAt(0)])])));
  const [ONE, TWO, INDEX] = [
    "model-00001-of-00002.safetensors",
    "model-00002-of-00002.safetensors",
    "model.safetensors.index.json",
  ];
  const indexOf = (map: unknown): string => JSON.stringify({ metadata: { total_size: 32 }, weight_map: map });
  const open = (files: Readonly<Record<string, Uint8Array | string>>): ReturnType<typeof openWeights> =>
    openWeights(folderSource(folder(files)));

  test("one file", async () => {
    const weights = await open({ "model.safetensors": shard(["a", "b"]) });
    expect([...weights.tensors.keys()]).toEqual(["a", "b"]);
    expect((await weights.readTensor("b")).data).toEqual(Float32Array.of(1, 98));
    await weights.close();
  });

  test("shards by their index", async () => {
    const weights = await open({
      [ONE]: shard(["a", "b"]),
      [TWO]: shard(["c"]),
      [INDEX]: indexOf({ a: ONE, b: ONE, c: TWO }),
    });
    expect([...weights.tensors.keys()].sort()).toEqual(["a", "b", "c"]);
    expect((await weights.readTensor("c")).data).toEqual(Float32Array.of(0, 99));
    expect((await weights.readTensor("b")).data).toEqual(Float32Array.of(1, 98));
    await expect(weights.readTensor("d")).rejects.toThrow(/expected a tensor d, got none/);
    await weights.close();
  });

  test.each([
    ["nothing", {}, "MissingFile", /expected model\.safetensors or model\.safetensors\.index\.json, got neither$/],
    [
      "a missing shard",
      { [ONE]: shard(["a"]), [INDEX]: indexOf({ a: ONE, b: TWO }) },
      "MissingFile",
      /expected the shard model-00002-of-00002\.safetensors, got none$/,
    ],
    [
      "a tensor missing from its shard",
      { [ONE]: shard(["a"]), [INDEX]: indexOf({ a: ONE, b: ONE }) },
      "BadFile",
      /b: expected it in model-00001-of-00002\.safetensors, got a shard without it$/,
    ],
    [
      "a tensor in two shards",
      { [ONE]: shard(["a"]), [TWO]: shard(["a", "b"]), [INDEX]: indexOf({ a: ONE, b: TWO }) },
      "BadFile",
      /00002\.safetensors: a: expected what the index lists, got a tensor said to be in model-00001/,
    ],
    [
      "a tensor in no index",
      { [ONE]: shard(["a", "b"]), [INDEX]: indexOf({ a: ONE }) },
      "BadFile",
      /b: expected what the index lists, got a tensor not in the index$/,
    ],
    [
      "an index with the same tensor twice",
      { [ONE]: shard(["a"]), [INDEX]: `{"weight_map":{"a":"${ONE}","a":"${TWO}"}}` },
      "BadFile",
      /expected each key once, got a twice$/,
    ],
    [
      "an index that leaves the folder",
      { [INDEX]: indexOf({ a: "../x.safetensors" }) },
      "BadFile",
      /a: expected a safetensors file beside it, got "\.\.\/x\.safetensors"$/,
    ],
    [
      "an index of pickles",
      { [INDEX]: indexOf({ a: "pytorch_model.bin" }) },
      "BadFile",
      /expected a safetensors file beside it, got "pytorch_model\.bin"$/,
    ],
    ["an index without a map", { [INDEX]: "{}" }, "BadFile", /expected a table weight_map, got nothing$/],
    ["an index that is no JSON", { [INDEX]: "nope" }, "BadFile", /expected JSON, got something else$/],
  ])("%s is refused", async (_, files, code, message) => {
    await expect(open(files as Record<string, string>)).rejects.toThrow(message);
    await expect(open(files as Record<string, string>)).rejects.toMatchObject({ code });
  });

  test("a folder in the place of a file", async () => {
    const dir = folder({});
    mkdirSync(join(dir, "model.safetensors"));
    await expect(openWeights(folderSource(dir))).rejects.toThrow(
      /model\.safetensors: expected a file, got something else$/,
    );
  });
});
