/**
 * Every parser of what strangers wrote, with the inputs it is tried on. A new parser is an entry here; the test run and `bench/fuzz.ts`
 * try them all.
 */
import fc from "fast-check";
import { zipSync } from "fflate";
import { tokenizerFrom } from "../../src/data/tokenizer.ts";
import { parseAddress, formatAddress } from "../../src/decomposition/address.ts";
import type { NamedValues, Values } from "../../src/engine/values.ts";
import { memorySource, type SourceFolder } from "../../src/file/bytes.ts";
import { isTable, parseJson } from "../../src/file/json.ts";
import { parseHubId } from "../../src/file/node-cache.ts";
import { openNpz, writeNpz } from "../../src/file/npz.ts";
import { openSafetensors, openWeights } from "../../src/file/open-safetensors.ts";
import type { OpenTensors } from "../../src/file/open-tensors.ts";
import { readSafetensors, writeSafetensors } from "../../src/file/safetensors.ts";
import { resolvePoint } from "../../src/network/hook-names.ts";
import { describeNetwork } from "../../src/network/huggingface/checkpoint.ts";
import { parseMetrics } from "../../src/run/metrics.ts";
import { DICTIONARY_PARSERS } from "./dictionary-parsers.ts";
import { spoilt, spoiltJson, spoiltText } from "./mutate.ts";

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

/** Small ones of each kind, as they are written to `tokenizer.json`. */
const TOKENIZERS: readonly unknown[] = [
  {
    model: {
      type: "BPE",
      vocab: { A: 0, b: 1, c: 2, bc: 3, "\u0120": 4, "1": 5, "2": 6, "\u00c3": 7, "\u00a9": 8 },
      merges: [["b", "c"]],
    },
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    decoder: { type: "ByteLevel" },
  },
  {
    model: {
      type: "BPE",
      vocab: { "<unk>": 0, "<s>": 1, "\u2581": 2, A: 3, "<0xC3>": 4 },
      merges: [],
      unk_token: "<unk>",
      byte_fallback: true,
    },
    added_tokens: [{ id: 1, content: "<s>", special: true }],
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "\u2581" },
        { type: "Replace", pattern: { String: " " }, content: "\u2581" },
      ],
    },
    decoder: {
      type: "Sequence",
      decoders: [{ type: "ByteFallback" }, { type: "Fuse" }, { type: "Strip", content: " ", start: 1, stop: 0 }],
    },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [],
      special_tokens: { "<s>": { id: "<s>", ids: [1], tokens: ["<s>"] } },
    },
  },
  {
    model: {
      type: "WordPiece",
      vocab: { "[UNK]": 0, a: 1, "##b": 2 },
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 9,
    },
    normalizer: { type: "BertNormalizer", lowercase: true },
    pre_tokenizer: { type: "Split", pattern: { Regex: "\\s+" }, behavior: "Isolated", invert: false },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  },
  {
    model: {
      type: "Unigram",
      vocab: [
        ["<unk>", 0],
        ["\u2581", -1],
        ["A", -2],
        ["b", -2.5],
      ],
      unk_id: 0,
    },
    pre_tokenizer: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" },
    decoder: { type: "Metaspace", replacement: "\u2581", prepend_scheme: "always" },
  },
];

const SIZES = { vocab_size: 9, hidden_size: 8, intermediate_size: 4, num_hidden_layers: 2, num_attention_heads: 2 };
const ROPE = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, rope_theta: 500_000 };
/** `config.json` of some families. */
const CONFIGS: readonly Record<string, unknown>[] = [
  { model_type: "llama", ...SIZES, architectures: ["LlamaForCausalLM"], num_key_value_heads: 1, rope_parameters: ROPE },
  { model_type: "qwen2", ...SIZES, use_sliding_window: true, sliding_window: 3, max_window_layers: 1, rope_theta: 1e6 },
  { model_type: "gemma2", ...SIZES, head_dim: 4, layer_types: ["sliding_attention", "full_attention"] },
  { model_type: "mistral", ...SIZES, num_key_value_heads: 2, rope_scaling: { type: "yarn", factor: 2 } },
  { model_type: "gpt2", vocab_size: 9, n_embd: 8, n_layer: 2, n_head: 2, n_positions: 8 },
  { model_type: "gpt_neo", ...SIZES, num_layers: 2, num_heads: 2, attention_types: [[["global", "local"], 1]] },
  { architectures: ["GPTNeoXForCausalLM"], ...SIZES, rotary_pct: 0.5, rotary_emb_base: 100 },
];
const LLAMA = describeNetwork(CONFIGS[0]!).network;

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
    input: spoiltJson(
      fc.record({
        metadata: fc.constant({}),
        weight_map: fc.dictionary(
          fc.constantFrom("a", "a", "a", "b"),
          fc.constantFrom(SHARD, SHARD, SHARD, "b.safetensors", "../x"),
        ),
      }),
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
  "network config": {
    input: spoiltJson(fc.constantFrom(...CONFIGS)),
    parse: (bytes) => {
      const config = parseJson(bytes, "config.json");
      return describeNetwork(isTable(config) ? config : {}).network.config;
    },
  },
  "hook point name": {
    input: spoiltText(fc.constantFrom("pattern1", "resid_post.0", "blocks.1.mlp.in.hook_out", "model.layers.0.mlp")),
    parse: (bytes) => resolvePoint(LLAMA, text(bytes)).name,
  },
  tokenizer: {
    input: spoiltJson(fc.constantFrom(...TOKENIZERS)),
    parse: (bytes) => {
      const tokenizer = tokenizerFrom(parseJson(bytes, "w"));
      const ids = tokenizer.encode("Abc 12 é");
      return [
        ids,
        tokenizer.decode(ids),
        ids.map((id) => tokenizer.tokenText(id)),
        tokenizer.encode("ab", "tokenizer"),
      ];
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
  ...DICTIONARY_PARSERS,
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
