import { describe, expect, test } from "vitest";
import { interpret } from "../engine/index.ts";
import { foldIn, keyFromSeed } from "../tensor/index.ts";
import { SPARSE_FEATURE_MODES, type SparseFeatureOptions, sparseFeatures } from "./sparse-feature.ts";

const FEATURES = 8;
const BATCH = 20_000;

function draw(options: Partial<SparseFeatureOptions>, seed = 0): { rows: number[][]; active: number[] } {
  const x = sparseFeatures("x", { features: FEATURES, batch: BATCH, probability: 0.1, ...options });
  const { data } = interpret({ x }, {}, foldIn(keyFromSeed(7), seed)).x;
  const rows = Array.from({ length: BATCH }, (_, i) => Array.from(data.slice(i * FEATURES, (i + 1) * FEATURES)));
  return { rows, active: rows.map((row) => row.filter((value) => value !== 0).length) };
}

const share = (list: readonly number[], k: number): number => list.filter((n) => n === k).length / list.length;
const binomial = (k: number, p: number): number => {
  let choose = 1;
  for (let i = 0; i < k; i++) choose *= (FEATURES - i) / (i + 1);
  return choose * p ** k * (1 - p) ** (FEATURES - k);
};
/** Four standard deviations of a share over the batch. */
const noise = (p: number): number => 4 * Math.sqrt((p * (1 - p)) / BATCH);

describe("at-least-zero-active", () => {
  test("features are active independently", () => {
    const { active } = draw({});
    for (const k of [0, 1, 2, 3])
      expect(Math.abs(share(active, k) - binomial(k, 0.1))).toBeLessThan(noise(binomial(k, 0.1)));
  });

  test("values are uniform between their bounds", () => {
    const { rows } = draw({ low: -1, high: 3 });
    const values = rows.flat().filter((value) => value !== 0);
    expect(Math.min(...values)).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values)).toBeLessThan(3);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    expect(Math.abs(mean - 1)).toBeLessThan(4 * Math.sqrt(16 / 12 / values.length));
  });

  test("empty examples drawn again leave the others' proportions alone", () => {
    const keepEmpty = 0.1;
    const { active } = draw({ keepEmpty });
    const none = binomial(0, 0.1);
    const kept = 1 - none * (1 - keepEmpty);
    for (const k of [0, 1, 2, 3]) {
      const expected = (k === 0 ? none * keepEmpty : binomial(k, 0.1)) / kept;
      expect(Math.abs(share(active, k) - expected)).toBeLessThan(noise(expected));
    }
  });

  test("which features are active is uniform, drawn again or not", () => {
    const { rows } = draw({ keepEmpty: 0 });
    const counts = Array.from({ length: FEATURES }, (_, f) => rows.filter((row) => row[f] !== 0).length / BATCH);
    const mean = counts.reduce((a, b) => a + b, 0) / FEATURES;
    for (const count of counts) expect(Math.abs(count - mean)).toBeLessThan(noise(mean));
  });
});

describe("exactly so many", () => {
  test.each(SPARSE_FEATURE_MODES.slice(1).map((mode, i) => [mode, i + 1] as const))("%s", (mode, count) => {
    const { rows, active } = draw({ mode });
    // A value of exactly 0 is one draw in 2²⁴.
    expect(share(active, count)).toBeGreaterThan(0.999);
    const first = rows.filter((row) => row[0] !== 0).length / BATCH;
    expect(Math.abs(first - count / FEATURES)).toBeLessThan(noise(count / FEATURES));
  });

  test("more than there are is refused", () => {
    expect(() =>
      sparseFeatures("x", { features: 2, batch: 4, probability: 0.1, mode: "exactly-three-active" }),
    ).toThrow(/at least 3 features .* got 2/);
  });
});

test("synced features are active together", () => {
  const { rows } = draw({
    synced: [
      [0, 1],
      [4, 5, 6],
    ],
  });
  for (const row of rows) {
    expect(row[0] !== 0).toBe(row[1] !== 0);
    expect(row[4] !== 0).toBe(row[6] !== 0);
  }
  expect(rows.some((row) => row[0] !== 0 && row[0] !== row[1])).toBe(true);
});

test("the same key draws the same examples, another key others", () => {
  expect(draw({}, 1).rows.slice(0, 50)).toEqual(draw({}, 1).rows.slice(0, 50));
  expect(draw({}, 1).rows.slice(0, 50)).not.toEqual(draw({}, 2).rows.slice(0, 50));
});
