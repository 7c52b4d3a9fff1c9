import { expect, test } from "vitest";
import { interpret, values } from "../engine/index.ts";
import { input, type Tensor } from "../tensor/index.ts";
import { withSites } from "./network.ts";
import { tms } from "./tms.ts";

const weights = {
  W: values("feature hidden", [3, 2], [1, 0, 0, 2, -1, 1]),
  b: values("feature", [3], [0.5, -1, 0]),
};
const x = values("batch feature", [1, 3], [1, 2, 3]);
const inputs = {
  W: input("W", "feature hidden", { feature: 3, hidden: 2 }),
  b: input("b", "feature", { feature: 3 }),
};
const X = input("x", "batch feature", { batch: 1, feature: 3 });

test.each([false, true])("ReLU((x W) Wᵀ + b), identity between: %s", (identity) => {
  const output = tms({ features: 3, hidden: 2, identity }).forward(inputs, X);
  // h = (1 - 3, 4 + 3) = (-2, 7); h Wᵀ = (-2, 14, 9); + b = (-1.5, 13, 9)
  expect(Array.from(interpret({ output }, { ...weights, x }).output.data)).toEqual([0, 13, 9]);
  expect(output.axes).toBe("batch feature");
});

test("every site's product can be seen and replaced, in order", () => {
  const network = tms({ features: 3, hidden: 2, identity: true });
  const seen: string[] = [];
  const output = network.forward(inputs, X, {
    matmul: (site, activation, matrix) => {
      seen.push(`${site.name} ${activation.axes} ${matrix.shape.join("×")}`);
      return undefined;
    },
  });
  expect(seen).toEqual(["linear1 batch d_in 3×2", "identity batch d_in 2×2", "linear2 batch d_in 2×3"]);
  expect(interpret({ output }, { ...weights, x }).output.shape).toEqual([1, 3]);
});

test("the two uses of W are each other's transpose", () => {
  const network = tms({ features: 3, hidden: 2, identity: false });
  const found = interpret(
    { first: network.matrix(inputs, "linear1"), second: network.matrix(inputs, "linear2") } as Record<string, Tensor>,
    weights,
  );
  expect(Array.from(found.first!.data)).toEqual([1, 0, 0, 2, -1, 1]);
  expect(Array.from(found.second!.data)).toEqual([1, 0, -1, 0, 2, 1]);
});

test("sites can be left out by name", () => {
  const network = tms({ features: 3, hidden: 2, identity: true });
  expect(withSites(network, "linear2, linear1").sites.map((site) => site.name)).toEqual(["linear2", "linear1"]);
  expect(withSites(network, "")).toBe(network);
  expect(() => withSites(network, "linear3")).toThrow(/site: expected linear1, got linear3/);
});
