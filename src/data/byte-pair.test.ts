/** Tokenizers trained here: what Rust's `tokenizers` trains on the same text, and what opens with `tokenizerFrom`. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { golden } from "../../test/golden/load.ts";
import { bytePairTokenizer } from "./byte-pair.ts";
import { characterTokenizer } from "./char-vocabulary.ts";
import { type Tokenizer, tokenizerFrom } from "./tokenizer.ts";
import type { TokenizerFiles } from "./tokenizer-files.ts";

interface Golden {
  readonly texts: readonly string[];
  readonly probes: readonly string[];
  readonly trained: readonly { size: number; least: number; vocab: string[]; ids: number[][] }[];
}
const file = await golden<Golden>("byte-pairs.json");
const opened = ({ tokenizer, config }: TokenizerFiles): Tokenizer =>
  // As it would be read from a file.
  tokenizerFrom(JSON.parse(JSON.stringify(tokenizer)), config);
/** The vocabulary in the order of its ids; an object has keys that look like numbers first. */
const vocabOf = ({ tokenizer }: TokenizerFiles): string[] => {
  const { vocab } = tokenizer.model as { vocab: Record<string, number> };
  return Object.keys(vocab).sort((a, b) => vocab[a]! - vocab[b]!);
};

describe("byte pairs", () => {
  test.each(file.trained)("$size tokens, pairs of $least and more: as Rust's tokenizers", async (trained) => {
    const files = await bytePairTokenizer(file.texts, {
      size: trained.size,
      leastCount: trained.least,
      special: { eos: "<eos>" },
    });
    expect(vocabOf(files)).toEqual(trained.vocab);
    const tokenizer = opened(files);
    expect(tokenizer.size).toBe(trained.vocab.length);
    expect(tokenizer.eosId).toBe(0);
    file.probes.forEach((probe, i) => expect([probe, tokenizer.encode(probe)]).toEqual([probe, trained.ids[i]]));
  });

  test("any text comes back", async () => {
    const tokenizer = opened(await bytePairTokenizer(file.texts, { size: 330 }));
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test("the order of the texts makes no difference, nor does how they come", async () => {
    const options = { size: 400 };
    const parts = ["the fox ", "the box ran", "foxes and boxes"];
    async function* stream(): AsyncGenerator<string> {
      yield* [...parts].reverse();
    }
    expect(await bytePairTokenizer(parts, options)).toEqual(await bytePairTokenizer(stream(), options));
  });

  test("a text without pairs gives bytes, and sizes that hold no bytes are refused", async () => {
    expect(opened(await bytePairTokenizer(["abc"], { size: 500 })).size).toBe(256);
    await expect(bytePairTokenizer(["abc"], { size: 256, special: { bos: "<bos>" } })).rejects.toThrow(
      "byte pairs: expected a size of at least 257, got 256",
    );
  });
});

describe("characters", () => {
  const text = "a naïve fox 🦊\n日本";

  test("each is a token, after the special ones", async () => {
    const files = await characterTokenizer([text, "fox"], { bos: "<bos>", eos: "<eos>" });
    const tokenizer = opened(files);
    expect(vocabOf(files)).toEqual(["<bos>", "<eos>", ..."\n aefnovxï日本🦊"]);
    expect([tokenizer.bosId, tokenizer.eosId, tokenizer.size]).toEqual([0, 1, 15]);
    expect(tokenizer.encode(text).map((id) => tokenizer.tokenText(id))).toEqual([...text]);
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
  });

  test("any text of theirs comes back", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: "binary", minLength: 1 }), async (any) => {
        const tokenizer = opened(await characterTokenizer([any]));
        const ids = tokenizer.encode(any);
        expect(ids.length).toBe([...any].length);
        expect(tokenizer.decode(ids)).toBe(any);
      }),
    );
  });

  test("others are refused, or become the token for what is unknown", async () => {
    const strict = opened(await characterTokenizer(["abc"]));
    expect(() => strict.encode("abd")).toThrow(/expected text that its vocabulary can write/);
    const lenient = opened(await characterTokenizer(["abc"], { unk: "<unk>" }));
    expect(lenient.encode("abd")).toEqual([1, 2, 0]);
  });

  test("of nothing are refused, and so are special tokens that are characters", async () => {
    await expect(characterTokenizer([""])).rejects.toThrow("expected text, got none");
    await expect(characterTokenizer(["abc"], { bos: "a" })).rejects.toThrow('expected one of its own, got "a"');
    await expect(characterTokenizer(["abc"], { bos: "<s>", eos: "<s>" })).rejects.toThrow('got "<s>"');
  });
});
