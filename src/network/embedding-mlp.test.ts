import { expect, test } from "vitest";
import { interpret, values } from "../engine/index.ts";
import { input } from "../tensor/index.ts";
import { embeddingMlp } from "./embedding-mlp.ts";
import { weightInputs } from "./network.ts";
import { tokenValues } from "./run.ts";

const network = embeddingMlp({ vocab: 3, context: 2, dModel: 2, dMlp: 3 });
const given = weightInputs(network.weights);
const tokens = input("x", "batch pos", { batch: 3, pos: 2 }, "i32");

test("ReLU of the embeddings' sum, by hand, whatever their order", () => {
  const weights = {
    "embed.W_E": values("vocab d_model", [3, 2], [1, 0, 0, 2, -1, -1]),
    "blocks.0.mlp.W_in": values("d_model d_mlp", [2, 3], [1, 0, 1, 0, 1, -1]),
    "blocks.0.mlp.b_in": values("d_mlp", [3], [0, -1, 0]),
    "unembed.W_U": values("d_mlp vocab", [3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]),
    "unembed.b_U": values("vocab", [3], [10, 20, 30]),
  };
  const x = tokenValues([
    [0, 1],
    [1, 0],
    [2, 2],
  ]);
  const { output } = interpret({ output: network.forward(given, tokens) }, { ...weights, x });
  expect(output.axes).toBe("batch vocab");
  // Sums (1, 2), (1, 2), (-2, -2); before the ReLU (1, 1, -1) twice and (-2, -3, 0).
  expect(Array.from(output.data)).toEqual([11, 21, 30, 11, 21, 30, 10, 20, 30]);
});

test("every product and hook point is met in the order and with the axes that the network says", () => {
  const [products, points]: [string[], string[]] = [[], []];
  network.forward(given, tokens, {
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
