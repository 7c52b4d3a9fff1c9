/** Rows of tokens: documents packed into them, shuffled, gathered into a table, and a fixed few of them to probe a network with. */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { type Key, threefry2x32 } from "../tensor/index.ts";
import { expectTokenIds, type TokenData } from "./token-data.ts";

/** A document as ids, without any marks. */
export interface TokenDocument {
  readonly ids: ArrayLike<number>;
  /** Where it comes from, for an error. */
  readonly where: string;
}

/** One row of a batch. */
export interface TokenRow {
  /** `pos` ids. */
  readonly tokens: Int32Array;
  /** How many of them are padding, on the side that the document says. */
  readonly padding: number;
}

type Source<T> = Iterable<T> | AsyncIterable<T>;

/**
 * Documents as rows. A document without any token, marks included, gives none.
 *
 * @throws `BadArgument` for a token that is asked for but not named; `BadFile` for an id outside the vocabulary, saying where
 */
export async function* tokenRows(documents: Source<TokenDocument>, data: TokenData): AsyncGenerator<TokenRow> {
  expectTokenIds(data);
  const { packing, overflow, remainder } = data;
  // Of a row that begins with BOS, the rest is for the documents.
  const room = data.pos - Number(data.bos === "row");
  let open: number[] = [];
  for await (const { ids, where } of documents) {
    expectIds(ids, where, data.vocabulary);
    if (data.bos === "document") open.push(data.bosId!);
    for (let i = 0; i < ids.length; i++) open.push(ids[i]!);
    if (data.eos === "document") open.push(data.eosId!);
    let start = 0;
    for (; open.length - start >= room; start += room) {
      yield finished(open.slice(start, start + room), data);
      if (packing === "one-a-row" && overflow === "truncate") start = open.length;
    }
    open = open.slice(start);
    if (packing === "one-a-row" && open.length > 0) {
      yield finished(open, data);
      open = [];
    }
  }
  if (open.length > 0 && remainder === "pad") yield finished(open, data);
}

/** A row of some tokens, with its mark and its padding. */
function finished(ids: readonly number[], { pos, bos, bosId, padId, padding }: TokenData): TokenRow {
  const marked = bos === "row" ? [bosId!, ...ids] : ids;
  const missing = pos - marked.length;
  const tokens = new Int32Array(pos);
  if (missing > 0) tokens.fill(padId!);
  tokens.set(marked, padding === "left" ? missing : 0);
  return { tokens, padding: missing };
}

function expectIds(ids: ArrayLike<number>, where: string, vocabulary: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (Number.isInteger(id) && id >= 0 && id < vocabulary) continue;
    throw new MechanistError("BadFile", `${where}: token ${i}: expected an id from 0 to ${vocabulary - 1}, got ${id}`, {
      index: i,
      id,
    });
  }
}

/**
 * Items in another order, with at most `buffer` of them held: each leaves a randomly chosen place of the buffer, which the next takes. With
 * a buffer as large as there are items, every order is equally likely; a smaller one mixes only so far.
 */
export async function* shuffled<T>(items: Source<T>, key: Key, buffer: number): AsyncGenerator<T> {
  if (!(Number.isInteger(buffer) && buffer >= 1)) {
    throw new MechanistError("BadArgument", `shuffle: expected room for at least 1, got ${buffer}`);
  }
  const held: T[] = [];
  const below = countedDraws(key);
  for await (const item of items) {
    if (held.length < buffer) {
      held.push(item);
      continue;
    }
    const at = below(buffer);
    yield held[at]!;
    held[at] = item;
  }
  while (held.length > 0) {
    const at = below(held.length);
    yield held[at]!;
    held[at] = held.at(-1)!;
    held.pop();
  }
}

/**
 * A fixed few of many, each equally likely to be among them, in the order they came in (Vitter 1985, algorithm R). The same key and the same
 * items give the same few.
 *
 * @throws `BadFile` where there are fewer
 */
export async function probeSet<T>(items: Source<T>, count: number, key: Key): Promise<T[]> {
  const chosen: { readonly order: number; readonly item: T }[] = [];
  const below = countedDraws(key);
  let order = 0;
  for await (const item of items) {
    const at = order < count ? order : below(order + 1);
    if (at < count) chosen[at] = { order, item };
    order++;
  }
  if (order < count) throw new MechanistError("BadFile", `probe set: expected at least ${count} rows, got ${order}`);
  return chosen.sort((a, b) => a.order - b.order).map(({ item }) => item);
}

/** Whole numbers below a bound, one after another; 53 random bits each. */
function countedDraws(key: Key): (below: number) => number {
  let draws = 0;
  return (below) => {
    const [a, b] = threefry2x32(key, [0, draws++]);
    return Math.floor(((a >>> 5) * 2 ** 26 + (b >>> 6)) * 2 ** -53 * below);
  };
}

/** Rows in one table, as a program takes it: `drawRows` draws batches of it on the device. */
export interface TokenTable {
  /** i32 `row pos` */
  readonly tokens: Values<"row pos">;
  /** i32 `row`: how many tokens are padding. */
  readonly padding: Values<"row">;
}

/**
 * Gathers rows.
 *
 * @param most how many at most; all unless said otherwise
 * @throws `BadFile` where there is none
 */
export async function tokenTable(rows: Source<TokenRow>, most = Infinity): Promise<TokenTable> {
  const list: TokenRow[] = [];
  for await (const row of rows) {
    list.push(row);
    if (list.length >= most) break;
  }
  const pos = list[0]?.tokens.length;
  if (pos === undefined) {
    throw new MechanistError(
      "BadFile",
      "token rows: expected at least one row, got none: the text is shorter than a row",
    );
  }
  const tokens = new Int32Array(list.length * pos);
  list.forEach((row, i) => tokens.set(row.tokens, i * pos));
  return {
    tokens: { axes: "row pos", shape: [list.length, pos], dtype: "i32", data: tokens },
    padding: { axes: "row", shape: [list.length], dtype: "i32", data: Int32Array.from(list, (row) => row.padding) },
  };
}
