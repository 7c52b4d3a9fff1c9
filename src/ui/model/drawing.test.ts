import { describe, expect, test } from "vitest";
import { changeBetween, describeChange } from "./change.ts";
import { componentMatrix, featureVectors, gram, largest, longest, norm, reordered, signedLengths } from "./drawing.ts";
import type { Analysis, SiteParts } from "./laboratory.ts";

/** Two features into three hidden dimensions, two components. */
const site = {
  name: "linear1",
  dIn: 2,
  dOut: 3,
  features: "in",
  count: 2,
  V: Float64Array.of(2, 0, -1, 5),
  U: Float64Array.of(0, 3, 4, 1, 0, 0),
} as unknown as SiteParts;

describe("drawing", () => {
  test("a component's matrix is the outer product of what it reads and writes", () => {
    expect([...componentMatrix(site, 0)]).toEqual([0, 6, 8, -0, -3, -4]);
    expect([...componentMatrix(site, 1)]).toEqual([0, 0, 0, 5, 0, 0]);
  });

  test("signed lengths: what it reads times the length of what it writes, ‖(0, 3, 4)‖ = 5", () => {
    expect([...signedLengths(site, 0)]).toEqual([10, -5]);
  });

  test("where features go out, columns are feature vectors", () => {
    const out = { ...site, features: "out" } as SiteParts;
    expect([...featureVectors(out, Float64Array.of(1, 2, 3, 4, 5, 6))]).toEqual([1, 4, 2, 5, 3, 6]);
    // ‖V[:, 0]‖ = √5.
    [...signedLengths(out, 0)].forEach((x, i) => expect(x).toBeCloseTo([0, 3, 4][i]! * Math.sqrt(5), 12));
  });

  test("gram, order, sizes", () => {
    const W = Float64Array.of(1, 0, 1, 2);
    expect([...gram({ W, features: 2, hidden: 2 } as Analysis)]).toEqual([1, 1, 1, 5]);
    expect([...reordered([1, 2, 3, 4], 2, [1, 0])]).toEqual([2, 1, 4, 3]);
    expect([largest([-3, 2]), norm(Float64Array.of(3, 4)), longest(Float64Array.of(3, 4, 0, 1), 2)]).toEqual([3, 5, 5]);
  });
});

describe("changes", () => {
  const before = Float64Array.of(0.6, 0, 0, 0.5);

  test("the largest change and the change of each input", () => {
    const { byInput, worst } = changeBetween(before, Float64Array.of(0.6, 0.001, 0, 0.1), 2);
    expect(worst).toEqual({ input: 1, output: 1 });
    expect(byInput[0]).toBeCloseTo(0.001, 12);
    expect(byInput[1]).toBeCloseTo(0.4, 12);
  });

  test("are told in a sentence", () => {
    expect(describeChange(before, before, 2, 0)).toMatch(/^Nothing is taken out/);
    expect(describeChange(before, before, 2, 3)).toBe("Without these 3, no answer moves by more than 0.");
    expect(describeChange(before, Float64Array.of(0.6, 0.001, 0, 0.1), 2, 1)).toBe(
      "Without this one, input 1 changes most: output 1 goes from 0.50 to 0.10. " +
        "No other input moves an answer by more than 0.00100.",
    );
    expect(describeChange(before, Float64Array.of(0, 0, 0, 0), 2, 2)).toMatch(/Every input changes\.$/);
  });
});
