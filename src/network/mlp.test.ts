import { expect, test } from "vitest";
import { interpret, values } from "../engine/index.ts";
import { input } from "../tensor/index.ts";
import { mlp, type MlpShape } from "./mlp.ts";
import { weightInputs } from "./network.ts";

const X = input("x", "batch feature", { batch: 2, feature: 2 });
const x = values("batch feature", [2, 2], [1, 2, -3, 1]);
const shape: MlpShape = { features: 2, hidden: [3, 1], outputs: 2, activation: "relu", bias: true };
const weights = {
  "blocks.0.mlp.W_in": values("d_in d_out", [2, 3], [1, 0, -1, 0, 1, 1]),
  "blocks.0.mlp.b_in": values("d_out", [3], [0, 0, 1]),
  "blocks.1.mlp.W_in": values("d_in d_out", [3, 1], [1, 2, -1]),
  "blocks.1.mlp.b_in": values("d_out", [1], [-1]),
  "unembed.W_U": values("d_in d_out", [1, 2], [2, -1]),
  "unembed.b_U": values("d_out", [2], [0, 5]),
};

const outputOf = (of: MlpShape): number[] => {
  const network = mlp(of);
  const { output } = interpret({ output: network.forward(weightInputs(network.weights), X) }, { ...weights, x });
  expect(output).toMatchObject({ axes: "batch output", shape: [2, 2] });
  return Array.from(output.data);
};

test("two hidden layers by hand", () => {
  // Row 0: (1, 2, 2), then 1 + 4 - 2 - 1 = 2; row 1: (0, 1, 5), then 2 - 5 - 1 = -4, cut to 0.
  expect(outputOf(shape)).toEqual([4, 3, 0, 5]);
});

test("without activation and biases it is the product of its matrices", () => {
  // W₀W₁ = (2, 1); rows 4 and -5.
  expect(outputOf({ ...shape, activation: "none", bias: false })).toEqual([8, -4, -10, 5]);
});

test("every product and hook point is met in the order and with the axes that the network says", () => {
  const network = mlp(shape);
  const [products, points]: [string[], string[]] = [[], []];
  network.forward(weightInputs(network.weights), X, {
    matmul: ({ name }, activation, matrix) => {
      products.push(`${name} ${activation.axes} ${matrix.shape.join("×")}`);
      return undefined;
    },
    at: (name, { axes }) => {
      points.push(`${name} ${axes}`);
      return undefined;
    },
  });
  expect(products).toEqual(network.sites.map(({ name, dIn, dOut }) => `${name} batch d_in ${dIn}×${dOut}`));
  expect(points).toEqual(network.points.map(({ name, axes }) => `${name} ${axes}`));
});
