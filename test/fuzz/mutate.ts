/** Bytes as they reach a parser after an accident or an attack. */
import fc from "fast-check";

/** Numbers at which sizes and offsets go wrong. */
const EDGES = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

/** What stands in JSON in the place of a number. */
const NUMBERS = ["-1", "0", "1e99", "9007199254740993", "4294967296", "0.5", "-0", '"4"', "null", "[]", "{}"];

type Change = (bytes: Uint8Array) => Uint8Array;

/** A place as a share of the length. Evenly spread: fast-check's own doubles are nearly all next to 0. */
const place = fc.noBias(fc.nat({ max: 2 ** 30 - 1 })).map((n) => n / 2 ** 30);

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(place, fc.nat({ max: 255 })).map(
    ([at, byte]): Change =>
      (bytes) =>
        bytes.with(index(bytes, at), byte),
  ),
  fc.tuple(place, fc.nat({ max: 7 })).map(
    ([at, bit]): Change =>
      (bytes) =>
        bytes.with(index(bytes, at), bytes[index(bytes, at)]! ^ (1 << bit)),
  ),
  place.map(
    (at): Change =>
      (bytes) =>
        bytes.slice(0, index(bytes, at)),
  ),
  fc.tuple(place, place).map(([a, b]): Change => (bytes) => {
    const [from, to] = [index(bytes, a), index(bytes, b)].sort((x, y) => x - y) as [number, number];
    return joined(bytes.subarray(0, from), bytes.subarray(to));
  }),
  fc.tuple(place, fc.uint8Array({ maxLength: 12 })).map(
    ([at, more]): Change =>
      (bytes) =>
        joined(bytes.subarray(0, index(bytes, at)), more, bytes.subarray(index(bytes, at))),
  ),
  fc.tuple(place, place, place).map(([a, b, at]): Change => (bytes) => {
    const [from, to] = [index(bytes, a), index(bytes, b)].sort((x, y) => x - y) as [number, number];
    return joined(bytes.subarray(0, index(bytes, at)), bytes.subarray(from, to), bytes.subarray(index(bytes, at)));
  }),
  fc
    .tuple(place, fc.constantFrom(...EDGES), fc.constantFrom(1, 2, 4, 8))
    .map(([at, value, width]): Change => (bytes) => {
      const changed = bytes.slice();
      for (let i = 0; i < width && index(bytes, at) + i < bytes.length; i++) {
        changed[index(bytes, at) + i] = i < 4 ? (value / 2 ** (8 * i)) & 0xff : 0;
      }
      return changed;
    }),
  fc.tuple(place, fc.constantFrom(...NUMBERS)).map(([at, text]): Change => (bytes) => {
    // A byte is a letter here, whatever it means to the parser.
    const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    const found = [...letters.matchAll(/\d+/g)];
    const chosen = found[Math.floor(at * found.length)];
    if (chosen === undefined) return bytes;
    const changed = letters.slice(0, chosen.index) + text + letters.slice(chosen.index + chosen[0].length);
    return Uint8Array.from(changed, (letter) => letter.charCodeAt(0));
  }),
);

function index(bytes: Uint8Array, at: number): number {
  return Math.floor(at * bytes.length);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Valid bytes with up to four changes; now and then none, now and then bytes that never were valid. */
export function spoilt(valid: fc.Arbitrary<Uint8Array>): fc.Arbitrary<Uint8Array> {
  const changed = fc
    .tuple(valid, fc.array(change, { maxLength: 4 }))
    .map(([bytes, changes]) => changes.reduce((now, change) => (now.length === 0 ? now : change(now)), bytes));
  return fc.oneof({ weight: 15, arbitrary: changed }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }) });
}

/** Text likewise. */
export function spoiltText(valid: fc.Arbitrary<string>): fc.Arbitrary<Uint8Array> {
  return spoilt(valid.map((text) => new TextEncoder().encode(text)));
}

/** JSON in which up to three values are other ones or gone; now and then its text is spoilt instead. */
export function spoiltJson(valid: fc.Arbitrary<unknown>): fc.Arbitrary<Uint8Array> {
  const other = fc.oneof(
    fc.constantFrom<unknown>(undefined, null, -1, 0.5, 2 ** 31, 2 ** 53, 1e300, "", [], {}, true),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const changed = fc
    .tuple(valid, fc.array(fc.tuple(place, other), { minLength: 1, maxLength: 3 }))
    .map(([value, changes]) => new TextEncoder().encode(JSON.stringify(changes.reduce(replaced, value)) ?? "null"));
  return fc.oneof(
    { weight: 3, arbitrary: changed },
    { weight: 1, arbitrary: spoiltText(valid.map((one) => JSON.stringify(one))) },
  );
}

/** A value with one of the values in it replaced. */
function replaced(value: unknown, [at, other]: readonly [number, unknown]): unknown {
  let left = Math.floor(at * countOf(value));
  const visit = (part: unknown): unknown => {
    if (left-- === 0) return other;
    if (Array.isArray(part)) return part.map(visit);
    if (typeof part !== "object" || part === null) return part;
    return Object.fromEntries(Object.entries(part).map(([key, inner]) => [key, visit(inner)]));
  };
  return visit(value);
}

function countOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, inner) => sum + countOf(inner), 1);
}
