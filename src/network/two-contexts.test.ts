import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../engine/index.ts";
import { input } from "../tensor/index.ts";
import { weightInputs } from "./network.ts";
import { CONTEXT_ROUTES, type TwoContexts, twoContexts } from "./two-contexts.ts";

/** The answer for one example `x, a, b`, in float64. */
function answer({ network, weights }: TwoContexts, example: readonly number[], others: NamedValues = {}): number {
  const x = input("x", "batch feature", { batch: 1, feature: 3 });
  const y = network.forward(weightInputs(network.weights), x);
  const given = values("batch feature", [1, 3], Float64Array.from(example));
  return interpret({ y }, { ...weights, ...others, x: given }).y.data[0]!;
}

/** Multiples of 1/64, which every number format here has exactly. */
const exact = fc.integer({ min: -64, max: 64 }).map((n) => n / 64);
const [FIRST, SECOND] = ["blocks.0.mlp.W_in", "blocks.1.mlp.W_in"];

describe.each(CONTEXT_ROUTES)("with the context %s the first layer", (route) => {
  test("answers w x + 1 in context A and ReLU(-w x) in context B, exactly", () => {
    fc.assert(
      fc.property(exact, fc.constantFrom(1, -1, 0.5), (x, w) => {
        const made = twoContexts(w, route);
        expect(answer(made, [x, 1, 0])).toBe(w * x + 1);
        expect(answer(made, [x, 0, 1])).toBe(Math.max(0, -w * x));
      }),
    );
  });

  test("both answers need the whole weight: with half of it either is wrong", () => {
    const made = twoContexts(1, route);
    const { data, ...W } = made.weights[FIRST!]!;
    const half = { [FIRST!]: { ...W, data: Float32Array.from(data, (entry, k) => (k === 0 ? 0.5 : entry)) } };
    expect([answer(made, [-1, 1, 0]), answer(made, [-1, 0, 1])]).toEqual([0, 1]);
    expect([answer(made, [-1, 1, 0], half), answer(made, [-1, 0, 1], half)]).toEqual([0.5, 0.5]);
  });

  test("a context's neuron stays silent in the other, whatever part of what it reads is masked", () => {
    const made = twoContexts(1, route);
    fc.assert(
      fc.property(exact, fc.boolean(), fc.integer({ min: 0, max: 64 }), (x, isA, part) => {
        const example = isA ? [x, 1, 0] : [x, 0, 1];
        const { data, ...W } = made.weights[SECOND!]!;
        const silent = isA ? 1 : 0;
        const masked = Float32Array.from(data, (entry, k) => (k % 2 === silent ? (entry * part) / 64 : entry));
        expect(answer(made, example, { [SECOND!]: { ...W, data: masked } })).toBe(answer(made, example));
      }),
    );
  });
});

test("through the first layer, a part for A alone, one for B alone and one that nothing needs are the matrix as well", () => {
  // The first two read what the neurons of A and B read, (1, 2, 0) and (-1, 0, 1), and write nothing that the other's neuron reads.
  const parts = [
    { V: [1, 2, 0], U: [0, 0.5, 0] },
    { V: [-1, 0, 1], U: [0, 0, 1] },
    { V: [1, 0, 0], U: [1, -0.5, 1] },
  ];
  const made = twoContexts(1, "through");
  const sum = (kept: readonly number[]): NamedValues => ({
    [FIRST!]: values(
      "d_in d_out",
      [3, 3],
      Float32Array.from({ length: 9 }, (_, k) =>
        kept.reduce((total, c) => total + parts[c]!.V[Math.floor(k / 3)]! * parts[c]!.U[k % 3]!, 0),
      ),
    ),
  });
  expect(sum([0, 1, 2])[FIRST!]!.data).toEqual(Float32Array.from([1, 0, 0, 0, 1, 0, 0, 0, 1]));
  fc.assert(
    fc.property(exact, (x) => {
      expect(answer(made, [x, 1, 0], sum([0]))).toBe(x + 1);
      expect(answer(made, [x, 0, 1], sum([1]))).toBe(Math.max(0, -x));
    }),
  );
});
