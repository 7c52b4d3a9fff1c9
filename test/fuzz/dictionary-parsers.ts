/** Dictionaries' files as strangers may have them: for each format its settings spoilt, and its tensors. */
import fc from "fast-check";
import { DICTIONARY_FORMATS } from "../../src/decomposition/dictionary/formats/formats.ts";
import type { Stored, StoredDictionary, StoredWeights } from "../../src/decomposition/dictionary/formats/stored.ts";
import { values } from "../../src/engine/values.ts";
import { memorySource, type SourceFolder } from "../../src/file/bytes.ts";
import { parseJson } from "../../src/file/json.ts";
import { spoilt, spoiltJson, spoiltText } from "./mutate.ts";
import type { Parser } from "./parsers.ts";

const [D, C] = [3, 4];
const numbers = (axes: string, ...shape: number[]): ReturnType<typeof values> =>
  values(
    axes,
    shape,
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => 0.1 * ((i % 7) + 1)),
  );

const relu: StoredWeights = {
  W_enc: numbers("d_in C", D, C),
  b_enc: numbers("C", C),
  W_dec: numbers("C d_out", C, D),
  b_dec: numbers("d_out", D),
};
const dictionary = (more: Partial<StoredDictionary>): StoredDictionary => ({
  code: "relu",
  normalization: "none",
  reads: "blocks.0.hook_resid_post",
  writes: "blocks.0.hook_resid_post",
  model: "tiny",
  weights: relu,
  claims: { l0: 1.5, explainedVariance: 0.9, firing: [0.1, 0.2, 0.3, 0] },
  ...more,
});
const across = { reads: "blocks.0.mlp.hook_in", writes: "blocks.0.hook_mlp_out" };

/** One of each format. */
const SUBJECTS: Readonly<Record<string, Stored>> = Object.fromEntries(
  Object.entries({
    saelens: dictionary({ code: "topk", k: 2 }),
    dictionary_learning: dictionary({ code: "topk", k: 2 }),
    "gemma-scope": dictionary({}),
    "gemma-scope-2": dictionary({ ...across, weights: { ...relu, W_skip: numbers("d_in d_out", D, D) } }),
    sparsify: dictionary({ code: "topk", k: 2 }),
    "circuit-tracer": dictionary(across),
    "llama-scope": dictionary({}),
  }).map(([format, one]) => [format, { kind: "dictionaries", dictionaries: [one] }]),
);
const CROSS_LAYER: Stored = {
  kind: "cross-layer",
  transcoder: {
    code: "relu",
    layers: [{ ...across, weights: { ...relu, W_dec: numbers("C layer d_out", C, 1, D) } }],
    claims: {},
  },
};

async function parsersOf(format: string, stored: Stored): Promise<[string, Parser][]> {
  const { files: write, read } = DICTIONARY_FORMATS[format]!;
  const files = await write(stored);
  const bytesOf = (content: Uint8Array | string): Uint8Array =>
    typeof content === "string" ? new TextEncoder().encode(content) : content;
  const folderWith = (changed: string, bytes: Uint8Array): SourceFolder => ({
    name: "layers.0",
    open: async (file) => {
      if (file === changed) return memorySource(file, bytes);
      return files[file] === undefined ? undefined : memorySource(file, bytesOf(files[file]));
    },
  });
  return Object.entries(files).map(([file, content]): [string, Parser] => {
    const valid = bytesOf(content);
    const input = file.endsWith(".json")
      ? spoiltJson(fc.constant(parseJson(valid, file) as object))
      : file.endsWith(".yaml")
        ? spoiltText(fc.constant(new TextDecoder().decode(valid)))
        : spoilt(fc.constant(valid));
    return [`${format}: ${file}`, { input, parse: (bytes) => read(folderWith(file, bytes)) }];
  });
}

/** The parsers of dictionaries, a file of each format at a time. */
export const DICTIONARY_PARSERS: Readonly<Record<string, Parser>> = Object.fromEntries(
  (
    await Promise.all(
      Object.entries({ ...SUBJECTS, "circuit-tracer-clt": CROSS_LAYER }).map(([format, stored]) =>
        parsersOf(format, stored),
      ),
    )
  ).flat(),
);
