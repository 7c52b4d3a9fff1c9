import fc from "fast-check";
import { expect, test } from "vitest";
import { meanOf } from "./mean.ts";

test("a mean of fractions is the fraction that it is", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: 1, max: 6 })), {
        minLength: 1,
        maxLength: 6,
      }),
      (parts) => {
        // All over 60, in whole numbers.
        const whole = parts.reduce((sum, [p, q]) => sum + (p * 60) / q, 0);
        const sum = parts.reduce((sum, [p, q]) => sum + p / q, 0);
        expect(meanOf(sum, parts.length)).toBe(whole / (60 * parts.length) + 0);
      },
    ),
    { seed: 1, numRuns: 1000 },
  );
});

test("rounding errors go, other numbers stay", () => {
  expect(meanOf(0.1 + 0.2 - 0.3, 3)).toBe(0);
  expect(meanOf(0.1 * 3, 1)).toBe(0.3);
  expect(meanOf(Math.PI, 1)).toBe(Math.PI);
  expect(meanOf(-Math.SQRT2, 2)).toBe(-Math.SQRT2 / 2);
});
