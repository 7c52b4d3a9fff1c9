/**
 * A small trainer of byte-level byte-pair encodings (Sennrich et al. 2016; on bytes, Radford et al. 2019): starting from bytes, the most
 * frequent pair of neighbours within a word becomes a token, again and again. The same texts give the same merges, whatever their order.
 */
import { MechanistError } from "../error.ts";
import { type SpecialTokens, type TokenizerFiles, tokenizerFiles } from "./tokenizer-files.ts";

/** How GPT-2 cuts a text into words before any merge: the space belongs to the word after it. */
const WORD = /'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface BytePairOptions {
  /** Tokens in all, with the 256 bytes and the special ones; fewer where the texts have no more pairs. */
  readonly size: number;
  /** A pair that occurs less often is not merged; 2 unless said otherwise. */
  readonly leastCount?: number;
  readonly special?: SpecialTokens;
}

/** How often a word occurs, and the tokens it consists of by now. */
interface Word {
  readonly count: number;
  tokens: readonly number[];
}

/**
 * Trains a tokenizer on texts.
 *
 * Of pairs that occur equally often the one of smaller ids is merged first.
 *
 * @throws `BadArgument` for a size that bytes and special tokens alone exceed
 */
export async function bytePairTokenizer(
  texts: Iterable<string> | AsyncIterable<string>,
  { size, leastCount = 2, special = {} }: BytePairOptions,
): Promise<TokenizerFiles> {
  const least = BYTE_SYMBOLS.length + Object.values(special).filter((token) => token !== undefined).length;
  if (!Number.isInteger(size) || size < least) {
    throw new MechanistError("BadArgument", `byte pairs: expected a size of at least ${least}, got ${size}`);
  }
  const symbols = [...ALPHABET];
  const known = new Set(symbols);
  const merges: [string, string][] = [];
  const pairs = new PairCounts(await wordsOf(texts));
  while (least - BYTE_SYMBOLS.length + symbols.length < size) {
    const best = pairs.best(leastCount);
    if (best === undefined) break;
    const [left, right] = best;
    const joined = symbols[left]! + symbols[right]!;
    // Two ways to the same token share its id.
    const id = known.has(joined) ? symbols.indexOf(joined) : symbols.push(joined) - 1;
    known.add(joined);
    merges.push([symbols[left]!, symbols[right]!]);
    pairs.merge(left, right, id);
  }
  return tokenizerFiles(symbols, special, {
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: true },
    decoder: { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      merges,
    },
  });
}

/** The character that stands for each byte in a vocabulary: itself where it can be seen, else one from 256 on. */
const BYTE_SYMBOLS: readonly string[] = (() => {
  const visible = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let others = 0;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(visible(byte) ? byte : 256 + others++));
})();
/** In the order of their ids. */
const ALPHABET: readonly string[] = [...BYTE_SYMBOLS].sort((a, b) => a.charCodeAt(0) - b.charCodeAt(0));
const ID_OF_BYTE = BYTE_SYMBOLS.map((symbol) => ALPHABET.indexOf(symbol));

async function wordsOf(texts: Iterable<string> | AsyncIterable<string>): Promise<Word[]> {
  const counts = new Map<string, number>();
  for await (const text of texts) {
    for (const [word] of text.matchAll(WORD)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    count,
    tokens: Array.from(encoder.encode(word), (byte) => ID_OF_BYTE[byte]!),
  }));
}

/** Above any id, so that a pair of ids is one number. */
const RADIX = 2 ** 24;

/** How often each pair of tokens stands side by side in all words, and in which words. */
class PairCounts {
  readonly #words: readonly Word[];
  readonly #counts = new Map<number, number>();
  readonly #places = new Map<number, Set<Word>>();

  constructor(words: readonly Word[]) {
    this.#words = words;
    for (const word of this.#words) this.#count(word, 1);
  }

  /** The most frequent pair; none where each occurs less often than `least`. */
  best(least: number): [number, number] | undefined {
    let [best, most] = [-1, Math.max(1, least) - 1];
    for (const [pair, count] of this.#counts) {
      if (count > most || (count === most && best >= 0 && pair < best)) [best, most] = [pair, count];
    }
    return best < 0 ? undefined : [Math.floor(best / RADIX), best % RADIX];
  }

  /** Puts token `id` in the place of a pair, from left to right in each word. */
  merge(left: number, right: number, id: number): void {
    for (const word of this.#places.get(left * RADIX + right) ?? []) {
      this.#count(word, -1);
      const merged: number[] = [];
      for (let i = 0; i < word.tokens.length; i++) {
        const found = word.tokens[i] === left && word.tokens[i + 1] === right;
        merged.push(found ? id : word.tokens[i]!);
        if (found) i++;
      }
      word.tokens = merged;
      this.#count(word, 1);
    }
  }

  #count(word: Word, sign: 1 | -1): void {
    for (let i = 1; i < word.tokens.length; i++) {
      const pair = word.tokens[i - 1]! * RADIX + word.tokens[i]!;
      const count = (this.#counts.get(pair) ?? 0) + sign * word.count;
      const places = this.#places.get(pair) ?? new Set();
      if (sign > 0) places.add(word);
      else places.delete(word);
      if (count === 0) {
        this.#counts.delete(pair);
        this.#places.delete(pair);
      } else {
        this.#counts.set(pair, count);
        this.#places.set(pair, places);
      }
    }
  }
}
