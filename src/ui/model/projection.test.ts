import { describe, expect, test } from "vitest";
import { principalAxes, project, projectionOf } from "./projection.ts";

describe("projection", () => {
  test("two dimensions are drawn as they are", () => {
    const W = [1, 2, -3, 4];
    expect([...project(W, 2, projectionOf(W, 2, 2, 30))]).toEqual(W);
  });

  test("one dimension lies along the horizontal", () => {
    expect([...project([2, -1], 2, projectionOf([2, -1], 2, 1, 30))]).toEqual([2, 0, -1, 0]);
  });

  test("three dimensions: axes are orthonormal at any angle", () => {
    for (const turn of [-180, -30, 0, 77, 180]) {
      const { axes } = projectionOf([1, 0, 0], 1, 3, turn);
      const dot = (a: Float64Array, b: Float64Array): number => a.reduce((s, x, i) => s + x * b[i]!, 0);
      expect(dot(axes[0], axes[0])).toBeCloseTo(1, 12);
      expect(dot(axes[1], axes[1])).toBeCloseTo(1, 12);
      expect(dot(axes[0], axes[1])).toBeCloseTo(0, 12);
    }
  });

  test("principal axes: vectors that lie mostly in a known plane", () => {
    // Lengths 5 along h2 and 3 along h0, a little along h3: the plane is (h2, h0), and holds 34 of 34.01.
    const W = [0, 0, 5, 0, 3, 0, 0, 0, 0, 0, 0, 0.1];
    const [first, second] = principalAxes(W, 3, 4);
    expect(first[2]).toBeCloseTo(1, 9);
    expect(second[0]).toBeCloseTo(1, 9);
    expect(projectionOf(W, 3, 4, 0).share).toBeCloseTo(34 / 34.01, 9);
  });

  test("weights that are all 0 still have a picture", () => {
    const { axes, share } = projectionOf(new Float64Array(8), 2, 4, 0);
    expect([...axes[0], ...axes[1]].every(Number.isFinite)).toBe(true);
    expect(share).toBe(1);
  });
});
