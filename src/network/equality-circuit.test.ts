import { describe, expect, test } from "vitest";
import { EQUALITIES, type Equality, equalityExamples, equalityPairs } from "../data/hierarchical-equality.ts";
import { compile, interpret } from "../engine/index.ts";
import {
  cast,
  concat,
  equal,
  greater,
  keyFromSeed,
  mean,
  relabel,
  select,
  slice,
  type Tensor,
} from "../tensor/index.ts";
import { equalityCircuit } from "./equality-circuit.ts";
import { type Hooks, weightInputs } from "./network.ts";

const { network, weights, point, variables } = equalityCircuit(4);
const given = weightInputs(network.weights);
const says = (x: Tensor, hooks?: Hooks): Tensor<"batch"> => {
  const logits = relabel(network.forward(given, relabel(x, "batch feature"), hooks), "batch output");
  return greater(select(logits, "output", 1), select(logits, "output", 0));
};
const agreement = (a: Tensor<"batch">, b: Tensor<"batch">): Tensor<""> =>
  mean(cast(equal(cast(a, "i32"), cast(b, "i32")), "f32"));

test("it is right on every one of 20,000 inputs, on a device too", async () => {
  const { x, label } = equalityExamples("x", { batch: 20_000, dimensions: 4 });
  const program = { accuracy: agreement(says(x), label) };
  expect(interpret(program, weights, keyFromSeed(1)).accuracy.data[0]).toBeCloseTo(1, 12);
  const executable = await compile(program, { threads: 1 });
  expect((await executable.run(weights, keyFromSeed(1))).accuracy.data[0]).toBe(1);
  await executable.dispose();
});

describe("interchange interventions", () => {
  /** The share of pairs where the network, with some neurons as they are for the source, says what the causal model says. */
  const accuracy = (variable: Equality, [from, to]: readonly [number, number]): number => {
    const { base, source, label } = equalityPairs("pair", { batch: 4000, dimensions: 4 }, variable);
    let taken: Tensor<"batch d_mlp"> | undefined;
    says(source.x, {
      at: (name, value) => {
        if (name === point) taken = value as Tensor<"batch d_mlp">;
        return undefined;
      },
    });
    const changed = says(base.x, {
      at: (name, value) => {
        if (name !== point) return undefined;
        const own = value as Tensor<"batch d_mlp">;
        const parts = [slice(own, "d_mlp", 0, from), slice(taken!, "d_mlp", from, to), slice(own, "d_mlp", to, 16)];
        return concat(
          parts.filter(({ shape }) => shape[1]! > 0),
          "d_mlp",
        );
      },
    });
    return interpret({ a: agreement(changed, label) }, weights, keyFromSeed(2)).a.data[0]!;
  };

  test.each(EQUALITIES)("%s lies where it is said to, in every pair", (variable) => {
    expect(accuracy(variable, variables[variable])).toBeCloseTo(1, 12);
  });

  test("the other variable's place, and half of its own, do not do", () => {
    expect(accuracy("left", variables.right)).toBeLessThan(0.6);
    expect(accuracy("left", [0, 4])).toBeLessThan(0.9);
  });
});
