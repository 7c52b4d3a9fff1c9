import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyFromSeed, randomPermutation } from "../tensor/index.ts";
import { Best } from "./best.ts";
import { type Example, Examples, lot, quantilesOf } from "./examples.ts";

const example = (position: number, importance: number): Example => ({
  position,
  importance,
  activation: undefined,
  ids: Int32Array.of(position),
  values: undefined,
  focus: 0,
  importances: Float32Array.of(importance),
});

describe("best", () => {
  test("keeps what sorting keeps, in whatever order", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 10 }),
        (scores, most) => {
          const best = new Best<number>(most);
          scores.forEach((score, i) => {
            if (best.wants(score, -i)) best.put(score, -i, i);
          });
          const sorted = scores.map((score, i) => ({ score, tie: -i, item: i }));
          sorted.sort((a, b) => b.score - a.score || b.tie - a.tie);
          expect(best.kept()).toEqual(sorted.slice(0, most));
        },
      ),
    );
  });
});

describe("the sample of firings", () => {
  const FIRINGS = 200;
  const MOST = 10;
  const sampled = (seed: number, order = Array.from({ length: FIRINGS }, (_, i) => i)): number[] => {
    const examples = new Examples(1, MOST, keyFromSeed(seed));
    for (const position of order) examples.offer(0, position, 1, () => example(position, 1));
    return examples
      .sampleOf(0)
      .items.map(({ position }) => position)
      .sort((a, b) => a - b);
  };

  test("is uniform: each firing is in it equally often", () => {
    // Pearson's statistic over 200 firings. Drawing without replacement makes it chi square with 199 degrees of freedom, scaled.
    const SEEDS = 2000;
    const seen = new Float64Array(FIRINGS);
    for (let seed = 0; seed < SEEDS; seed++) for (const position of sampled(seed)) seen[position]!++;
    const expected = (SEEDS * MOST) / FIRINGS;
    const scale = ((1 - MOST / FIRINGS) * FIRINGS) / (FIRINGS - 1);
    const chiSquare = seen.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0) / scale;
    // Five standard deviations either side.
    expect(Math.abs(chiSquare - 199)).toBeLessThan(5 * Math.sqrt(2 * 199));
  });

  test("does not depend on the order in which firings come", () => {
    for (let seed = 0; seed < 20; seed++) {
      expect(sampled(seed, randomPermutation(keyFromSeed(seed), FIRINGS))).toEqual(sampled(seed));
    }
  });

  test("two components have different ones", () => {
    const examples = new Examples(2, MOST, keyFromSeed(0));
    for (const c of [0, 1]) for (let i = 0; i < FIRINGS; i++) examples.offer(c, i, 1, () => example(i, 1));
    const of = (c: number): number[] => examples.sampleOf(c).items.map(({ position }) => position);
    expect(of(0)).not.toEqual(of(1));
  });

  test("lots are in [0, 1) and far positions have lots of their own", () => {
    const lots = [0, 1, 2 ** 32, 2 ** 32 + 1, 2 ** 50].map((position) => lot(keyFromSeed(3), position));
    expect(new Set(lots).size).toBe(5);
    for (const one of lots) expect(one >= 0 && one < 1).toBe(true);
  });
});

test("the top has the highest importances, and the same stimulus once", () => {
  const examples = new Examples(1, 3, keyFromSeed(0));
  const importances = [0.2, 0.9, 0.5, 0.9, 0.7];
  importances.forEach((importance, i) =>
    // The second and the fourth are the same text at two places of the data.
    examples.offer(0, i, importance, () => ({ ...example(i, importance), ids: Int32Array.of(i === 3 ? 1 : i) })),
  );
  expect(
    examples
      .topOf(0)
      .kept()
      .map(({ item }) => item.importance),
  ).toEqual([0.9, 0.7, 0.5].map((x) => expect.closeTo(x)));
});

test("quantiles are ranks among the sample", () => {
  expect(quantilesOf([example(0, 0.5), example(1, 0.1), example(2, 0.9), example(3, 0.5)])).toEqual([
    0.375, 0.125, 0.875, 0.625,
  ]);
  expect(quantilesOf([])).toEqual([]);
});
