import { describe, expect, test } from "vitest";
import {
  cheapestResolution,
  costsOf,
  crossings,
  idsAt,
  labelsAt,
  type MergeHistory,
  plateau,
} from "./merge-history.ts";

/** Ten positions: components 0 and 1 fire at the same two, 2 and 3 at the same three others, 4 always. */
const history: MergeHistory = {
  positions: 10,
  alpha: 1,
  counts: [2, 2, 3, 3, 10],
  merges: [
    { a: 2, b: 3, together: 3 },
    { a: 0, b: 1, together: 2 },
    { a: 5, b: 6, together: 0 },
    { a: 4, b: 7, together: 5 },
  ],
};

describe("a merge history", () => {
  test("costs what is worked out by hand", () => {
    const { cost, change } = costsOf(history);
    // Rates and ranks: .2 1, .2 1, .3 1, .3 1, 1 1; then .3 2; then .2 2; then .5 4; then 1 5.
    const [five, three] = [Math.log2(5), Math.log2(3)];
    const expected = [2 * five + 2, 1.7 * 2 + 2, 1.5 * three + 2, 1.5 + 3, 5];
    cost.forEach((bits, m) => expect(bits).toBeCloseTo(expected[m]!, 12));
    change.forEach((bits, m) => expect(bits).toBeCloseTo(expected[m + 1]! - expected[m]!, 12));
    expect(cheapestResolution({ cost, change }, 5)).toBe(3);
    expect(crossings({ cost, change }, 5)).toEqual([3]);
  });

  test("opens at any resolution", () => {
    expect([5, 4, 3, 2, 1].map((k) => [...labelsAt(history, k)])).toEqual([
      [0, 1, 2, 3, 4],
      [0, 1, 2, 2, 3],
      [0, 0, 1, 1, 2],
      [0, 0, 0, 0, 1],
      [0, 0, 0, 0, 0],
    ]);
    expect([...idsAt(history, 2)]).toEqual([7, 7, 7, 7, 4]);
  });

  test("may gain again after a merge that costs: every crossing is told, the cheapest is chosen", () => {
    const costs = { cost: [5, 4, 4.5, 3, 3.5], change: [-1, 0.5, -1.5, 0.5] };
    expect(crossings(costs, 5)).toEqual([4, 2]);
    expect(cheapestResolution(costs, 5)).toBe(2);
  });

  test("says how sharp the choice is", () => {
    const costs = { cost: [5, 4, 4.03, 4.2, 4.01], change: [] };
    expect(plateau(costs, 5, 4, 0.01)).toEqual([3, 4]);
    expect(plateau(costs, 5, 4, 0.05)).toEqual([1, 4]);
    expect(plateau(costs, 5, 4, 0)).toEqual([4, 4]);
  });

  test("finds the end of a long chain of merges", () => {
    const C = 3000;
    const merges = Array.from({ length: C - 1 }, (_, m) => ({
      a: m === 0 ? 0 : m + 1,
      b: m === 0 ? 1 : C + m - 1,
      together: 0,
    }));
    const chain = { positions: 1, alpha: 1, counts: Array.from({ length: C }, () => 1), merges };
    expect(new Set(idsAt(chain, 1))).toEqual(new Set([2 * C - 2]));
    expect(idsAt(chain, 2)[C - 1]).toBe(C - 1);
  });
});
