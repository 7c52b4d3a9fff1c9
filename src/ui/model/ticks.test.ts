import { expect, test } from "vitest";
import { logTicks } from "./ticks.ts";

const texts = (low: number, high: number): string[] =>
  logTicks([low, high]).map(({ text, power }) => (power === undefined ? text : `10^${text}`));

test("powers of ten where there are two or more", () => {
  expect(texts(3e-8, 2e-3)).toEqual(["10^−7", "10^−5", "10^−3"]);
  expect(texts(0.02, 40)).toEqual(["0.1", "1", "10"]);
});

test("1-2-5 steps within a decade", () => {
  expect(texts(0.24, 3.1)).toEqual(["0.5", "1", "2"]);
  expect(texts(2e-4, 9e-4)).toEqual(["2e−4", "5e−4"]);
});
