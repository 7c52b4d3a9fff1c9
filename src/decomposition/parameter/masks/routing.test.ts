/** Which sites run on components: how the draws are distributed, with fixed keys. */
import { describe, expect, test } from "vitest";
import { compile, interpret, type Values } from "../../../engine/index.ts";
import type { Site } from "../../../network/network.ts";
import { keyFromSeed, type Tensor } from "../../../tensor/index.ts";
import { type Routing, routes } from "./routing.ts";

const ROWS = 20_000;
const key = keyFromSeed(17);
const sites = (count: number): Site[] => Array.from({ length: count }, (_, i) => ({ name: `s${i}`, dIn: 1, dOut: 1 }));

/** For each row, which sites run on components, as a number in binary. */
function subsets(routing: Routing, count: number): number[] {
  const found = interpret(routes(routing, "stochastic", sites(count), ROWS) as Record<string, Tensor>, {}, key);
  return Array.from({ length: ROWS }, (_, row) =>
    sites(count).reduce((bits, { name }, i) => bits + 2 ** i * found[name]!.data[row]!, 0),
  );
}

function histogram(of: readonly number[], size: number): number[] {
  const counts = Array.from({ length: size }, () => 0);
  for (const x of of) counts[x]!++;
  return counts;
}

const bitsOf = (subset: number): number => [...subset.toString(2)].filter((bit) => bit === "1").length;
const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);

/** Pearson's statistic has the mean `cells - 1` and the variance `2 (cells - 1)`: four deviations are allowed. */
function expectDistribution(counts: readonly number[], likely: readonly number[]): void {
  const cells = likely.filter((p) => p > 0).length;
  const statistic = counts.reduce((total, n, i) => {
    if (likely[i] === 0) expect(n).toBe(0);
    return likely[i] === 0 ? total : total + (n - ROWS * likely[i]!) ** 2 / (ROWS * likely[i]!);
  }, 0);
  expect(statistic).toBeLessThanOrEqual(cells - 1 + 4 * Math.sqrt(2 * (cells - 1)));
}

describe("a uniform subset", () => {
  test.each([1, 2, 3, 4])("of %i sites: each size equally often, and each subset of a size", (count) => {
    const found = subsets({ kind: "uniform-subset" }, count);
    const likely = Array.from({ length: 2 ** count }, (_, subset) => {
      const k = bitsOf(subset);
      return k === 0 ? 0 : 1 / count / choose(count, k);
    });
    expectDistribution(histogram(found, 2 ** count), likely);
  });

  test("is another one in each row and each forward pass, and has nothing to do with what masks are drawn from", () => {
    const count = 3;
    const first = subsets({ kind: "uniform-subset" }, count);
    const other = interpret(routes({ kind: "uniform-subset" }, "adversarial", sites(count), ROWS), {}, key);
    const same = first.filter((subset, row) =>
      sites(count).every(({ name }, i) => ((subset >> i) & 1) === other[name]!.data[row]),
    );
    // Two independent subsets agree with the probability Σ p².
    const expected = [1, 2, 3].reduce((total, k) => total + choose(3, k) * (1 / 3 / choose(3, k)) ** 2, 0);
    expect(Math.abs(same.length / ROWS - expected)).toBeLessThan(4 * Math.sqrt((expected * (1 - expected)) / ROWS));
    const names = new Set<string>();
    const walk = (x: Tensor): void => {
      if (x.op === "input") names.add((x.attributes as { name: string }).name);
      x.inputs.forEach(walk);
    };
    Object.values(routes({ kind: "uniform-subset" }, "stochastic", sites(2), 4)).forEach(walk);
    expect([...names].sort()).toEqual(["stochastic/route", "stochastic/route/count"]);
  });

  test("is the same on a device", async () => {
    const program = routes({ kind: "uniform-subset" }, "stochastic", sites(5), 512);
    const [want, executable] = [interpret(program, {}, key), await compile(program)];
    const got: Readonly<Record<string, Values>> = await executable.run({}, key);
    for (const { name } of sites(5)) expect(Array.from(got[name]!.data)).toEqual(Array.from(want[name]!.data));
    await executable.dispose();
  });
});

test("a fixed probability: each site on its own", () => {
  const found = subsets({ kind: "fixed-probability", probability: 0.3 }, 3);
  const likely = Array.from({ length: 8 }, (_, subset) => 0.3 ** bitsOf(subset) * 0.7 ** (3 - bitsOf(subset)));
  expectDistribution(histogram(found, 8), likely);
});

test("all sites: nothing is drawn", () => expect(routes({ kind: "all" }, "stochastic", sites(3), 8)).toEqual({}));
