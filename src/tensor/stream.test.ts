/**
 * The bulk stream is held to what masks need of it: even, unlinked from draw to draw, and unlinked between the streams of
 * related keys. Seeds are fixed, so each test passes or fails for good; thresholds are quantiles of the statistic.
 */
import { describe, expect, test } from "vitest";
import { golden } from "../../test/golden/load.ts";
import { foldIn, type Key, keyFromSeed } from "./random.ts";
import { fillUniform } from "./stream.ts";

const expected = await golden<{ fillUniform: readonly { key: Key; start: number; draws: readonly number[] }[] }>(
  "random.json",
);
const COUNT = 1 << 20;
const root = keyFromSeed(7);
/** Keys as a run makes them, a step and then a name, beside the plainest keys that a caller could make. */
const KEYS: readonly (readonly [string, Key])[] = [
  ["a run's first step", foldIn(foldIn(root, 0), "stochastic/linear1")],
  ["a run's second step", foldIn(foldIn(root, 1), "stochastic/linear1")],
  ["another site", foldIn(foldIn(root, 0), "stochastic/linear2")],
  ["the zero key", [0, 0]],
  ["a small key", [0, 1]],
  ["all ones", [0xffffffff, 0xffffffff]],
];
const draws = (key: Key, count = COUNT, start = 0): Float32Array => fillUniform(key, new Float32Array(count), start);

test.each(expected.fillUniform)(
  "the stream of $key from $start agrees with a second writing of it",
  ({ key, start, draws: want }) => {
    expect(Array.from(draws(key, want.length, start))).toEqual(want);
  },
);

test("any part of a stream can be made alone", () => {
  const whole = draws(root, 1000);
  expect(draws(root, 300, 500)).toEqual(whole.subarray(500, 800));
});

describe.each(KEYS)("the stream of %s", (_, key) => {
  const x = draws(key);

  test("lies in [0, 1)", () => {
    let [low, high] = [1, 0];
    for (const value of x) [low, high] = [Math.min(low, value), Math.max(high, value)];
    expect(low).toBeGreaterThanOrEqual(0);
    expect(high).toBeLessThan(1);
  });

  test("fills 256 bins evenly", () => {
    const bins = new Float64Array(256);
    for (const value of x) bins[Math.floor(value * 256)]!++;
    // 255 degrees of freedom: 99.9 % of true streams lie between 190.8 and 330.5.
    expectBetween(chiSquare(bins, COUNT / 256), 185, 335);
  });

  test("fills 64 × 64 bins of neighbours evenly", () => {
    const bins = new Float64Array(4096);
    for (let i = 0; i + 1 < COUNT; i += 2) bins[Math.floor(x[i]! * 64) * 64 + Math.floor(x[i + 1]! * 64)]!++;
    // 4095 degrees of freedom: mean 4095, deviation 90.5; four of these.
    expectBetween(chiSquare(bins, COUNT / 2 / 4096), 4095 - 362, 4095 + 362);
  });

  test.each([1, 2, 3, 4, 5, 16, 20, 200, 256, 4096])("does not resemble itself %i draws on", (lag) => {
    expect(Math.abs(correlation(x.subarray(lag), x.subarray(0, COUNT - lag)))).toBeLessThan(4 / Math.sqrt(COUNT - lag));
  });

  test("has each of its 24 bits set half the time, and unlinked from the same bit of the next draw", () => {
    for (let bit = 0; bit < 24; bit++) {
      const scale = 2 ** (24 - bit);
      const isSet = (value: number): number => Math.floor(value * scale) & 1;
      let [ones, changes] = [0, 0];
      for (let i = 0; i < COUNT; i++) ones += isSet(x[i]!);
      for (let i = 1; i < COUNT; i++) changes += isSet(x[i]!) ^ isSet(x[i - 1]!);
      // Binomial with a deviation of √COUNT / 2; four and a half of these, because there are 288 such numbers.
      expect(Math.abs(ones - COUNT / 2), `bit ${bit}`).toBeLessThan(2.25 * Math.sqrt(COUNT));
      expect(Math.abs(changes - COUNT / 2), `bit ${bit} against the next`).toBeLessThan(2.25 * Math.sqrt(COUNT));
    }
  });
});

describe("streams of related keys are unlinked", () => {
  const count = 1 << 16;
  const steps = Array.from({ length: 64 }, (_, step) => foldIn(foldIn(root, step), "layerwise/linear1"));
  const plain = Array.from({ length: 64 }, (_, i): Key => [0, i]);
  const high = Array.from({ length: 64 }, (_, i): Key => [i, 0]);
  const names = Array.from({ length: 64 }, (_, i) => foldIn(root, `site${i}`));

  test.each([
    ["keys of successive steps", steps],
    ["keys of similar names", names],
    ["keys that count in the low word", plain],
    ["keys that count in the high word", high],
  ])("%s", (_, keys) => {
    const streams = keys.map((key) => draws(key, count));
    let [worst, pairs] = [0, 0];
    for (let i = 0; i < streams.length; i++) {
      for (let j = 0; j < i; j++) {
        worst = Math.max(worst, Math.abs(correlation(streams[i]!, streams[j]!)));
        pairs++;
      }
    }
    // Of so many normal deviates the largest stays under √(2 ln(2 · pairs)) + 1 deviations in all but one of a hundred sets.
    expect(worst * Math.sqrt(count)).toBeLessThan(Math.sqrt(2 * Math.log(2 * pairs)) + 1);
  });

  test("the same draw across 65,536 successive keys is even", () => {
    for (const at of [0, 1, 4095]) {
      const bins = new Float64Array(256);
      for (let step = 0; step < count; step++) bins[Math.floor(draws(foldIn(root, step), 1, at)[0]! * 256)]!++;
      expectBetween(chiSquare(bins, count / 256), 185, 335);
    }
  });

  test("no stream is a shifted copy of another", () => {
    const [a, b] = [draws(steps[0]!, count), draws(steps[1]!, count)];
    const places = new Map<number, number>();
    a.forEach((value, i) => places.set(value, i));
    const shifts = new Map<number, number>();
    b.forEach((value, i) => {
      const place = places.get(value);
      if (place !== undefined) shifts.set(place - i, (shifts.get(place - i) ?? 0) + 1);
    });
    // 2¹⁶ draws of 2²⁴ values meet about 256 times by chance, each at a shift of its own.
    expect(Math.max(...shifts.values())).toBeLessThan(6);
  });
});

function chiSquare(bins: Float64Array, each: number): number {
  return bins.reduce((total, n) => total + (n - each) ** 2 / each, 0);
}

/** Pearson's correlation of uniform draws, with their known mean ½ and variance 1/12. */
function correlation(a: Float32Array, b: Float32Array): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += (a[i]! - 0.5) * (b[i]! - 0.5);
  return (12 * total) / a.length;
}

function expectBetween(value: number, low: number, high: number): void {
  expect(value).toBeGreaterThan(low);
  expect(value).toBeLessThan(high);
}
