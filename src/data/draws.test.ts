import { describe, expect, test } from "vitest";
import { compile } from "../engine/index.ts";
import { constant, keyFromSeed } from "../tensor/index.ts";
import { drawRows, normals, sampled, signs, wholeNumbers } from "./draws.ts";

const N = 20_000;
const key = keyFromSeed(11);
const mean = (list: ArrayLike<number>): number => Array.from(list).reduce((a, b) => a + b, 0) / list.length;

describe("whole numbers", () => {
  test.each([1, 2, 3, 24, 1000])("below %i: all of them, equally often", (below) => {
    const { data } = sampled({ x: wholeNumbers("x", "batch", { batch: N }, below) }, key).x;
    expect(Math.min(...data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...data)).toBeLessThan(below);
    const expected = N / below;
    const counts = Array.from({ length: below }, () => 0);
    for (const x of data) counts[x]!++;
    // Pearson's statistic has mean below - 1 and variance 2 (below - 1).
    const statistic = counts.reduce((total, n) => total + (n - expected) ** 2 / expected, 0);
    expect(statistic).toBeLessThanOrEqual(below - 1 + 4 * Math.sqrt(2 * (below - 1)));
  });

  test.each([0, 2.5, -3, 2 ** 20 + 1])("below %d is refused", (below) => {
    expect(() => wholeNumbers("x", "batch", { batch: 4 }, below)).toThrow(`from 1 to 1048576, got ${below}`);
  });

  test("a device draws the same", async () => {
    const program = { x: wholeNumbers("x", "batch", { batch: N }, 24), s: signs("s", "batch", { batch: N }) };
    const executable = await compile(program);
    const [got, want] = [await executable.run({}, key), sampled(program, key)];
    expect(Array.from(got.x.data)).toEqual(Array.from(want.x.data));
    expect(Array.from(got.s.data)).toEqual(Array.from(want.s.data));
    await executable.dispose();
  });
});

test("signs", () => {
  const { data } = sampled({ s: signs("s", "batch", { batch: N }) }, key).s;
  expect([...new Set(data)].sort()).toEqual([-1, 1]);
  expect(Math.abs(mean(data))).toBeLessThan(4 / Math.sqrt(N));
});

test("normal draws have a normal distribution's first four moments", () => {
  const { data } = sampled({ x: normals("x", "batch", { batch: N }) }, key).x;
  const moment = (k: number): number => mean(Array.from(data, (x) => x ** k));
  // Four standard deviations: the variances of x, x², x³, x⁴ are 1, 2, 15, 96.
  for (const [k, value, variance] of [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ] as const)
    expect(Math.abs(moment(k) - value)).toBeLessThan(4 * Math.sqrt(variance / N));
});

test("rows are drawn whole, and all of them", () => {
  const table = constant(
    "row pos",
    { row: 5, pos: 3 },
    Array.from({ length: 15 }, (_, i) => i),
    "i32",
  );
  const { shape, data } = sampled({ x: drawRows("x", table, 200) }, key).x;
  expect(shape).toEqual([200, 3]);
  const first = new Set<number>();
  for (let i = 0; i < 200; i++) {
    first.add(data[3 * i]!);
    expect(Array.from(data.slice(3 * i, 3 * i + 3))).toEqual([0, 1, 2].map((k) => data[3 * i]! + k));
  }
  expect([...first].sort((a, b) => a - b)).toEqual([0, 3, 6, 9, 12]);
});
