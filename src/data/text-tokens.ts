/** One plain text as tokens, its beginning to learn from and its end to be judged by. */
import { MechanistError } from "../error.ts";
import type { Values } from "../engine/index.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** The share of a text, from its end, that nothing is learnt from. */
const HELD_OUT = 0.1;

export interface TextTokens {
  /** To learn from. */
  readonly training: Int32Array;
  /** The text's end. */
  readonly held: Int32Array;
}

/**
 * A text's ids, cut in two: the last tenth of them is held out.
 *
 * @param least how many tokens each part must have
 * @throws `BadArgument` for a text that is too short
 */
export function textTokens(text: string, tokenizer: Pick<Tokenizer, "encode">, least: number): TextTokens {
  // Line by line: one call with millions of letters would hold several copies of all of them.
  const lines = text.split(/(?<=\n)/).map((line) => Int32Array.from(tokenizer.encode(line)));
  const ids = new Int32Array(lines.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const line of lines) {
    ids.set(line, at);
    at += line.length;
  }
  const cut = Math.floor(ids.length * (1 - HELD_OUT));
  if (ids.length - cut < least) {
    const needed = Math.ceil(least / HELD_OUT);
    throw new MechanistError("BadArgument", `text: expected at least ${needed} tokens, got ${ids.length}`);
  }
  return { training: ids.subarray(0, cut), held: ids.subarray(cut) };
}

/** Windows of `pos` tokens, so many that they cover the tokens evenly from first to last: `row pos`. */
export function evenWindows(tokens: Int32Array, rows: number, pos: number): Values<"row pos"> {
  const last = tokens.length - pos;
  return windows(tokens, rows, pos, (row) => (rows === 1 ? 0 : Math.round((row * last) / (rows - 1))));
}

/**
 * Windows one after another from the beginning, as many as there are but at most `most`. The last token of each is the first of the next, so
 * that each token but the first is predicted once.
 */
export function consecutiveWindows(tokens: Int32Array, most: number, pos: number): Values<"row pos"> {
  const rows = Math.min(most, Math.floor((tokens.length - 1) / (pos - 1)));
  return windows(tokens, rows, pos, (row) => row * (pos - 1));
}

function windows(tokens: Int32Array, rows: number, pos: number, start: (row: number) => number): Values<"row pos"> {
  const data = new Int32Array(rows * pos);
  for (let row = 0; row < rows; row++) data.set(tokens.subarray(start(row), start(row) + pos), row * pos);
  return { axes: "row pos", shape: [rows, pos], dtype: "i32", data };
}
