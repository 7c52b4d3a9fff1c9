import { expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../engine/index.ts";
import { foldIn, gradients, input, keyFromSeed, randomNormal, sizeOf, square, sum } from "../tensor/index.ts";
import { weightInputs } from "./network.ts";
import { foldedResidualMlp, residualMlp } from "./residual-mlp.ts";

const X = input("x", "batch feature", { batch: 2, feature: 3 });
const x = values("batch feature", [2, 3], [1, 2, -1, 0, 0, 3]);

test("(x W_E + ReLU(x W_E W_in) W_out) W_Eᵀ, by hand", () => {
  const network = residualMlp({ features: 3, dModel: 2, dMlp: 1, layers: 1 });
  const weights = {
    "embed.W_E": values("feature d_model", [3, 2], [1, 0, 0, 1, 1, 1]),
    "blocks.0.mlp.W_in": values("d_model d_mlp", [2, 1], [2, -1]),
    "blocks.0.mlp.W_out": values("d_mlp d_model", [1, 2], [3, 1]),
  };
  const { output } = interpret({ output: network.forward(weightInputs(network.weights), X) }, { ...weights, x });
  // Row 0: r = (0, 1), pre -1, nothing added; read off (0, 1, 1). Row 1: r = (3, 3), pre 3, r = (12, 6); read off (12, 6, 18).
  expect(Array.from(output.data)).toEqual([0, 1, 1, 12, 6, 18]);
});

const network = residualMlp({ features: 3, dModel: 5, dMlp: 4, layers: 3 });
const weights: NamedValues = Object.fromEntries(
  network.weights.map(({ name, axes, shape }) => [
    name,
    values(axes, shape, randomNormal(foldIn(keyFromSeed(1), name), sizeOf(shape))),
  ]),
);
const given = weightInputs(network.weights);

test("every product and hook point is met in the order and with the axes that the network says", () => {
  const [products, points]: [string[], string[]] = [[], []];
  network.forward(given, X, {
    matmul: (site, activation, matrix) => {
      products.push(`${site.name} ${activation.axes} ${matrix.shape.join("×")}`);
      return undefined;
    },
    at: (name, { axes }) => {
      points.push(`${name} ${axes}`);
      return undefined;
    },
  });
  expect(products).toEqual(
    [0, 1, 2].flatMap((l) => [`blocks.${l}.mlp.W_in batch d_in 5×4`, `blocks.${l}.mlp.W_out batch d_in 4×5`]),
  );
  expect(points).toEqual(network.points.map(({ name, axes }) => `${name} ${axes}`));
});

test("folded into the embedding it is the same function, with the same gradients", () => {
  const names = network.weights.map(({ name }) => name);
  const of = (output: ReturnType<typeof foldedResidualMlp>): Record<string, typeof output> => ({
    output,
    ...Object.fromEntries(
      gradients(
        sum(square(output)),
        names.map((name) => given[name]!),
      ).map((g, i) => [names[i]!, g as typeof output]),
    ),
  });
  const plain = interpret(of(network.forward(given, X) as typeof X), { ...weights, x });
  const folded = interpret(of(foldedResidualMlp(given, X, 3)), { ...weights, x });
  for (const [name, want] of Object.entries(plain)) {
    const scale = Math.max(...want.data.map(Math.abs));
    want.data.forEach((value, i) => expect(Math.abs(folded[name]!.data[i]! - value) / scale).toBeLessThan(1e-12));
  }
});
