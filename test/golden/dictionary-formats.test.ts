/** Dictionaries as the libraries that make them save them, and what those compute, from `reference/dictionary_formats.py`. */
import { describe, expect, test } from "vitest";
import { pointRows } from "../../src/decomposition/activation/coder.ts";
import { dictionaryCoder } from "../../src/decomposition/dictionary/coder.ts";
import { DICTIONARY_FORMATS, readStored } from "../../src/decomposition/dictionary/formats/formats.ts";
import {
  type Stored,
  type StoredDictionary,
  type StoredFiles,
  storedSizes,
} from "../../src/decomposition/dictionary/formats/stored.ts";
import { interpret, type NamedValues, type Values, values } from "../../src/engine/index.ts";
import { memorySource, type SourceFolder } from "../../src/file/bytes.ts";
import { add, input, sizesOf, type Tensor, type Tensors } from "../../src/tensor/index.ts";
import { golden } from "./load.ts";

interface Answer {
  readonly x: readonly (readonly number[])[];
  readonly latents: readonly (readonly number[])[] | null;
  readonly output: readonly (readonly number[])[];
}

interface Case {
  readonly folder: string;
  readonly files: Readonly<Record<string, string>>;
  readonly dictionaries: readonly Answer[];
}

/** Which format each case is of, and the formats that can say it too. */
const CASES: Readonly<Record<string, { readonly format: string; readonly also: readonly string[] }>> = {
  "saelens-standard": { format: "saelens", also: ["dictionary_learning", "gemma-scope", "gemma-scope-2", "llama-scope"] },
  "saelens-standard-bias-kept": { format: "saelens", also: ["dictionary_learning"] },
  "saelens-gated": { format: "saelens", also: ["dictionary_learning"] },
  "saelens-topk": { format: "saelens", also: ["dictionary_learning", "sparsify", "llama-scope"] },
  "saelens-topk-rescaled": { format: "saelens", also: ["sparsify"] },
  "saelens-jumprelu": { format: "saelens", also: ["dictionary_learning", "gemma-scope", "gemma-scope-2"] },
  "saelens-batchtopk": { format: "saelens", also: ["dictionary_learning", "llama-scope"] },
  "saelens-layer-norm": { format: "saelens", also: [] },
  "saelens-constant-norm": { format: "saelens", also: [] },
  "saelens-scaled": { format: "saelens", also: ["dictionary_learning"] },
  "saelens-sparsity": { format: "saelens", also: [] },
  "saelens-transcoder": { format: "saelens", also: ["gemma-scope-2"] },
  "saelens-skip-transcoder": { format: "saelens", also: ["gemma-scope-2"] },
  "saelens-jumprelu-skip": { format: "saelens", also: ["gemma-scope-2"] },
  "saelens-flat": { format: "saelens", also: [] },
  "saelens-flat-topk": { format: "saelens", also: [] },
  "saelens-flat-scaled": { format: "saelens", also: [] },
  "dictionary-learning-AutoEncoder": { format: "dictionary_learning", also: ["saelens"] },
  "dictionary-learning-AutoEncoderNew": { format: "dictionary_learning", also: ["saelens"] },
  "dictionary-learning-GatedAutoEncoder": { format: "dictionary_learning", also: ["saelens"] },
  "dictionary-learning-JumpReluAutoEncoder": { format: "dictionary_learning", also: ["saelens"] },
  "dictionary-learning-AutoEncoderTopK": { format: "dictionary_learning", also: ["saelens"] },
  "dictionary-learning-BatchTopKSAE": { format: "dictionary_learning", also: ["saelens", "gemma-scope"] },
  "dictionary-learning-MatryoshkaBatchTopKSAE": { format: "dictionary_learning", also: ["saelens"] },
  "circuit-tracer": { format: "circuit-tracer", also: [] },
  "circuit-tracer-clt": { format: "circuit-tracer-clt", also: [] },
  "gemma-scope": { format: "gemma-scope", also: ["saelens"] },
  "gemma-scope-2": { format: "gemma-scope-2", also: ["saelens"] },
  sparsify: { format: "sparsify", also: ["saelens"] },
  "sparsify-transcoder": { format: "sparsify", also: [] },
  "llama-scope": { format: "llama-scope", also: ["saelens"] },
};

/** Weights are float32 and folded once or twice. */
const TOLERANCE = 1e-5;

describe.each(Object.entries(CASES))("%s", (name, { format, also }) => {
  const stored = golden<Case>(`dictionary-formats/${name}.json`);
  const folderOf = (files: StoredFiles, called: string): SourceFolder => ({
    name: called,
    open: async (file) => {
      const content = files[file];
      if (content === undefined) return undefined;
      const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
      return memorySource(`${called}/${file}`, bytes);
    },
  });
  const given = async (): Promise<SourceFolder> => {
    const { files, folder } = await stored;
    return folderOf(Object.fromEntries(Object.entries(files).map(([file, text]) => [file, bytesOf(text)])), folder);
  };

  test("computes what its library computes", async () => {
    const found = await readStored(await given());
    expect(found.format).toBe(format);
    expectAnswers(found.stored, (await stored).dictionaries);
  });

  test.each([format, ...also])("is written as %s and reads the same", async (other) => {
    const { stored: before } = await readStored(await given());
    const files = await DICTIONARY_FORMATS[other]!.files(before);
    const again = await readStored(folderOf(files, (await stored).folder));
    expect(again.format).toBe(other);
    expectAnswers(again.stored, (await stored).dictionaries, true);
    // Once written, it is written the same again.
    if (other === format) expect(await DICTIONARY_FORMATS[other]!.files(again.stored)).toEqual(files);
  });
});

