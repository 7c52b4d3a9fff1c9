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

test("a cosine that ends before the run does, and stays", () => {
  // Parameter-decomposition dossier, 1.7.5: (0, 1) → (0.9, 0.1, cosine) → (1, 0.1).
  const knots = [
    { at: 0, value: 1 },
    { at: 0.9, value: 0.1, interpolation: "cosine" as const },
    { at: 1, value: 0.1 },
  ];
  expect(scheduleAt(knots, 0, 101)).toBe(1);
  expect(scheduleAt(knots, 45, 101)).toBeCloseTo(0.55, 12);
  expect(scheduleAt(knots, 30, 101)).toBeCloseTo(0.1 + (0.9 * (1 + Math.cos(Math.PI / 3))) / 2, 12);
  for (const step of [90, 95, 100]) expect(scheduleAt(knots, step, 101)).toBeCloseTo(0.1, 12);
});

test("a rise over the first fortieth, then level", () => {
  // Dossier, 1.7.5, of the sources' rate: (0, 0) → (0.025, 1) → (1, 1).
  const knots = [
    { at: 0, value: 0 },
    { at: 0.025, value: 1 },
    { at: 1, value: 1 },
  ];
  expect([0, 5, 10, 11, 400].map((step) => scheduleAt(knots, step, 401))).toEqual([0, 0.5, 1, 1, 1]);
});

test("two knots at one place are a jump", () => {
  const knots = [
    { at: 0, value: 1 },
    { at: 0.5, value: 1 },
    { at: 0.5, value: 3 },
  ];
  expect([49, 50, 51].map((step) => scheduleAt(knots, step, 101))).toEqual([1, 3, 3]);
});

test("knots out of order are refused", () => {
  const knots = [
    { at: 0.5, value: 1 },
    { at: 0.2, value: 3 },
  ];
  expect(() => scheduleAt(knots, 0, 10)).toThrow("schedule: expected knots in order, got one at 0.2 after 0.5");
});
