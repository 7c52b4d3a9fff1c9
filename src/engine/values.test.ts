import { expect, test } from "vitest";
import { MechanistError } from "../error.ts";
import { expectFinite, itemOf, scalarValue, values } from "./values.ts";

test("the first number that is not finite is named by its axes", () => {
  const x = values("batch C", [2, 3], [0, 1, 2, 3, NaN, Infinity]);
  expect(() => expectFinite("step 7: W", x)).toThrow(
    "step 7: W: expected finite numbers, got NaN first at batch 1, C 1",
  );
  try {
    expectFinite("step 7: W", x);
  } catch (error) {
    expect(error).toBeInstanceOf(MechanistError);
    expect((error as MechanistError).code).toBe("NotFinite");
    expect((error as MechanistError).details).toEqual({ index: { batch: 1, C: 1 }, value: "NaN" });
  }
});

test("a single number that is not finite has no place", () => {
  expect(() => expectFinite("loss", scalarValue(-Infinity))).toThrow(/^loss: expected finite numbers, got -Infinity$/);
});

test("finite numbers pass", () => {
  expect(() => expectFinite("W", values("C", [3], [0, -1e38, 1e-45]))).not.toThrow();
});

test("one number can be taken out, several cannot", () => {
  expect(itemOf(scalarValue(2.5))).toBe(2.5);
  expect(itemOf(values("C", [1], [4]))).toBe(4);
  expect(() => itemOf(values("C", [2], [1, 2]))).toThrow('item: expected one number, got 2 in "C"');
});
