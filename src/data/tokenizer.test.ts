import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { golden } from "../../test/golden/load.ts";
import { memorySource, type SourceFolder } from "../file/bytes.ts";
import { expectEmbedded, readTokenizer, tokenizerFrom } from "./tokenizer.ts";

interface Golden {
  readonly size: number;
  readonly config: Readonly<Record<string, unknown>>;
  readonly tokenizer: Readonly<Record<string, unknown>>;
  /** What each seventh id decodes to, alone. */
  readonly tokens: readonly string[];
  readonly cases: readonly { text: string; ids: number[]; withSpecial: number[]; decoded: string }[];
}

const KINDS = ["byte-level", "byte-level-split", "byte-fallback", "word-piece", "unigram", "word-level"];
const load = (kind: string): Promise<Golden> => golden<Golden>(`tokenizer/${kind}.json`);
const open = async (kind: string): Promise<ReturnType<typeof tokenizerFrom>> => {
  const { tokenizer, config } = await load(kind);
  return tokenizerFrom(tokenizer, config);
};

describe.each(KINDS)("a %s tokenizer", (kind) => {
  test("gives the ids that Python's tokenizers gives", async () => {
    const { cases, size, tokens } = await load(kind);
    const tokenizer = await open(kind);
    expect(tokenizer.size).toBe(size);
    expect(tokens.map((_, i) => tokenizer.decode([7 * i]))).toEqual(tokens);
    for (const { text, ids, withSpecial, decoded } of cases) {
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
      expect([text, tokenizer.encode(text, "none")]).toEqual([text, ids]);
      expect([text, tokenizer.encode(text, "tokenizer")]).toEqual([text, withSpecial]);
      expect([text, tokenizer.decode(ids)]).toEqual([text, decoded]);
    }
  });

  test("has a text for each token", async () => {
    const tokenizer = await open(kind);
    for (let id = 0; id < tokenizer.size; id++) expect(tokenizer.tokenText(id).length).toBeGreaterThan(0);
    expect(() => tokenizer.tokenText(tokenizer.size)).toThrow(/expected ids from 0 to \d+ that have a token, got \d+/);
    for (const id of [-1, 0.5, NaN, tokenizer.size]) {
      expect(() => tokenizer.decode([id])).toThrow(expect.objectContaining({ code: "BadArgument" }));
    }
    expect(tokenizer.decode([])).toBe("");
  });
});

describe("pre-tokenizers", () => {
  interface Split {
    readonly pre_tokenizer: unknown;
    readonly cases: readonly { readonly text: string; readonly pieces: readonly string[] }[];
  }

  /** A tokenizer that has each piece for a token. */
  const piecesBy = (pre_tokenizer: unknown, pieces: readonly string[]): ((text: string) => string[]) => {
    const vocab = Object.fromEntries(["[UNK]", ...new Set(pieces)].map((piece, id) => [piece, id]));
    const tokenizer = tokenizerFrom({ model: { type: "WordLevel", vocab, unk_token: "[UNK]" }, pre_tokenizer });
    return (text) => tokenizer.encode(text).map((id) => tokenizer.tokenText(id));
  };

  test("cut where Python's tokenizers cuts", async () => {
    const splits = await golden<Split[]>("tokenizer/splits.json");
    expect(splits.length).toBeGreaterThan(50);
    for (const { pre_tokenizer, cases } of splits) {
      const cut = piecesBy(
        pre_tokenizer,
        cases.flatMap(({ pieces }) => pieces),
      );
      for (const { text, pieces } of cases)
        expect([pre_tokenizer, text, cut(text)]).toEqual([pre_tokenizer, text, pieces]);
    }
  });

  test("long texts without a place to cut take no longer than others", () => {
    const split = { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false };
    const began = performance.now();
    expect(piecesBy(split, ["a".repeat(300_000)])("a".repeat(300_000))).toHaveLength(1);
    // Quadratic, this would take minutes.
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test.each([
    [
      "a pattern of no kind",
      { type: "Split", pattern: { Glob: "*" }, behavior: "Isolated" },
      'expected a pattern as Regex or String, got {"Glob":"*"}',
    ],
    [
      "a way of no kind",
      { type: "Split", pattern: { String: " " }, behavior: "Sideways" },
      'expected a known way to split, got "Sideways"',
    ],
    [
      "a removed pattern with groups",
      { type: "Split", pattern: { Regex: "(a)|b" }, behavior: "Removed" },
      'expected a removed pattern without groups, got "(a)|b"',
    ],
    [
      "a kind that is not known",
      { type: "Sideways" },
      "expected a tokenizer of a known kind, got Unknown PreTokenizer type: Sideways",
    ],
  ])("%s is refused, not passed over", (_, pre_tokenizer, message) => {
    expect(() => piecesBy(pre_tokenizer, [])).toThrow(`tokenizer.json: ${message}`);
  });
});

describe("byte-level tokenizers", () => {
  test("any text comes back, token by token", async () => {
    const tokenizer = await open("byte-level");
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const whole = text.replaceAll("<|end|>", "");
        const ids = tokenizer.encode(whole);
        expect(tokenizer.decode(ids)).toBe(whole);
        expect(Math.max(-1, ...ids)).toBeLessThan(tokenizer.size);
      }),
      { seed: 1 },
    );
  });

  test("tokens are shown with their spaces, half characters as bytes", async () => {
    const tokenizer = await open("byte-level");
    const shown = (text: string): string[] => tokenizer.encode(text).map((id) => tokenizer.tokenText(id));
    expect(shown(" the<|end|>\n")).toEqual([" the", "<|end|>", "\n"]);
    expect(shown("é").join("")).toMatch(/^(é|<0xC3><0xA9>)$/);
    expect(shown("🙂")).toEqual(["<0xF0>", "<0x9F>", "<0x99>", "<0x82>"]);
  });
});

