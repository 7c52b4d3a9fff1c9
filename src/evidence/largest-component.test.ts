import { expect, test } from "vitest";
import { always, features, handMade, matrix, pentagon, pentagonNetwork } from "../../test/evidence/subjects.ts";
import { values } from "../engine/index.ts";
import { largestComponents } from "./largest-component.ts";

const on = (rows: readonly (readonly number[])[]) => values("C batch", [rows.length, rows[0]!.length], rows.flat());
/** Component 3 of 8 matters on two inputs of four. */
const some = on(Array.from({ length: 8 }, (_, c) => (c === 3 ? [1, 0.2, 0.05, 0] : [0, 0, 0, 0])));

test("of five equal features each is a fifth, and nothing is left over", () => {
  const decomposition = handMade(pentagonNetwork, pentagon, features, always(1));
  const { linear1, linear2 } = largestComponents(decomposition, { linear1: some, linear2: some });
  expect(linear1!.share).toBeCloseTo(0.2, 6);
  expect(linear2!.share).toBeCloseTo(0.2, 6);
  expect(linear1!.remainder).toBeCloseTo(0, 12);
  expect(linear1!).toMatchObject({ rank: 1, bits: 32 * (5 + 2) });
});

test("the longest is found, and how often it matters", () => {
  const { linear1 } = features;
  const U = { ...linear1!.U, data: linear1!.U.data.map((u, k) => (Math.floor(k / 2) === 3 ? 2 * u : u)) };
  const longer = handMade(pentagonNetwork, pentagon, { ...features, linear1: { ...linear1!, U } }, always(1));
  const found = largestComponents(longer, { linear1: some, linear2: some }).linear1!;
  expect(found.address).toBe("linear1:3");
  expect(found.share).toBeCloseTo(0.8, 6);
  expect(found.density).toBe(0.5);
  // One feature too many of its kind is left over, with the opposite sign.
  expect(found.remainder).toBeCloseTo(0.2, 6);
});

test("where components say little, what they leave over is the largest, and always matters", () => {
  const little = {
    ...features,
    linear1: { V: features.linear1!.V, U: matrix("C d_out", 8, 2, () => 0) },
  };
  const found = largestComponents(handMade(pentagonNetwork, pentagon, little, always(1)), {
    linear1: some,
    linear2: some,
  }).linear1!;
  expect(found.address).toBe("linear1:remainder");
  expect(found.share).toBeCloseTo(1, 6);
  expect(found.density).toBe(1);
});
