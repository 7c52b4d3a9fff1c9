import { expect, test } from "vitest";
import { consecutiveWindows, evenWindows, textTokens } from "./text-tokens.ts";

/** Letters as their place in the alphabet. */
const letters = { encode: (text: string): number[] => Array.from(text, (c) => c.charCodeAt(0)) };
const upTo = (count: number): Int32Array => Int32Array.from({ length: count }, (_, i) => i);

test("the last tenth is held out, nothing is lost or added", () => {
  const text = "one line\nanother\n\nand one without an end".repeat(3);
  const { training, held } = textTokens(text, letters, 2);
  expect(String.fromCharCode(...training, ...held)).toBe(text);
  expect(held.length).toBe(text.length - Math.floor(0.9 * text.length));
});

test("a text that is too short is refused", () => {
  expect(() => textTokens("too short", letters, 9)).toThrow("text: expected at least 90 tokens, got 9");
});

test("windows over a text evenly, from first to last", () => {
  expect(Array.from(evenWindows(upTo(9), 3, 3).data)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  expect(Array.from(evenWindows(upTo(4), 3, 2).data)).toEqual([0, 1, 1, 2, 2, 3]);
  expect(Array.from(evenWindows(upTo(4), 1, 2).data)).toEqual([0, 1]);
});

test("windows one after another: every token but the first is predicted once", () => {
  const { shape, data } = consecutiveWindows(upTo(8), 10, 3);
  expect([shape, Array.from(data)]).toEqual([
    [3, 3],
    [0, 1, 2, 2, 3, 4, 4, 5, 6],
  ]);
  expect(consecutiveWindows(upTo(8), 2, 3).shape).toEqual([2, 3]);
});
