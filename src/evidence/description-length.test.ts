import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { descriptionLength, mechanismLength, setBits } from "./description-length.ts";

const WIDTH = 0.01;
/** Bits of a rank-one component of a 4 × 4 matrix, at 32 bits a number. */
const RANK_ONE = 32 * 8;

describe("a two-part code", () => {
  test("by hand: three components, two data", () => {
    const { components, active, residual, total } = descriptionLength({
      componentBits: [10, 20, 40, 1000],
      active: [[0], [1, 2]],
      errors: [0, 3 * WIDTH ** 2],
      outputs: 4,
      width: WIDTH,
    });
    // The fourth is never used. Which one of three: log2(4) + log2(3); which two: the same.
    expect(components).toBe(70);
    expect(active).toBeCloseTo(2 * (2 + Math.log2(3)), 12);
    // Four outputs, half of log2(1 + 3) each.
    expect(residual).toBeCloseTo(4, 12);
    expect(total).toBeCloseTo(components + active + residual, 12);
  });

  test("the bits of a set count all sets of that size, whichever half is named", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 40 }), fc.integer({ min: 0, max: 40 }), (C, other) => {
        const k = Math.min(C, other);
        expect(setBits(C, k)).toBeCloseTo(setBits(C, C - k), 9);
      }),
    );
    // All sets of all sizes together are told apart: Kraft's inequality.
    const C = 7;
    const binomial = [1, 7, 21, 35, 35, 21, 7, 1];
    const mass = binomial.reduce((sum, count, k) => sum + count * 2 ** -setBits(C, k), 0);
    expect(mass).toBeCloseTo(1, 12);
  });
});

/**
 * `y = ReLU(W x)` with `W = I₄` and one-hot data: what each way to take it apart says of datum i, and what it costs.
 */
describe("of the identity on one-hot data", () => {
  const data = Array.from({ length: 64 }, (_, i) => i % 4);
  const exact = data.map(() => 0);
  const code = (componentBits: number[], active: (datum: number) => number[], errors = exact): number =>
    descriptionLength({ componentBits, active: data.map(active), errors, outputs: 4, width: WIDTH }).total;

  const parts = [0, 1, 2, 3];
  const truth = code(
    parts.map(() => RANK_ONE),
    (i) => [i],
  );

  test("the truth is shorter than nothing at all and than a table of the data", () => {
    // Of nothing, every datum's output is residual: a mean square of 1/4.
    const nothing = code(
      [],
      () => [],
      data.map(() => 0.25),
    );
    const table = descriptionLength({
      componentBits: data.map(() => RANK_ONE),
      active: data.map((_, datum) => [datum]),
      errors: exact,
      outputs: 4,
      width: WIDTH,
    }).total;
    expect(truth).toBeLessThan(nothing);
    expect(truth).toBeLessThan(table);
  });

  test("components that another one makes useless cost as much again", () => {
    const doubled = code(
      parts.map(() => RANK_ONE),
      (i) => [i, (i + 1) % 4],
    );
    expect(doubled).toBeGreaterThan(truth);
  });

  test("one whole matrix is no longer, but as the mechanism of a datum it is", () => {
    const whole = code([4 * RANK_ONE], () => [0]);
    expect(whole).toBeLessThan(truth);
    const mechanism = (ranks: readonly number[], active: (i: number) => number[]): number =>
      mechanismLength(ranks, data.map(active), 1);
    // log₂ 4 + 1 against log₂ 1 + 4.
    expect(mechanism([1, 1, 1, 1], (i) => [i])).toBe(3);
    expect(mechanism([4], () => [0])).toBe(4);
  });
});

/** `y = ReLU(x₁ + x₂ + x₃ + x₄)`: rank one, so that one component says it all; in two parts, which two does not matter. */
test("W = [1, 1, 1, 1] in two parts is a tie: [1, 0, 0, 0] + [0, 1, 1, 1] and [1, 1, 0, 0] + [0, 0, 1, 1]", () => {
  const data = Array.from({ length: 32 }, (_, i) => i % 4);
  const bits = 32 * 5;
  const split = (first: readonly number[]): number =>
    descriptionLength({
      componentBits: [bits, bits],
      active: data.map((i) => [first.includes(i) ? 0 : 1]),
      errors: data.map(() => 0),
      outputs: 1,
      width: WIDTH,
    }).total;
  expect(split([0])).toBeCloseTo(split([0, 1]), 12);
  const whole = descriptionLength({
    componentBits: [bits],
    active: data.map(() => [0]),
    errors: data.map(() => 0),
    outputs: 1,
    width: WIDTH,
  }).total;
  expect(whole).toBeLessThan(split([0]));
});
