import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { descriptionLength, mergeChange } from "./cost.ts";

describe("the cost of clusters", () => {
  test.each([
    ["always together", 0.1, 0.1, 0.1, -0.468996],
    ["never together", 0.1, 0.1, 0, 0.047997],
    ["one within the other", 0.2, 0.1, 0.1, -0.368996],
  ])("of merging two of ten that fire %s", (_, a, b, together, change) => {
    const clusters = [
      { rate: a, rank: 1 },
      { rate: b, rank: 1 },
    ] as const;
    expect(mergeChange(...clusters, together, { k: 10, total: 1, alpha: 1 })).toBeCloseTo(change, 6);
  });

  test("is what the index and the ranks take: log2 4 = 2 bits and 3 pieces of half a bit, a tenth of the time", () => {
    const idle = { rate: 0, rank: 1 };
    expect(descriptionLength([{ rate: 0.1, rank: 3 }, idle, idle, idle], 0.5)).toBeCloseTo(0.1 * (2 + 1.5), 12);
  });

  test("ΔL is the difference of L", () => {
    const cluster = fc.record({
      rate: fc.double({ min: 0, max: 1, noNaN: true }),
      rank: fc.integer({ min: 1, max: 9 }),
    });
    const unit = fc.double({ min: 0, max: 1, noNaN: true });
    fc.assert(
      fc.property(fc.array(cluster, { minLength: 2, maxLength: 12 }), unit, unit, (clusters, overlap, alpha) => {
        const [a, b, ...rest] = clusters as [(typeof clusters)[0], (typeof clusters)[0], ...typeof clusters];
        // Two rates leave room for this much: never more than the rarer, never less than what does not fit beside.
        const least = Math.max(0, a.rate + b.rate - 1);
        const together = least + overlap * (Math.min(a.rate, b.rate) - least);
        const merged = { rate: a.rate + b.rate - together, rank: a.rank + b.rank };
        const total = clusters.reduce((sum, { rate }) => sum + rate, 0);
        const change = mergeChange(a, b, together, { k: clusters.length, total, alpha });
        const difference = descriptionLength([merged, ...rest], alpha) - descriptionLength(clusters, alpha);
        expect(change).toBeCloseTo(difference, 9);
      }),
    );
  });
});
