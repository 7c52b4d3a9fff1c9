import { expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { constant, gradients, input, randomNormal, type Tensor } from "../../tensor/index.ts";
import type { Factors } from "../decomposition.ts";
import { simplicity } from "./simplicity.ts";

const C = 2;
const m = 2;
const part = (name: string, dIn: number, dOut: number): Factors => ({
  V: input(`${name}.V`, "d_in C m", { d_in: dIn, C, m }),
  U: input(`${name}.U`, "C m d_out", { C, m, d_out: dOut }),
});
const parts = [part("a", 2, 1), part("b", 3, 2)];

/** Component 0 is active on half of the examples, component 1 on a quarter. */
const active = constant("C batch", { C, batch: 4 }, [1, 0, 1, 0, 0, 0, 0, 1]);
const numbers = (name: string, axes: string, shape: readonly number[]): NamedValues => ({
  [name]: values(
    axes,
    shape,
    randomNormal(
      [1, name.length + name.charCodeAt(0)],
      shape.reduce((x, y) => x * y),
    ),
  ),
});
const feeds: NamedValues = {
  ...numbers("a.V", "d_in C m", [2, C, m]),
  ...numbers("a.U", "C m d_out", [C, m, 1]),
  ...numbers("b.V", "d_in C m", [3, C, m]),
  ...numbers("b.U", "C m d_out", [C, m, 2]),
};

test("by hand: the p-th power of each factor's Frobenius norm, over the number of parameters", () => {
  const one = [part("a", 2, 1)];
  // Component 0: factors of lengths 5·2 and 1·3; component 1: 2·0.5 and none.
  const given = {
    "a.V": values("d_in C m", [2, C, m], [3, 0, 0, 1, 4, 1, 2, 1]),
    "a.U": values("C m d_out", [C, m, 1], [2, 3, 0.5, 0]),
  };
  const found = (p: number): number => interpret({ s: simplicity(one, active, p) }, given).s.data[0]!;
  expect(found(1)).toBeCloseTo((0.5 * (10 + 3) + 0.25 * 1) / 2, 5);
  expect(found(0.5)).toBeCloseTo((0.5 * (Math.sqrt(10) + Math.sqrt(3)) + 0.25 * 1) / 2, 3);
});

test.each([1, 0.9, 0.4])("its gradient is that of finite differences, p = %d", (p) => {
  const loss = simplicity(parts, active, p);
  const inputs: Record<string, Tensor> = {
    "a.V": parts[0]!.V,
    "a.U": parts[0]!.U,
    "b.V": parts[1]!.V,
    "b.U": parts[1]!.U,
  };
  const names = Object.keys(inputs);
  const slopes = gradients(
    loss,
    names.map((name) => inputs[name]!),
  );
  const found = interpret(
    Object.fromEntries(names.map((name, i) => [name, slopes[i]!])) as Record<string, Tensor>,
    feeds,
  );
  const at = (name: string, i: number, by: number): number => {
    const data = Float64Array.from(feeds[name]!.data);
    data[i]! += by;
    return interpret({ loss }, { ...feeds, [name]: { ...feeds[name]!, data } }).loss.data[0]!;
  };
  for (const name of names)
    found[name]!.data.forEach((slope, i) => {
      expect((at(name, i, 1e-5) - at(name, i, -1e-5)) / 2e-5).toBeCloseTo(slope, 8);
    });
});

test("a factor of length 0 costs next to nothing and has a finite gradient", () => {
  const zero = Object.fromEntries(
    Object.entries(feeds).map(([name, x]) => [
      name,
      values(
        x.axes,
        x.shape,
        x.data.map(() => 0),
      ),
    ]),
  );
  const loss = simplicity(parts, active, 0.9);
  const [slope] = gradients(loss, [parts[0]!.V]);
  const found = interpret({ loss, slope }, zero);
  expect(found.loss.data[0]).toBeLessThan(1e-4);
  expect(Array.from(found.slope.data).every(Number.isFinite)).toBe(true);
});
