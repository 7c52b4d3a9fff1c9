import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { association, divergenceShare } from "./statistics.ts";

describe("association", () => {
  test("of counts by hand", () => {
    // a at 4 of 10, b at 5, both at 2.
    const found = association({ a: 4, b: 5, both: 2, n: 10 });
    expect(found.pBGivenA).toBe(0.5);
    expect(found.pAGivenB).toBe(0.4);
    expect(found.jaccard).toBeCloseTo(2 / 7, 15);
    expect(found.lift).toBe(1);
    expect(found.pmi).toBe(0);
  });

  test("is symmetric where it should be, and turns round where it should", () => {
    const counts = fc
      .tuple(fc.nat(50), fc.nat(50), fc.nat(50), fc.nat(50))
      .filter(([x, y, z]) => x + y > 0 && x + z > 0)
      .map(([both, onlyA, onlyB, neither]) => ({
        a: both + onlyA,
        b: both + onlyB,
        both,
        n: both + onlyA + onlyB + neither,
      }));
    fc.assert(
      fc.property(counts, ({ a, b, both, n }) => {
        const [there, back] = [association({ a, b, both, n }), association({ a: b, b: a, both, n })];
        expect([back.pBGivenA, back.pAGivenB]).toEqual([there.pAGivenB, there.pBGivenA]);
        expect(back.jaccard).toBe(there.jaccard);
        expect(back.lift).toBeCloseTo(there.lift, 10);
        // Bayes.
        expect(there.pBGivenA * (a / n)).toBeCloseTo(there.pAGivenB * (b / n), 12);
      }),
    );
  });
});

test("shares of divergence add up to the divergence", () => {
  // Two distributions over three tokens, 10 positions of which a holds at 4.
  const b = [5, 3, 2];
  const both = [1, 1, 2];
  const shares = b.map((total, i) => divergenceShare({ a: 4, b: total, both: both[i]!, n: 10 }));
  const p = both.map((count) => count / 4);
  const divergence = p.reduce((sum, q, i) => sum + q * Math.log(q / (b[i]! / 10)), 0);
  expect(shares.reduce((x, y) => x + y)).toBeCloseTo(divergence, 12);
  expect(divergenceShare({ a: 4, b: 5, both: 0, n: 10 })).toBe(0);
});
