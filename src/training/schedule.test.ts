import { expect, test } from "vitest";
import { constantSchedule, cosineSchedule, linearSchedule, scheduleAt } from "./schedule.ts";

test("a cosine from 1e-3 to 1e-4 over five steps", () => {
  // Parameter-decomposition dossier, reference vectors: 1e-3, 8.682e-4, 5.5e-4, 2.318e-4, 1e-4.
  const values = [0, 1, 2, 3, 4].map((step) => scheduleAt(cosineSchedule(1e-3, 0.1), step, 5));
  [1e-3, 8.682e-4, 5.5e-4, 2.318e-4, 1e-4].forEach((expected, i) => expect(values[i]).toBeCloseTo(expected, 7));
});

test("the last step lands exactly on the last knot", () => {
  expect(scheduleAt(linearSchedule(2, 0.4), 999, 1000)).toBe(0.4);
  expect(scheduleAt(cosineSchedule(3, 0), 0, 1000)).toBe(3);
});

test("a value holds outside its knots, and until the next one where it says so", () => {
  const knots = [
    { at: 0.25, value: 1 },
    { at: 0.75, value: 5, interpolation: "hold" as const },
  ];
  expect([0, 25, 50, 74, 75, 100].map((step) => scheduleAt(knots, step, 101))).toEqual([1, 1, 1, 1, 5, 5]);
});

test("one step, and one value", () => {
  expect(scheduleAt(linearSchedule(1, 2), 0, 1)).toBe(1);
  expect(scheduleAt(constantSchedule(7), 12, 100)).toBe(7);
});

test("no knot is refused", () => expect(() => scheduleAt([], 0, 1)).toThrow(/at least one knot/));
