import { describe, expect, test } from "vitest";
import { values } from "../engine/index.ts";
import { foldIn, keyFromSeed, randomNormal, randomPermutation } from "../tensor/index.ts";
import { crossEntropyOf, embeddingPower, frequencyLosses, gini, keyFrequencies } from "./key-frequencies.ts";

const p = 23;
const angle = (k: number, n: number): number => (2 * Math.PI * k * n) / p;

describe("power of an embedding", () => {
  test("two planted frequencies, one with twice the amplitude, and a constant that does not count", () => {
    const rows = Array.from({ length: p + 1 }, (_, a) => [
      5 + 2 * Math.cos(angle(3, a)),
      2 * Math.sin(angle(3, a)),
      Math.cos(angle(7, a) + 1),
      Math.sin(angle(7, a) + 1),
    ]);
    const power = embeddingPower(values("vocab d_model", [p + 1, 4], rows.flat()), p);
    expect(power).toHaveLength(11);
    expect(power[2]).toBeCloseTo(0.8, 6);
    expect(power[6]).toBeCloseTo(0.2, 6);
    expect(keyFrequencies(power)).toEqual([3, 7]);
  });

  test("noise has some of every frequency: a small Gini coefficient, where few frequencies have a large one", () => {
    const noise = embeddingPower(values("vocab d_model", [p, 32], randomNormal(keyFromSeed(1), 32 * p)), p);
    expect(noise.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(gini(noise)).toBeLessThan(0.15);
    expect(keyFrequencies(noise)).toHaveLength(11);
    expect(gini([1, 1, 1, 1])).toBeCloseTo(0, 12);
    expect(gini([0, 0, 0, 1])).toBeCloseTo(3 / 4, 12);
    expect(gini([0.5, 0, 0.5, 0])).toBeCloseTo(1 / 2, 12);
  });
});

describe("losses by frequency", () => {
  const everyRow = Array.from({ length: p * p }, (_, row) => row);
  const sumAt = (row: number): number => (Math.floor(row / p) + (row % p)) % p;
  const train = randomPermutation(keyFromSeed(2), p * p).slice(0, 200);
  const logitsBy = (logit: (row: number, c: number) => number): Float64Array =>
    Float64Array.from({ length: p ** 3 }, (_, i) => logit(Math.floor(i / p), i % p));
  const lossOf = (logits: Float64Array, rows: readonly number[]): number =>
    rows.reduce((sum, row) => sum + crossEntropyOf((c) => logits[row * p + c]!, p, sumAt(row)), 0) / rows.length;

  test("rotations alone: nothing is lost by restriction, all by exclusion", () => {
    const logits = logitsBy((row, c) =>
      [2, 5, 9].reduce((sum, k) => sum + 6 * Math.cos(angle(k, sumAt(row) - c)), c / 10),
    );
    const { restricted, excluded } = frequencyLosses(logits, p, [2, 5, 9], train);
    expect(restricted).toBeCloseTo(lossOf(logits, everyRow), 10);
    const rest = logitsBy((_, c) => c / 10);
    expect(excluded).toBeCloseTo(lossOf(rest, train), 10);
    expect(excluded).toBeGreaterThan(Math.log(p) - 0.01);
    // A frequency that is left out of the list is missing from one and stays in the other.
    const two = frequencyLosses(logits, p, [2, 5], train);
    expect(two.restricted).toBeGreaterThan(restricted * 2);
    expect(two.excluded).toBeLessThan(excluded - 1);
  });

  test("a table learnt by heart: restriction loses it, exclusion does not", () => {
    const known = new Set(train);
    const logits = logitsBy((row, c) => (known.has(row) && c === sumAt(row) ? 20 : 0));
    const { restricted, excluded } = frequencyLosses(logits, p, [2, 5, 9], train);
    expect(excluded).toBeLessThan(0.01);
    expect(restricted).toBeGreaterThan(1);
  });

  test("cosines of a and b alone are not in the basis", () => {
    const logits = logitsBy((row, c) => 8 * Math.cos(angle(2, Math.floor(row / p))) * Math.cos(angle(2, c)));
    const { restricted, excluded } = frequencyLosses(logits, p, [2], train);
    expect(restricted).toBeCloseTo(Math.log(p), 10);
    expect(excluded).toBeCloseTo(lossOf(logits, train), 10);
  });

  test("cross-entropy keeps large logits apart", () => {
    expect(crossEntropyOf((c) => (c === 1 ? 1e4 : -1e4), 3, 1)).toBe(0);
    expect(crossEntropyOf((c) => (c === 1 ? 1e4 : 0), 3, 0)).toBe(1e4);
    const noise = randomNormal(foldIn(keyFromSeed(4), "logits"), 3);
    const total = noise.reduce((sum, x) => sum + Math.exp(x), 0);
    expect(crossEntropyOf((c) => noise[c]!, 3, 2)).toBeCloseTo(Math.log(total) - noise[2]!, 10);
  });
});
