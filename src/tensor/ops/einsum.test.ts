import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret } from "../../engine/interpreter/interpret.ts";
import type { Values } from "../../engine/values.ts";
import { expectClose } from "../../../test/expect-close.ts";
import { sizeOf } from "../axes.ts";
import { randomUniform } from "../random.ts";
import { input, type Tensor } from "../tensor.ts";
import { contract, einsum } from "./einsum.ts";

const AXES = ["a", "b", "c", "d"] as const;
const axesOf = fc.shuffledSubarray([...AXES]);
/** Two operands, a result that names some of their axes, and a size for each axis. */
const cases = fc.record({
  first: axesOf,
  second: axesOf,
  order: axesOf,
  sizes: fc.record({
    a: fc.integer({ min: 1, max: 4 }),
    b: fc.integer({ min: 1, max: 4 }),
    c: fc.integer({ min: 1, max: 3 }),
    d: fc.integer({ min: 1, max: 3 }),
  }),
});

/** The definition: for every index of every axis, one product is added where the result's own axes say. */
function byLoops(
  first: Values,
  second: Values,
  result: readonly string[],
  sizes: Readonly<Record<string, number>>,
): number[] {
  const at = (axes: readonly string[], index: Readonly<Record<string, number>>): number =>
    axes.reduce((position, axis) => position * sizes[axis]! + index[axis]!, 0);
  const split = ({ axes }: Values): string[] => (axes === "" ? [] : axes.split(" "));
  const out = Array.from({ length: sizeOf(result.map((axis) => sizes[axis]!)) }, () => 0);
  const all = [...new Set([...split(first), ...split(second)])];
  const visit = (index: Record<string, number>, [axis, ...rest]: readonly string[]): void => {
    if (axis === undefined) {
      out[at(result, index)]! += first.data[at(split(first), index)]! * second.data[at(split(second), index)]!;
      return;
    }
    for (let i = 0; i < sizes[axis]!; i++) visit({ ...index, [axis]: i }, rest);
  };
  visit({}, all);
  return out;
}

function operand(name: string, axes: readonly string[], sizes: Readonly<Record<string, number>>): [Tensor, Values] {
  const tensor = input(name, axes.join(" "), sizes);
  const data = Float64Array.from(
    randomUniform([name.charCodeAt(0), axes.length], sizeOf(tensor.shape)),
    (u) => 2 * u - 1,
  );
  return [tensor, { axes: tensor.axes, shape: tensor.shape, dtype: "f32", data }];
}

describe("einsum", () => {
  test("is a loop over every index", () => {
    fc.assert(
      fc.property(cases, ({ first, second, order, sizes }) => {
        const result = order.filter((axis) => first.includes(axis) || second.includes(axis));
        const [[x, xs], [y, ys]] = [operand("x", first, sizes), operand("y", second, sizes)];
        const product = contract(x, y, result.join(" "));
        const expected = byLoops(xs, ys, result, sizes);
        expectClose(
          interpret({ product }, { x: xs, y: ys }).product,
          { ...product, data: expected },
          { relative: 1e-13 },
        );
      }),
      { seed: 20250622, numRuns: 500 },
    );
  });

  const x = input("x", "batch d", { batch: 2, d: 3 });
  const V = input("V", "d C", { d: 4, C: 5 });

  test.each<[string, () => unknown, string]>([
    [
      "an axis of two sizes",
      () => einsum("batch d, d C -> batch C", x, V),
      'einsum "batch d, d C -> batch C": axis d is 3 in the first, 4 in the second',
    ],
    [
      "an operand of other axes",
      () => einsum("batch d, C d -> batch C", x, V as never),
      'einsum "batch d, C d -> batch C": operand 2 has axes "d C"',
    ],
    [
      "an axis from nowhere",
      () => contract(x, x, "batch C"),
      'einsum "batch d, batch d -> batch C": axis C is in no operand',
    ],
    [
      "a text without an arrow",
      () => einsum("batch d, d C" as never, x, V),
      'einsum: expected "a b, b c -> a c", got "batch d, d C"',
    ],
    [
      "a result that names an axis twice",
      () => contract(x, x, "batch batch"),
      'axes "batch batch": axis batch appears twice',
    ],
  ])("refuses %s", (_, make, message) => {
    expect(make).toThrow(message);
  });
});