describe("the beginning of a sequence", () => {
  test.each(KINDS)("%s: prepended when asked for, or refused", async (kind) => {
    const tokenizer = await open(kind);
    const ids = tokenizer.encode("the fox");
    if (tokenizer.bosId === undefined) {
      expect(() => tokenizer.encode("the fox", "prepend")).toThrow(
        "expected a bos_token in tokenizer_config.json to prepend, got none",
      );
    } else expect(tokenizer.encode("the fox", "prepend")).toEqual([tokenizer.bosId, ...ids]);
  });

  test("is what the configuration names", async () => {
    const named = async (kind: string): Promise<unknown> => {
      const { bosId, eosId, tokenText } = await open(kind);
      return [bosId, eosId].map((id) => (id === undefined ? id : tokenText(id)));
    };
    expect(await named("byte-level")).toEqual(["<|end|>", "<|end|>"]);
    expect(await named("byte-level-split")).toEqual(["<s>", "</s>"]);
    expect(await named("byte-fallback")).toEqual(["<s>", "</s>"]);
    expect(await named("word-piece")).toEqual([undefined, undefined]);
    expect(await named("unigram")).toEqual([undefined, "</s>"]);
  });
});

test("sentencepiece tokens are shown with spaces, bytes as bytes", async () => {
  const tokenizer = await open("byte-fallback");
  const shown = tokenizer.encode("the é").map((id) => tokenizer.tokenText(id));
  expect(shown.join("")).toBe(" the <0xC3><0xA9>");
});

describe("a folder's tokenizer", () => {
  const folderOf = (files: Readonly<Record<string, unknown>>): SourceFolder => ({
    name: "net",
    open: async (file) =>
      file in files ? memorySource(`net/${file}`, new TextEncoder().encode(JSON.stringify(files[file]))) : undefined,
  });

  test("is read with the names of its special tokens, wherever they stand", async () => {
    const { tokenizer, config, cases } = await load("byte-fallback");
    for (const file of ["tokenizer_config.json", "special_tokens_map.json"]) {
      const read = await readTokenizer(folderOf({ "tokenizer.json": tokenizer, [file]: config }));
      expect(read.bosId).toBe(1);
      expect(read.encode(cases[2]!.text)).toEqual(cases[2]!.ids);
    }
    await expect(readTokenizer(folderOf({}))).rejects.toThrow("net: expected tokenizer.json, got none");
  });

  test.each([
    ["a list", [], /expected a tokenizer with a model, got \[\]$/],
    ["no vocabulary", { model: { type: "BPE" } }, /expected a vocabulary, got nothing$/],
    [
      "an id that is none",
      { model: { type: "BPE", vocab: { a: -1 }, merges: [] } },
      /expected tokens with ids below 16777216, got "a" with -1$/,
    ],
    ["an id beyond all", { model: { type: "BPE", vocab: { a: 4e9 }, merges: [] } }, /got "a" with 4000000000$/],
    [
      "an added token that is none",
      { model: { type: "BPE", vocab: {}, merges: [] }, added_tokens: [3] },
      /got 3 with 3$/,
    ],
    [
      "an unknown model",
      { model: { type: "Magic", vocab: {} } },
      /expected a model among BPE, WordPiece, Unigram, WordLevel, got "Magic"$/,
    ],
    [
      "an unknown decoder",
      { model: { type: "BPE", vocab: {}, merges: [] }, decoder: { type: "Magic" } },
      /expected a tokenizer of a known kind, got .*Magic/,
    ],
  ])("%s is refused in one line", async (_, tokenizer, message) => {
    const read = readTokenizer(folderOf({ "tokenizer.json": tokenizer }));
    await expect(read).rejects.toThrow(message);
    await expect(read).rejects.toMatchObject({ code: "BadFile" });
  });

  test("what the vocabulary cannot write is refused, not passed over", () => {
    const model = {
      type: "WordPiece",
      vocab: { a: 0, b: 1 },
      continuing_subword_prefix: "",
      max_input_chars_per_word: 9,
    };
    const tokenizer = tokenizerFrom({ model });
    expect(tokenizer.encode("ab")).toEqual([0, 1]);
    expect(() => tokenizer.encode("abc")).toThrow(
      "expected text that its vocabulary can write, got other letters and no unk_token",
    );
  });
});

test("a tokenizer larger than the embedding is refused, a smaller one is not", () => {
  expect(() => expectEmbedded({ size: 50_258 }, 50_257)).toThrow(
    "tokenizer: expected at most 50257 ids, as the embedding has, got 50258",
  );
  expectEmbedded({ size: 50_257 }, 50_304);
});
