import { expect, test } from "vitest";
import { costOf } from "./cost.ts";

const row = (step: number, more: object = {}): Parameters<typeof costOf>[0][number] => ({
  step,
  stage: "decompose",
  ...more,
});

test("a row speaks of the steps since the one before", () => {
  const rows = [row(10, { msPerStep: 100, flopsPerStep: 8 }), row(30, { msPerStep: 50, flopsPerStep: 2 })];
  expect(costOf(rows)).toEqual({ seconds: 2, flops: 120 });
});

test("nothing where it was not recorded", () => {
  expect(costOf([])).toBeUndefined();
  expect(costOf([row(10, { msPerStep: 100, flopsPerStep: 8 }), row(20)])).toBeUndefined();
});
