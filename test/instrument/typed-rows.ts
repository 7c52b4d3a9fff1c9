/**
 * Rows of types that come as often as words do, each type with a random vector and a class (`benchmarks.md` B22): what can be read of the class is
 * memorised type by type where `signal` is 0, and a rule where it is 1.
 */
import type { LabelledRows } from "../../src/instrument/classifier.ts";
import { foldIn, keyFromSeed, randomBits, randomNormal, randomUniform } from "../../src/tensor/index.ts";

const [TYPES, CLASSES, COLUMNS] = [400, 5, 64];

/** @param signal how many times the vector of its class is added to a type's own */
export function typedRows(signal: number, rows: number, seed: number): LabelledRows & { readonly types: number[] } {
  const key = keyFromSeed(seed);
  const classOf = Array.from(randomBits(foldIn(key, "class"), TYPES), (bits) => bits % CLASSES);
  const own = randomNormal(foldIn(key, "own"), TYPES * COLUMNS);
  const means = randomNormal(foldIn(key, "means"), CLASSES * COLUMNS);
  const shares = Array.from({ length: TYPES }, (_, type) => 1 / (type + 1));
  const total = shares.reduce((a, b) => a + b, 0);
  const ends = shares.map((_, type) => shares.slice(0, type + 1).reduce((a, b) => a + b, 0) / total);
  const types = Array.from(randomUniform(foldIn(key, "rows"), rows), (u) =>
    Math.max(
      0,
      ends.findIndex((end) => u < end),
    ),
  );
  const data = Float64Array.from({ length: rows * COLUMNS }, (_, i) => {
    const [type, column] = [types[Math.floor(i / COLUMNS)]!, i % COLUMNS];
    return own[type * COLUMNS + column]! + signal * means[classOf[type]! * COLUMNS + column]!;
  });
  return { x: { columns: COLUMNS, data }, labels: types.map((type) => classOf[type]!), classes: CLASSES, types };
}
