/** JSON from strangers: refused where it is no JSON, and where an object says the same key twice, of which `JSON.parse` keeps the last. */
import { MechanistError } from "../error.ts";

/**
 * Parses UTF-8 text as JSON.
 *
 * @param where names the text in an error
 * @param what says what it should have been: `a JSON header`
 * @throws `BadFile`
 */
export function parseJson(bytes: Uint8Array, where: string, what = "JSON"): unknown {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (cause) {
    throw new MechanistError("BadFile", `${where}: expected ${what}, got something else`, {}, { cause });
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) {
    throw new MechanistError("BadFile", `${where}: expected each key once, got ${quoted(twice)} twice`, { key: twice });
  }
  return value;
}

/** Whether a parsed value is an object with keys. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A value in an error: its JSON, cut to a length that fits on a line. */
export function describeJson(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? "nothing").slice(0, LONGEST_SHOWN);
  } catch {
    // Nested deeper than the stack is high.
    return Array.isArray(value) ? "a nested list" : "a nested object";
  }
}

const LONGEST_SHOWN = 60;

/** A name in an error: as it is where it is short and plain, else quoted and cut. */
export function quoted(name: string): string {
  return /^[!-~]{1,100}$/.test(name) ? name : JSON.stringify(name.slice(0, LONGEST_SHOWN));
}

const [QUOTE, BACKSLASH, COLON, BRACE, BRACKET, BRACE_END, BRACKET_END] = [...'"\\:{[}]'].map((c) => c.charCodeAt(0));

/** The first key that an object of this valid JSON has twice. */
function repeatedKey(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === BRACE) open.push(new Set());
    else if (c === BRACKET) open.push(undefined);
    else if (c === BRACE_END || c === BRACKET_END) open.pop();
    if (c !== QUOTE) continue;
    const start = i++;
    for (; text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i++;
    let next = i + 1;
    while (text.charCodeAt(next) <= 0x20) next++;
    const keys = open.at(-1);
    if (keys === undefined || text.charCodeAt(next) !== COLON) continue;
    const key = JSON.parse(text.slice(start, i + 1)) as string;
    if (keys.has(key)) return key;
    keys.add(key);
  }
  return undefined;
}
