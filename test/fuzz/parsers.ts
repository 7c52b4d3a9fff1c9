/**
 * Every parser of what strangers wrote, with the inputs it is tried on. A new parser is an entry here; the test run and `bench/fuzz.ts`
 * try them all.
 */
import fc from "fast-check";
import { zipSync } from "fflate";
import { parseAddress, formatAddress } from "../../src/decomposition/address.ts";
import type { NamedValues, Values } from "../../src/engine/values.ts";
import { memorySource, type SourceFolder } from "../../src/file/bytes.ts";
import { parseJson } from "../../src/file/json.ts";
import { parseHubId } from "../../src/file/node-cache.ts";
import { openNpz, writeNpz } from "../../src/file/npz.ts";
import { openSafetensors, openWeights } from "../../src/file/open-safetensors.ts";
import type { OpenTensors } from "../../src/file/open-tensors.ts";
import { readSafetensors, writeSafetensors } from "../../src/file/safetensors.ts";
import { parseMetrics } from "../../src/run/metrics.ts";
import { spoilt, spoiltText } from "./mutate.ts";

export interface Parser {
  readonly input: fc.Arbitrary<Uint8Array>;
  /** What it makes of the bytes. Any error but a `MechanistError` is a fault. */
  readonly parse: (bytes: Uint8Array) => unknown;
  /** Bytes of arrays that it may take for each byte of input, where that is much. */
  readonly memoryRatio?: number;
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

const anyTensors: fc.Arbitrary<NamedValues> = fc.dictionary(
  fc.stringMatching(/^[a-z.]{1,8}$/),
  fc.array(fc.nat({ max: 3 }), { maxLength: 3 }).chain((shape): fc.Arbitrary<Values> => {
    const n = shape.reduce((a, b) => a * b, 1);
    const rest = { axes: shape.map((_, i) => `axis${i}`).join(" "), shape };
    const sized = { minLength: n, maxLength: n };
    return fc.oneof(
      fc.float32Array(sized).map((data): Values => ({ ...rest, dtype: "f32", data })),
      fc.int32Array(sized).map((data): Values => ({ ...rest, dtype: "i32", data })),
      fc.uint8Array({ ...sized, max: 1 }).map((data): Values => ({ ...rest, dtype: "bool", data })),
    );
  }),
  { maxKeys: 4 },
);

/** A safetensors file of any types, with headers that nobody would write. */
const anyHeader: fc.Arbitrary<Uint8Array> = fc
  .tuple(
    fc.dictionary(
      fc.constantFrom("a", "b", "__proto__", "__metadata__", "x\ny"),
      fc.oneof(
        fc.record({
          dtype: fc.constantFrom("F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL", "F8_E5M2", 3),
          shape: fc.array(fc.oneof(fc.nat({ max: 4 }), fc.constantFrom(-1, 2 ** 53, 2 ** 31, 1e300, 0.5)), {
            maxLength: 4,
          }),
          data_offsets: fc.array(fc.oneof(fc.nat({ max: 64 }), fc.constantFrom(-8, 2 ** 53, 2 ** 40)), {
            maxLength: 3,
          }),
        }),
        fc.jsonValue(),
      ),
    ),
    fc.uint8Array({ maxLength: 64 }),
  )
  .map(([header, data]) => {
    const encoded = new TextEncoder().encode(JSON.stringify(header));
    const bytes = new Uint8Array(8 + encoded.length + data.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(encoded.length), true);
    bytes.set(encoded, 8);
    bytes.set(data, 8 + encoded.length);
    return bytes;
  });

async function readAll(open: Promise<OpenTensors>): Promise<NamedValues> {
  const file = await open;
  const read: [string, Values][] = [];
  for (const name of file.tensors.keys()) read.push([name, await file.readTensor(name)]);
  return Object.fromEntries(read);
}

const SHARD = "model-00001-of-00001.safetensors";
const shard = writeSafetensors({ a: { axes: "row", shape: [1], dtype: "f32", data: Float32Array.of(1) } });
const withIndex = (index: Uint8Array): SourceFolder => ({
  name: "net",
  async open(file) {
    if (file === "model.safetensors.index.json") return memorySource(file, index);
    return file === SHARD ? memorySource(file, shard) : undefined;
  },
});

export const PARSERS: Readonly<Record<string, Parser>> = {
  "safetensors, at once": {
    input: spoilt(anyTensors.map((x) => writeSafetensors(x))),
    parse: (bytes) => readSafetensors(bytes),
  },
  "safetensors, one by one": {
    input: fc.oneof(spoilt(anyTensors.map((x) => writeSafetensors(x))), anyHeader),
    parse: (bytes) => readAll(openSafetensors(memorySource("w", bytes))),
  },
  "safetensors index": {
    input: spoiltText(
      fc
        .dictionary(fc.constantFrom("a", "a", "a", "b"), fc.constantFrom(SHARD, SHARD, SHARD, "b.safetensors", "../x"))
        .map((weight_map) => JSON.stringify({ metadata: {}, weight_map })),
    ),
    parse: (bytes) => readAll(openWeights(withIndex(bytes))),
  },
  npz: {
    input: spoilt(anyTensors.map((x) => writeNpz(x))),
    parse: (bytes) => readAll(openNpz(memorySource("w", bytes))),
  },
  "npz, deflated": {
    // Deflate says up to 1032 bytes in one, and each may be a number.
    memoryRatio: 2 * 4 * 1032,
    input: spoilt(
      fc
        .tuple(fc.nat({ max: 2000 }), fc.constantFrom("<f4", "<f2", "|u1", "<i8", "|O"), fc.boolean())
        .map(([n, descr, fortran]) => zipSync({ "x.npy": npyOf(n, descr, fortran) }, { mtime: "1980-01-01T00:00:00" })),
    ),
    parse: (bytes) => readAll(openNpz(memorySource("w", bytes))),
  },
  json: { input: spoiltText(fc.json()), parse: (bytes) => parseJson(bytes, "w") },
  address: {
    input: spoiltText(
      fc
        .tuple(
          fc.constantFrom("blocks.1.mlp.W_in", "linear1", "_a"),
          fc.oneof(fc.nat(), fc.constant("remainder")),
          fc.option(fc.nat()),
        )
        .map(([site, component, position]) => `${site}:${component}${position === null ? "" : `@${position}`}`),
    ),
    parse: (bytes) => {
      const address = parseAddress(text(bytes));
      // Read again as it is written: it names what was meant.
      return [address, parseAddress(formatAddress(address))];
    },
  },
  "hub id": {
    input: spoiltText(fc.constantFrom("gpt2", "a/b", "a/b@main", "a-b/c.d@refs/pr/1")),
    parse: (bytes) => parseHubId(text(bytes)),
  },
  "metrics.jsonl": {
    input: spoiltText(
      fc
        .array(fc.record({ step: fc.nat(), stage: fc.constant("train"), loss: fc.double() }))
        .map((rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join("")),
    ),
    parse: (bytes) => parseMetrics(bytes),
  },
};

/** Zeros as NumPy would write them, which deflate to next to nothing. */
function npyOf(n: number, descr: string, fortran: boolean): Uint8Array {
  const width = Number(/\d/.exec(descr)?.[0] ?? 8);
  const header = `{'descr': '${descr}', 'fortran_order': ${fortran ? "True" : "False"}, 'shape': (${n},), }\n`;
  const bytes = new Uint8Array(10 + header.length + n * width);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length]);
  bytes.set(new TextEncoder().encode(header), 10);
  return bytes;
}
