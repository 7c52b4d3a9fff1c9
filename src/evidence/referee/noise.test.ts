import { describe, expect, test } from "vitest";
import { foldIn, keyFromSeed, randomNormal, randomUniform } from "../../tensor/index.ts";
import {
  bandOfSpread,
  deviationOf,
  holm,
  intervalOf,
  less,
  minimumDetectable,
  promptsFor,
  pValue,
  ratio,
  Resampling,
  type Spread,
} from "./noise.ts";

/** Numbers as divergences are: none on most prompts, and a long tail on others. */
function drawn(seed: number, n: number): { a: Float64Array; b: Float64Array } {
  const key = foldIn(keyFromSeed(seed), "prompts");
  const there = randomUniform(foldIn(key, "there"), n);
  const size = randomNormal(foldIn(key, "size"), n);
  const b = Float64Array.from(size, (z, i) => (there[i]! < 0.6 ? Math.exp(0.5 * z) : 0.05));
  return { a: b.map((x, i) => x * there[i]! * 0.5), b };
}

describe("the bootstrap", () => {
  test("two evaluations with seeds of their own lie within the band 95 times in 100", () => {
    const n = 200;
    const resampling = new Resampling(keyFromSeed(1), n);
    const evaluations = Array.from({ length: 240 }, (_, seed) => {
      const { a, b } = drawn(seed, n);
      const measured = ratio(a, b);
      return { value: resampling.value(measured), band: bandOfSpread(resampling.spread(measured)) };
    });
    let inside = 0;
    let pairs = 0;
    evaluations.forEach((x, i) => {
      for (const y of evaluations.slice(i + 1)) {
        pairs++;
        if (Math.abs(x.value - y.value) <= x.band) inside++;
      }
    });
    expect(inside / pairs).toBeGreaterThan(0.93);
    expect(inside / pairs).toBeLessThan(0.97);
  });

  test("where few prompts do anything the band is wider than the bootstrap's, and holds more for it", () => {
    const n = 600;
    const resampling = new Resampling(keyFromSeed(1), n);
    const evaluations = Array.from({ length: 200 }, (_, seed) => {
      const key = foldIn(keyFromSeed(seed), "few");
      // One prompt in a hundred says anything at all.
      const a = Float64Array.from(randomUniform(foldIn(key, "there"), n), (u) => Number(u < 0.01));
      const spread = resampling.spread(ratio(a, new Float64Array(n).fill(1)));
      const mean = spread.draws.reduce((x, y) => x + y, 0) / spread.draws.length;
      const square = spread.draws.reduce((total, x) => total + (x - mean) ** 2, 0);
      const bootstrap = Math.sqrt(square / (spread.draws.length - 1));
      return { value: spread.value, band: bandOfSpread(spread), plain: 1.959964 * Math.SQRT2 * bootstrap };
    });
    const held = (band: (one: (typeof evaluations)[number]) => number): number => {
      const pairs = evaluations.flatMap((x) => evaluations.filter((y) => y !== x).map((y) => [x, y] as const));
      return pairs.filter(([x, y]) => Math.abs(x.value - y.value) <= band(x)).length / pairs.length;
    };
    const [own, plain] = [held(({ band }) => band), held(({ plain: bootstrap }) => bootstrap)];
    expect(plain).toBeLessThan(0.93);
    expect(own).toBeGreaterThan(0.93);
    expect(own).toBeLessThan(0.97);
  });

  test("draws many prompts in groups, with the same spread", () => {
    const n = 5000;
    const { a } = drawn(11, n);
    const spread = new Resampling(keyFromSeed(2), n).spread(ratio(a, new Float64Array(n).fill(1)));
    const mean = a.reduce((x, y) => x + y, 0) / n;
    const error = Math.sqrt(a.reduce((total, x) => total + (x - mean) ** 2, 0) / (n - 1) / n);
    expect(spread.value).toBeCloseTo(mean, 12);
    // 512 groups say a deviation within some hundredths.
    expect(Math.abs(deviationOf(spread) / error - 1)).toBeLessThan(0.1);
    // To first order the shares are the spread.
    const shared = Math.sqrt(spread.shares.reduce((total, x) => total + x * x, 0));
    expect(Math.abs(shared / error - 1)).toBeLessThan(0.1);
  });

  test("has the standard error of the mean, and of a paired difference less than of two apart", () => {
    const { a, b } = drawn(3, 400);
    const ones = new Float64Array(400).fill(1);
    const resampling = new Resampling(keyFromSeed(0), 400);
    const spread = resampling.spread(ratio(a, ones));
    const mean = a.reduce((x, y) => x + y, 0) / 400;
    const error = Math.sqrt(a.reduce((total, x) => total + (x - mean) ** 2, 0) / 399 / 400);
    expect(deviationOf(spread) / error).toBeCloseTo(1, 1);
    const near = a.map((x, i) => x + 0.01 * b[i]!);
    const paired = less(resampling.spread(ratio(near, ones)), spread);
    expect(deviationOf(paired)).toBeLessThan(0.2 * deviationOf(spread));
    const [low, high] = intervalOf(spread);
    expect(low).toBeLessThan(mean);
    expect(high).toBeGreaterThan(mean);
  });

  test("refuses one prompt, and prompts of another number", () => {
    expect(() => new Resampling(keyFromSeed(0), 1)).toThrow("prompts: expected at least 2, got 1");
    const resampling = new Resampling(keyFromSeed(0), 3);
    expect(() => resampling.spread(ratio(new Float64Array(2), new Float64Array(2)))).toThrow(
      "expected 3 prompts, got 2",
    );
  });
});

test("p-values are the normal distribution's", () => {
  const draws = Float64Array.from(randomNormal(keyFromSeed(5), 4000));
  const unit: Spread = { value: 0, draws, shares: draws };
  expect(pValue({ ...unit, value: 1.96 * deviationOf(unit) })).toBeCloseTo(0.05, 3);
  expect(pValue(unit)).toBeCloseTo(1, 6);
  const nothing: Spread = { value: 0, draws: new Float64Array(5), shares: new Float64Array(5) };
  expect(pValue(nothing)).toBe(1);
  expect(pValue({ ...nothing, value: 1e-9 })).toBe(0);
  expect(minimumDetectable(unit) / deviationOf(unit)).toBeCloseTo(2.8, 2);
});

test("Holm's correction, by hand", () => {
  // Sorted 0.005, 0.01, 0.03, 0.04: times 4, 3, 2, 1, never falling.
  expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
  expect(holm([0.9, 0.8])).toEqual([1, 1]);
});

test("four times the prompts for half the width", () => {
  expect(promptsFor([0.4, 0.6], 100, 0.05)).toBe(400);
  expect(promptsFor([0.5, 0.5], 100, 0.05)).toBe(0);
});
