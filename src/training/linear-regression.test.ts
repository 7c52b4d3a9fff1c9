import { describe, expect, test } from "vitest";
import { keyFromSeed, foldIn, randomNormal } from "../tensor/index.ts";
import { applyLinear, fitLinear, rSquared } from "./linear-regression.ts";

const rows = (columns: number, data: readonly number[]) => ({ columns, data: Float64Array.from(data) });
const noise = (name: string, count: number): number[] => Array.from(randomNormal(foldIn(keyFromSeed(0), name), count));

describe("least squares", () => {
  test("a line through four points, by hand", () => {
    // Means 1.5 and 4; covariances Σ(x - 1.5)(y - 4) = 11 and Σ(x - 1.5)² = 5: slope 2.2, y = 0.7 + 2.2 x.
    const map = fitLinear(rows(1, [0, 1, 2, 3]), rows(1, [1, 3, 4, 8]));
    expect(map.W[0]).toBeCloseTo(2.2, 12);
    expect(Array.from(applyLinear(map, rows(1, [0, 10])))).toEqual([expect.closeTo(0.7, 12), expect.closeTo(22.7, 12)]);
    // Residuals 0.3, 0.1, -1.1, 0.7: squares sum to 1.8, those about the mean to 26.
    expect(rSquared(map, rows(1, [0, 1, 2, 3]), rows(1, [1, 3, 4, 8]))).toBeCloseTo(1 - 1.8 / 26, 12);
  });

  test("an affine map of three inputs to two outputs is found exactly", () => {
    const x = noise("x", 150);
    const y = Array.from({ length: 50 }, (_, n) => {
      const [a, b, c] = x.slice(3 * n, 3 * n + 3) as [number, number, number];
      return [1 + 2 * a - b, -3 + 0.5 * c];
    }).flat();
    const map = fitLinear(rows(3, x), rows(2, y));
    expect(Array.from(map.W)).toEqual([2, 0, -1, 0, 0, 0.5].map((w) => expect.closeTo(w, 10)));
    expect(rSquared(map, rows(3, x), rows(2, y))).toBeCloseTo(1, 12);
  });

  test("inputs that repeat one another share the weight, constant ones get none", () => {
    const x = noise("x", 40);
    const map = fitLinear(
      rows(
        3,
        x.flatMap((a) => [a, a, 7]),
      ),
      rows(
        1,
        x.map((a) => 4 * a + 1),
      ),
    );
    expect(Array.from(map.W)).toEqual([2, 2, 0].map((w) => expect.closeTo(w, 10)));
  });

  test("nothing to be learnt explains nothing of other rows", () => {
    const sample = (name: string) => [rows(4, noise(`${name} x`, 8000)), rows(2, noise(`${name} y`, 4000))] as const;
    const r2 = rSquared(fitLinear(...sample("fit")), ...sample("held out"));
    expect(Math.abs(r2)).toBeLessThan(0.01);
  });

  test("the mean explains nothing, and worse than the mean is below 0", () => {
    const [x, y] = [rows(1, [0, 1]), rows(1, [0, 2])];
    const at = (W: number, intercept: number) => ({
      mean: Float64Array.of(0),
      W: Float64Array.of(W),
      intercept: Float64Array.of(intercept),
    });
    expect(rSquared(at(0, 1), x, y)).toBe(0);
    expect(rSquared(at(-2, 2), x, y)).toBe(-3);
  });
});

test("rows that do not match are refused", () => {
  expect(() => fitLinear(rows(2, [1, 2, 3, 4]), rows(1, [1, 2, 3]))).toThrow(/as many rows of x as of y, got 2 and 3/);
});
