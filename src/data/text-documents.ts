/** Documents out of files, one after another and never the whole file at once: plain text and JSON lines. */
import { MechanistError } from "../error.ts";
import type { ByteSource } from "../file/bytes.ts";
import { describeJson, isTable, parseJson, quoted } from "../file/json.ts";
import { nearest } from "../nearest.ts";

/** A document as it was stored: text, or token ids. */
export interface StoredDocument {
  readonly content: string | readonly number[];
  /** Where it is, for an error: `stories.jsonl, line 3`. */
  readonly where: string;
}

const RANGE_BYTES = 1 << 20;
const NEWLINE = 0x0a;

async function* ranges(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < source.size; start += RANGE_BYTES)
    yield source.read(start, Math.min(start + RANGE_BYTES, source.size));
}

/**
 * The documents of a plain text.
 *
 * @param separator what stands between them; empty: all of it is one document. Documents without any character but spaces are left out.
 * @throws `BadFile` where the bytes are not UTF-8, or there is no text
 */
export async function* textDocuments(source: ByteSource, separator: string): AsyncGenerator<StoredDocument> {
  let rest = "";
  let number = 0;
  const document = (content: string): StoredDocument => ({ content, where: `${source.name}, document ${++number}` });
  for await (const text of decoded(source)) {
    rest += text;
    if (separator === "") continue;
    const parts = rest.split(separator);
    rest = parts.pop()!;
    for (const part of parts) if (part.trim() !== "") yield document(part);
  }
  if (rest.trim() !== "") yield document(rest);
  if (number === 0) throw new MechanistError("BadFile", `${source.name}: expected text, got none`);
}

/** How many characters a piece has at least: enough for its edges not to matter. */
const PIECE = 65_536;

/**
 * A plain text in pieces that end where a line does, one after another and never all of it at once: for whoever encodes a long one, and may
 * have enough before its end. A tokenizer sees no further than a piece, which is one text to it.
 *
 * @throws `BadFile` where the bytes are not UTF-8
 */
export async function* textPieces(source: ByteSource): AsyncGenerator<StoredDocument> {
  let open = "";
  let number = 0;
  const piece = (content: string): StoredDocument => ({ content, where: `${source.name}, piece ${++number}` });
  for await (const text of decoded(source)) {
    open += text;
    for (let end = open.indexOf("\n", PIECE); end >= 0; end = open.indexOf("\n", PIECE)) {
      yield piece(open.slice(0, end + 1));
      open = open.slice(end + 1);
    }
  }
  if (open !== "") yield piece(open);
}

/** The text of a file, a range at a time. */
async function* decoded(source: ByteSource): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const decode = (bytes?: Uint8Array): string => {
    try {
      return bytes === undefined ? decoder.decode() : decoder.decode(bytes, { stream: true });
    } catch (cause) {
      throw new MechanistError("BadFile", `${source.name}: expected UTF-8 text, got other bytes`, {}, { cause });
    }
  };
  for await (const bytes of ranges(source)) yield decode(bytes);
  yield decode();
}

/**
 * The documents of a file with a JSON object a line; empty lines are left out.
 *
 * @param field the key of the text or of the list of ids
 * @throws `BadFile` naming the line that is no JSON object, lacks the field, or has something else there
 */
export async function* jsonLineDocuments(source: ByteSource, field: string): AsyncGenerator<StoredDocument> {
  let number = 0;
  let found = false;
  for await (const line of lines(source)) {
    const where = `${source.name}, line ${++number}`;
    if (line.every((byte) => byte <= 0x20)) continue;
    const value = parseJson(line, where, "a JSON object");
    if (!isTable(value))
      throw new MechanistError("BadFile", `${where}: expected a JSON object, got ${describeJson(value)}`);
    found = true;
    if (!Object.hasOwn(value, field)) throw missing(where, "field", field, Object.keys(value));
    yield { content: asContent(value[field], `${where}: field ${quoted(field)}`), where };
  }
  if (!found) throw new MechanistError("BadFile", `${source.name}: expected lines of JSON, got none`);
}

async function* lines(source: ByteSource): AsyncGenerator<Uint8Array> {
  // Pieces of a line that is not over yet.
  let open: Uint8Array[] = [];
  const joined = (): Uint8Array => {
    const line = new Uint8Array(open.reduce((total, piece) => total + piece.length, 0));
    let at = 0;
    for (const piece of open) {
      line.set(piece, at);
      at += piece.length;
    }
    open = [];
    return line;
  };
  for await (const bytes of ranges(source)) {
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
      open.push(bytes.subarray(start, end));
      yield joined();
      start = end + 1;
    }
    open.push(bytes.subarray(start));
  }
  yield joined();
}

/** The error for a field or column that is not there. */
export function missing(where: string, what: string, name: string, candidates: readonly string[]): MechanistError {
  const close = nearest(name, candidates);
  const list = candidates.slice(0, 10).map(quoted).join(", ") + (candidates.length > 10 ? ", …" : "");
  const hint = close === undefined ? `one of ${list || "none"}` : quoted(close);
  return new MechanistError("BadFile", `${where}: expected ${what} ${hint}, got ${quoted(name)}`, {
    name,
    nearest: close,
  });
}

/** A stored value as text or ids. */
export function asContent(value: unknown, where: string): string | readonly number[] {
  if (typeof value === "string") return value;
  const list =
    ArrayBuffer.isView(value) && !(value instanceof DataView)
      ? Array.from(value as unknown as ArrayLike<unknown>)
      : value;
  const ids = Array.isArray(list) ? list.map((x: unknown) => (typeof x === "bigint" ? Number(x) : x)) : undefined;
  if (ids?.every((x) => typeof x === "number")) return ids;
  const got = value === undefined ? "nothing" : ids === undefined ? describeJson(value) : "a list of something else";
  throw new MechanistError("BadFile", `${where}: expected text or a list of ids, got ${got}`);
}
