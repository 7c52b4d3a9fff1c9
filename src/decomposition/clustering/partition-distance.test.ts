import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyFromSeed, randomPermutation } from "../../tensor/index.ts";
import { adjustedRand, hammingDistance, type Labels, matchingDistance, MOST_MATCHED } from "./partition-distance.ts";

const labels = (...numbers: number[]): Labels => Int32Array.from(numbers);

describe("distances between clusterings", () => {
  test("by hand: six components, one of which changes sides", () => {
    const [a, b] = [labels(0, 0, 0, 1, 1, 1), labels(1, 1, 0, 0, 0, 0)];
    expect(hammingDistance(a, b)).toBeCloseTo(1 / 6, 12);
    // Together in a: 6 pairs, in b: 7, in both: 1 + 3. They disagree on 2 + 3 of 15.
    expect(matchingDistance(a, b)).toBeCloseTo(5 / 15, 12);
    expect(adjustedRand(a, b)).toBeCloseTo((4 - 42 / 15) / (6.5 - 42 / 15), 12);
  });

  test("do not depend on how clusters are numbered, nor on which comes first", () => {
    const some = fc.integer({ min: 2, max: 30 }).chain((size) => {
      const list = fc.array(fc.nat(5), { minLength: size, maxLength: size });
      return fc.tuple(list, list, fc.nat(1000));
    });
    fc.assert(
      fc.property(some, ([x, y, seed]) => {
        const [a, b] = [labels(...x), labels(...y)];
        const order = randomPermutation(keyFromSeed(seed), 6);
        const renamed = a.map((label) => order[label]!);
        for (const distance of [hammingDistance, matchingDistance, adjustedRand]) {
          expect(distance(renamed, b)).toBeCloseTo(distance(a, b)!, 12);
          expect(distance(b, a)).toBeCloseTo(distance(a, b)!, 12);
        }
        expect([hammingDistance(renamed, a), matchingDistance(renamed, a)]).toEqual([0, 0]);
        expect(adjustedRand(renamed, a)).toBe(1);
      }),
    );
  });

  test("Hamming matches clusters as well as any way of matching them", () => {
    const list = fc.array(fc.nat(3), { minLength: 12, maxLength: 12 });
    const orders = (left: readonly number[]): number[][] =>
      left.length === 0 ? [[]] : left.flatMap((x) => orders(left.filter((y) => y !== x)).map((rest) => [x, ...rest]));
    fc.assert(
      fc.property(list, list, (a, b) => {
        const moved = orders([0, 1, 2, 3]).map((order) => a.filter((label, c) => order[label] !== b[c]).length / 12);
        expect(hammingDistance(labels(...a), labels(...b))).toBeCloseTo(Math.min(...moved), 12);
      }),
    );
  });

  test("by chance the adjusted index is 0 on average", () => {
    const a = Int32Array.from({ length: 60 }, (_, c) => c % 6);
    const found = Array.from({ length: 400 }, (_, i) => {
      const order = randomPermutation(keyFromSeed(i), 60);
      return adjustedRand(
        a.map((__, c) => a[order[c]!]!),
        a,
      );
    });
    expect(Math.abs(found.reduce((x, y) => x + y, 0) / found.length)).toBeLessThan(0.005);
  });

  test("are not matched where there are too many clusters", () => {
    const many = Int32Array.from({ length: MOST_MATCHED + 1 }, (_, c) => c);
    expect(hammingDistance(many, many)).toBeNull();
    expect(matchingDistance(many, many)).toBe(0);
  });
});