test("what files claim is read with them", async () => {
  const claims = async (name: string): Promise<StoredDictionary["claims"]> => {
    const { files, folder } = await golden<Case>(`dictionary-formats/${name}.json`);
    const open: SourceFolder["open"] = async (file) =>
      files[file] === undefined ? undefined : memorySource(file, bytesOf(files[file]));
    const { stored } = await readStored({ name: folder, open });
    return stored.kind === "dictionaries" ? stored.dictionaries[0]!.claims : stored.transcoder.claims;
  };
  expect(await claims("saelens-standard")).toEqual({});
  const { firing, l0 } = await claims("saelens-sparsity");
  Array.from(firing!).forEach((x, c) => expect(x).toBeCloseTo((0.7 * c) / 7, 6));
  expect(l0).toBeCloseTo(0.7 * 4, 5);
  expect(await claims("dictionary-learning-AutoEncoder")).toEqual({ l0: 3.25, explainedVariance: 0.5 });
  expect(await claims("gemma-scope")).toEqual({ l0: 71 });
});

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

function expectAnswers(stored: Stored, answers: readonly Answer[], outputsOnly = false): void {
  if (stored.kind === "cross-layer") {
    const { code, layers } = stored.transcoder;
    expect(layers).toHaveLength(answers.length);
    const weights = layers.map(({ weights: own }) => own);
    // Latents of each layer; what they write at each from their own on.
    const latents = layers.map((_, l) => {
      const W_dec = values("C d_out", [weights[l]!.W_enc!.shape[1]!, weights[l]!.W_dec!.shape[2]!], decoderTo(weights[l]!.W_dec!, 0));
      return computed({ code, normalization: "none", weights: { ...weights[l]!, W_dec }, claims: {} }, answers[l]!.x).z;
    });
    answers.forEach((answer, m) => {
      const written = answer.output.map((row) => row.map(() => 0));
      for (let l = 0; l <= m; l++) {
        const rows = decoderTo(weights[l]!.W_dec!, m - l);
        const width = answer.output[0]!.length;
        latents[l]!.forEach((z, r) => z.forEach((value, c) => written[r]!.forEach((_, i) => (written[r]![i]! += value * rows[c * width + i]!))));
      }
      expectRows(latents[m]!, answer.latents!);
      expectRows(written.map((row) => row.map((y, i) => y + weights[m]!.b_dec!.data[i]!)), answer.output);
    });
    return;
  }
  expect(stored.dictionaries).toHaveLength(answers.length);
  stored.dictionaries.forEach((dictionary, i) => {
    const { z, y } = computed(dictionary, answers[i]!.x);
    expectRows(y, answers[i]!.output);
    // Latents of rows that are brought to one length are in units of that; here they are in the activations'.
    if (dictionary.normalization === "none" && !outputsOnly && answers[i]!.latents) expectRows(z, answers[i]!.latents!);
  });
}

/** What a layer's latents write `ahead` layers later: rows of the decoder. */
function decoderTo({ data, shape }: Values, ahead: number): Float32Array {
  const [C, layers, width] = shape as [number, number, number];
  const out = new Float32Array(C * width);
  for (let c = 0; c < C; c++) for (let i = 0; i < width; i++) out[c * width + i] = data[(c * layers + ahead) * width + i]!;
  return out;
}

function expectRows(found: readonly (readonly number[])[], wanted: readonly (readonly number[])[]): void {
  expect(found).toHaveLength(wanted.length);
  found.forEach((row, r) => row.forEach((x, i) => expect(Math.abs(x - wanted[r]![i]!)).toBeLessThan(TOLERANCE * Math.max(1, Math.abs(x)))));
}

/** A dictionary's latents and what it writes, in float64. */
function computed(
  { code, k, normalization, weights }: StoredDictionary,
  x: readonly (readonly number[])[],
): { readonly z: number[][]; readonly y: number[][] } {
  const { dIn, dOut, C } = storedSizes(weights);
  const coder = dictionaryCoder({
    shape: { site: "s", code, dIn, dOut, C },
    reads: "in",
    writes: "out",
    normalization,
    ...(k !== undefined && { k }),
  });
  const named = Object.fromEntries(Object.entries(weights).map(([name, own]) => [`s.${name}`, own!])) as NamedValues;
  const tensors = Object.fromEntries(
    Object.entries(named).map(([name, { axes, shape }]) => [
      name,
      input(name, axes, Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]))),
    ]),
  ) as Tensors;
  const read = { in: pointRows(input("x", "batch d", { batch: x.length, d: dIn })) };
  const carried = coder.encode(tensors, read);
  const written = add(coder.decode(tensors, carried, "out"), coder.bias!(tensors, read, "out")!) as Tensor;
  const found = interpret({ carried, written }, { ...named, x: values("batch d", [x.length, dIn], x.flat()) });
  expect(sizesOf(carried)).toMatchObject({ C, m: 1, batch: x.length });
  return {
    z: x.map((_, r) => Array.from({ length: C }, (__, c) => found.carried.data[c * x.length + r]!)),
    y: x.map((_, r) => Array.from(found.written.data.slice(r * dOut, (r + 1) * dOut))),
  };
}
