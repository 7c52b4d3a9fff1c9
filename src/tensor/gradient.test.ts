import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  arranged,
  build,
  COUNT,
  feedsFor,
  instructions,
  numbers,
  type Program,
} from "../../test/engine/random-program.ts";
import { families, programOf } from "../../test/golden/cases.ts";
import { interpret } from "../engine/interpreter/interpret.ts";
import type { NamedValues, Values } from "../engine/values.ts";
import {
  grad,
  gradients,
  input,
  mul,
  relabel,
  scalar,
  square,
  sum,
  type Tensor,
  transpose,
  valueAndGrad,
  withDerivative,
} from "./index.ts";

const SEED = 20250622;

describe("every gradient is what finite differences say", () => {
  for (const [family, cases] of families) {
    test.each(cases.filter((c) => c.gradients !== undefined && c.kink !== true))(`${family}: $name`, (golden) => {
      const { outputs, feeds } = programOf(golden);
      const loss = sum(
        mul(outputs.output!, input("cotangent", outputs.output!.axes, sizes(outputs.output!)) as never),
      ) as Tensor;
      const found = interpret(outputs, feeds);
      for (const name of Object.keys(golden.gradients!)) {
        const gradient = found[`gradient of ${name}`]!.data;
        gradient.forEach((g, i) => expectSlope(g, (h) => lossAt(loss, nudged(feeds, name, i, h))));
      }
    });
  }

  test("of random programs", () => {
    const direction = Array.from({ length: COUNT }, (_, i) => Math.sin(1 + i));
    fc.assert(
      fc.property(instructions, numbers, (list, data) => {
        const program = build(list);
        const found = gradientsOf(program, data);
        const slope = Object.entries(program.inputs)
          .flatMap(([name]) => Array.from(found[name]!.data))
          .reduce((total, g, i) => total + g * direction[i]!, 0);
        const along = (h: number): number =>
          lossAt(
            program.loss,
            feedsFor(
              program,
              data.map((x, i) => x + h * direction[i]!),
            ),
          );
        expectSlope(slope, along);
      }),
      { seed: SEED, numRuns: 400 },
    );
  });
});

test("the order of axes in memory changes no loss and no gradient", () => {
  fc.assert(
    fc.property(instructions, numbers, fc.integer({ min: 1, max: 2 }), (list, data, turn) => {
      const [plain, turned] = [build(list), build(list, turn)];
      expect(lossAt(turned.loss, feedsFor(turned, data))).toBeCloseTo(lossAt(plain.loss, feedsFor(plain, data)), 10);
      const [before, after] = [gradientsOf(plain, data), gradientsOf(turned, data)];
      for (const [name, { axes, data: numbersBefore }] of Object.entries(before)) {
        const expected = arranged(axes, after[name]!.axes, numbersBefore);
        Array.from(after[name]!.data).forEach((g, i) => expect(g).toBeCloseTo(expected[i]!, 9));
      }
    }),
    { seed: SEED, numRuns: 200 },
  );
});

describe("gradients", () => {
  const x = input("x", "a b", { a: 2, b: 3 });

  test("have the axes and sizes of what they belong to", () => {
    const y = input("y", "b a", { a: 2, b: 3 });
    const found = gradients(sum(mul(x, y as never)), [x, y]);
    expect(found.map((g) => g.axes)).toEqual(["a b", "b a"]);
    expect(found.map((g) => g.shape)).toEqual([
      [2, 3],
      [3, 2],
    ]);
  });

  test("of what the loss does not depend on are zero", () => {
    const [g] = gradients(scalar(1), [x]);
    expect(Array.from(interpret({ g }).g.data)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  test("need a loss without axes", () => {
    expect(() => gradients(x, [x])).toThrow('gradients: expected a scalar loss, got axes "a b"');
  });

  test("of gradients: the second derivative of a sum of cubes is 6x", () => {
    const cubes = sum(mul(x, square(x))) as Tensor;
    const [first] = gradients(cubes, [x]);
    const [second] = gradients(sum(first) as Tensor, [x]);
    const feeds = {
      x: { axes: "a b", shape: [2, 3], dtype: "f32" as const, data: Float64Array.of(-2, -1, 0, 1, 2, 3) },
    };
    expect(Array.from(interpret({ second }, feeds).second.data)).toEqual([-12, -6, 0, 6, 12, 18]);
  });

  test("of one's own may come in another order of axes", () => {
    const y = withDerivative(x, [x], (g) => [transpose(g, "b a")]);
    const [g] = gradients(sum(relabel(relabel(y, "p q"), "a b")) as Tensor, [x]);
    expect(g.axes).toBe("a b");
  });

  test("of one's own in other axes are refused", () => {
    const y = withDerivative(x, [x], () => [scalar(1)]);
    expect(() => gradients(sum(y) as Tensor, [x])).toThrow('"a b" is not an order of ""');
  });

  test("by name, with the value", () => {
    const loss = ({ w }: { w: Tensor<""> }): Tensor<""> => square(w);
    const { value, gradient } = valueAndGrad(loss)({ w: scalar(3) });
    expect(interpret({ value, gradient: gradient.w }).value.data[0]).toBe(9);
    expect(interpret({ gradient: gradient.w }).gradient.data[0]).toBe(6);
    expect(interpret({ g: grad(loss)({ w: scalar(-1) }).w }).g.data[0]).toBe(-2);
  });
});

function gradientsOf(program: Program, data: readonly number[]): Record<string, Values> {
  const names = Object.keys(program.inputs);
  const found = gradients(
    program.loss,
    names.map((name) => program.inputs[name]!),
  );
  return interpret(Object.fromEntries(names.map((name, i) => [name, found[i]!])), feedsFor(program, data));
}

const sizes = (x: Tensor): Record<string, number> =>
  Object.fromEntries(x.axes.split(" ").map((axis, i) => [axis, x.shape[i] ?? 1]));

function lossAt(loss: Tensor, feeds: NamedValues): number {
  return interpret({ loss }, feeds).loss.data[0]!;
}

function nudged(feeds: NamedValues, name: string, at: number, h: number): NamedValues {
  const data = Float64Array.from(feeds[name]!.data);
  data[at]! += h;
  return { ...feeds, [name]: { ...feeds[name]!, data } };
}

/**
 * Holds a derivative against differences of fourth order, within a millionth of the larger of it and 1. The best of four step sizes
 * counts: where a function bends within 10⁻³ a wide step is wrong, elsewhere a narrow one loses digits.
 */
function expectSlope(slope: number, f: (h: number) => number): void {
  const errors = [1e-2, 1e-3, 1e-4, 1e-5].map((h) => {
    const difference = (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h);
    return Math.abs(slope - difference) / Math.max(1, Math.abs(slope));
  });
  expect(Math.min(...errors), `derivative ${slope}`).toBeLessThan(1e-6);
}
