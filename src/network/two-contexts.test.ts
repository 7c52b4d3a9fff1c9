import fc from "fast-check";
import { expect, test } from "vitest";
import { interpret, values } from "../engine/index.ts";
import { input } from "../tensor/index.ts";
import { weightInputs } from "./network.ts";
import { twoContexts } from "./two-contexts.ts";

/** The answer for one example, in float64. */
function answer(w: number, example: readonly [number, number, number]): number {
  const { network, weights } = twoContexts(w);
  const x = input("x", "batch feature", { batch: 1, feature: 3 });
  const y = network.forward(weightInputs(network.weights), x);
  return interpret({ y }, { ...weights, x: values("batch feature", [1, 3], Float64Array.from(example)) }).y.data[0]!;
}

/** Multiples of 1/64, which every number format here has exactly. */
const exact = fc.integer({ min: -64, max: 64 }).map((n) => n / 64);

test("answers w x + 1 in context A and ReLU(-w x) in context B, exactly", () => {
  fc.assert(
    fc.property(exact, fc.constantFrom(1, -1, 0.5), (x, w) => {
      expect(answer(w, [x, 1, 0])).toBe(w * x + 1);
      expect(answer(w, [x, 0, 1])).toBe(Math.max(0, -w * x));
    }),
  );
});

test("both answers need the whole weight: with half of it either is wrong", () => {
  const { network, weights, sites } = twoContexts(1);
  const x = input("x", "batch feature", { batch: 2, feature: 3 });
  const half = { ...weights, [sites.shared]: values("d_in d_out", [3, 3], [0.5, 0, 0, 0, 1, 0, 0, 0, 1]) };
  const y = network.forward(weightInputs(network.weights), x);
  const given = values("batch feature", [2, 3], [-1, 1, 0, -1, 0, 1]);
  expect(Array.from(interpret({ y }, { ...weights, x: given }).y.data)).toEqual([0, 1]);
  expect(Array.from(interpret({ y }, { ...half, x: given }).y.data)).toEqual([0.5, 0.5]);
});

test("a context's neuron stays silent in the other, whatever part of what it reads is masked", () => {
  const { network, weights, sites } = twoContexts(1);
  const x = input("x", "batch feature", { batch: 1, feature: 3 });
  fc.assert(
    fc.property(exact, fc.boolean(), fc.integer({ min: 0, max: 64 }), (value, isA, part) => {
      const [a, b] = isA ? [1, 0] : [0, 1];
      const others = isA ? 1 : 0;
      const W = weights[sites.apart]!;
      const data = Array.from(W.data, (entry, k) => (k % 2 === others ? (entry * part) / 64 : entry));
      const masked = { ...weights, [sites.apart]: { ...W, data: Float32Array.from(data) } };
      const y = network.forward(weightInputs(network.weights), x);
      const given = { x: values("batch feature", [1, 3], [value, a, b]) };
      expect(interpret({ y }, { ...masked, ...given }).y.data).toEqual(
        interpret({ y }, { ...weights, ...given }).y.data,
      );
    }),
  );
});
