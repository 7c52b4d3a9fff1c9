import fc from "fast-check";
import { expect, test } from "vitest";
import { Variance } from "./explained-variance.ts";

/** Values of some rows, in halves so that their mean is exact. */
const rows = fc
  .integer({ min: 1, max: 4 })
  .chain((d) =>
    fc.array(fc.array(fc.integer({ min: -50, max: 50 }), { minLength: d, maxLength: d }), {
      minLength: 4,
      maxLength: 16,
    }),
  )
  .filter((found) => found.some((row) => row.some((x, j) => x !== found[0]![j])));

function explained(
  values: readonly (readonly number[])[],
  made: readonly (readonly number[])[],
  cut = values.length,
): number {
  const variance = new Variance();
  const d = values[0]!.length;
  variance.add(values.slice(0, cut).flat(), made.slice(0, cut).flat(), d);
  if (cut < values.length) variance.add(values.slice(cut).flat(), made.slice(cut).flat(), d);
  return variance.explained;
}

function meanOf(values: readonly (readonly number[])[]): number[] {
  return values[0]!.map((_, j) => values.reduce((sum, row) => sum + row[j]!, 0) / values.length);
}

test("predicting the mean explains nothing, predicting all of it everything", () => {
  fc.assert(
    fc.property(rows, (values) => {
      const mean = meanOf(values);
      expect(
        explained(
          values,
          values.map(() => mean),
        ),
      ).toBeCloseTo(0, 10);
      expect(explained(values, values)).toBe(1);
    }),
  );
});

test("a mean far from zero takes nothing away, and batches add up", () => {
  fc.assert(
    fc.property(rows, fc.integer({ min: -1_000_000, max: 1_000_000 }), (values, far) => {
      const made = values.map((row) => row.map((x) => x / 2 + 1));
      const moved = (given: typeof values): number[][] => given.map((row) => row.map((x) => x + far));
      const here = explained(values, made);
      expect(explained(moved(values), moved(made))).toBeCloseTo(here, 6);
      expect(explained(values, made, 2)).toBeCloseTo(here, 10);
    }),
  );
});

test("predicting something worse than the mean scores below nothing", () => {
  expect(explained([[1], [-1]], [[-1], [1]])).toBe(-3);
});
