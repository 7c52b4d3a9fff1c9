import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { type Network, passing } from "../../network/network.ts";
import {
  cast,
  contract,
  crossEntropy,
  equal,
  gradients,
  input,
  keyFromSeed,
  less,
  mul,
  randomNormal,
  reshape,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  uniform,
} from "../../tensor/index.ts";
import { controlledAlignment } from "./controls.ts";
import { alignmentSearch, randomSubspace } from "./distributed-alignment-search.ts";
import { interchangeAccuracy, type Pairs, type Place, type Readout } from "./interchange.ts";
import { dimensions, exchanged, orthonormalFrame } from "./subspace.ts";

const D = 6;
/** A rotation, so that nothing lies along an axis. */
const Q = randomSubspace(D, D, keyFromSeed(1));

/**
 * A network that computes whether two signs agree: it turns its six inputs by Q, and multiplies what it finds along the first two of
 * the turned axes. The sign of the left one lies in one direction of the hidden vector, and known to be nowhere else.
 */
const planted: Network = {
  input: { axes: "batch feature", dtype: "f32", sizes: { feature: D } },
  sites: [],
  weights: [{ name: "Q", axes: "feature hidden", shape: [D, D] }],
  points: [{ name: "hook_hidden", axes: "batch hidden" }],
  forward: (weights, x, hooks = {}) => {
    const hidden = passing(hooks, "hook_hidden", contract(x, weights.Q!, "batch hidden"));
    const back = contract(hidden, weights.Q!, "batch feature");
    const at = (i: number): Tensor =>
      reshape(slice(back as Tensor<"batch feature">, "feature", i, i + 1), "batch", { batch: x.shape[0]! });
    const agree = mul(at(0), at(1));
    const sides = input("sides", "class", { class: 2 });
    return contract(mul(agree, 4), sides, "batch class");
  },
  matrix: () => {
    throw new Error("not needed");
  },
};
const weights: NamedValues = {
  Q: { ...Q, axes: "feature hidden" },
  sides: values("class", [2], [-1, 1]),
};
const withSides: Network = { ...planted, weights: [...planted.weights, { name: "sides", axes: "class", shape: [2] }] };
const place: Place = { network: withSides, point: "hook_hidden", axis: "hidden" };

const pairs = (batch: number): Pairs => {
  const signed = (name: string): Tensor<"batch feature"> => {
    const sizes = { batch, feature: D };
    return sub(mul(cast(less(uniform(name, "batch feature", sizes), 0.5), "f32"), 2), 1);
  };
  const [base, source] = [signed("base"), signed("source")];
  const side = (x: Tensor<"batch feature">, i: number): Tensor =>
    reshape(slice(x, "feature", i, i + 1), "batch", { batch });
  return { base, source, label: cast(equal(side(source, 0), side(base, 1)), "i32") as Tensor<"batch"> };
};
const readout: Readout = {
  loss: (output, label) => crossEntropy(output as Tensor<"batch class">, label, "class") as Tensor<"batch">,
  correct: (output, label) => {
    const side = (i: number): Tensor =>
      reshape(slice(output as Tensor<"batch class">, "class", i, i + 1), "batch", { batch: output.shape[0]! });
    return equal(cast(less(side(0), side(1)), "i32"), label as Tensor) as Tensor<"batch">;
  },
};

const column = (i: number): NamedValues[string] =>
  values(
    "d k",
    [D, 1],
    Array.from({ length: D }, (_, row) => Q.data[i * D + row]!),
  );

describe("orthonormal frames", () => {
  test("columns are orthonormal, whatever the reflections", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }), fc.integer(), (a, b, seed) => {
        const [d, k] = [Math.max(a, b), Math.min(a, b)];
        const { data } = randomSubspace(d, k, keyFromSeed(Math.abs(seed)));
        for (let i = 0; i < k; i++) {
          for (let j = 0; j < k; j++) {
            let dot = 0;
            for (let row = 0; row < d; row++) dot += data[row * k + i]! * data[row * k + j]!;
            expect(dot).toBeCloseTo(i === j ? 1 : 0, 5);
          }
        }
      }),
      { numRuns: 50 },
    );
  });

  test("their gradient is that of finite differences", () => {
    const reflections = input("reflections", "k d", { k: 3, d: 5 });
    const target = input("target", "d k", { k: 3, d: 5 });
    const loss = sum(square(sub(orthonormalFrame(reflections), target))) as Tensor<"">;
    const slope = gradients(loss, [reflections])[0]!;
    const start = randomNormal(keyFromSeed(4), 15);
    const feeds = (i: number, by: number): NamedValues => ({
      reflections: {
        axes: "k d",
        shape: [3, 5],
        dtype: "f32",
        data: Float64Array.from(start, (x, at) => (at === i ? x + by : x)),
      },
      target: values("d k", [5, 3], randomNormal(keyFromSeed(5), 15)),
    });
    const found = interpret({ slope }, feeds(0, 0)).slope.data;
    for (let i = 0; i < 15; i++) {
      const at = (by: number): number => interpret({ loss }, feeds(i, by)).loss.data[0]!;
      expect(found[i]!).toBeCloseTo((at(1e-5) - at(-1e-5)) / 2e-5, 6);
    }
  });

  test("an exchange of chosen dimensions takes those of the source", () => {
    const [base, source] = ["base", "source"].map((name) => input(name, "batch hidden", { batch: 1, hidden: 4 }));
    const out = exchanged(base!, source!, dimensions(4, [1, 3]), "hidden");
    const feeds = {
      base: values("batch hidden", [1, 4], [1, 2, 3, 4]),
      source: values("batch hidden", [1, 4], [5, 6, 7, 8]),
    };
    expect(Array.from(interpret({ out }, feeds).out.data)).toEqual([1, 6, 3, 8]);
  });
});

describe("interchange interventions on a network whose answer is known", () => {
  const measure = (subspace: NamedValues[string], n = 2000): ReturnType<typeof interchangeAccuracy> =>
    interchangeAccuracy(place, weights, subspace, { pairs, readout, n, seed: 0 });

  test("the true direction does what the causal model says, each time", async () => {
    expect((await measure(column(0))).accuracy).toBe(1);
  });

  test("another direction does no better than chance", async () => {
    const { accuracy, interval } = await measure(column(3));
    expect(accuracy).toBeGreaterThan(0.45);
    expect(accuracy).toBeLessThan(0.55);
    expect(interval[0]).toBeLessThan(accuracy);
    expect(interval[1]).toBeGreaterThan(accuracy);
  });

  test("a search finds the direction", async () => {
    const search = { ...place, weights, d: D, k: 1, readout, batch: 256, steps: 400, learningRate: 0.02, seed: 2 };
    const found = await alignmentSearch({ ...search, pairs });
    expect((await measure(found.subspace)).accuracy).toBeGreaterThan(0.97);
    const cosine = Array.from(found.subspace.data).reduce((total, x, i) => total + x * Q.data[i]!, 0);
    expect(Math.abs(cosine)).toBeGreaterThan(0.98);
  });

  test("with its controls: on shuffled labels, without training and in a random direction there is nothing", async () => {
    // Whatever is exchanged, this one never says what the causal model says more often than not.
    const untrained = { ...weights, sides: values("class", [2], [2e-3, 1e-3]) };
    const search = {
      ...place,
      weights,
      d: D,
      k: 1,
      pairs,
      readout,
      batch: 256,
      steps: 300,
      learningRate: 0.02,
      seed: 3,
    };
    const { found, ...controls } = await controlledAlignment(search, { untrained, n: 2000 });
    expect(found.accuracy).toBeGreaterThan(0.97);
    expect(controls.shuffled.accuracy).toBeLessThan(0.55);
    expect(controls.untrained.accuracy).toBeLessThan(0.6);
    expect(controls.random.accuracy).toBeLessThan(0.75);
  });

  test("more dimensions than there are is refused", async () => {
    const search = { ...place, weights, d: D, k: 7, pairs, readout, batch: 8, steps: 1, learningRate: 0.1, seed: 0 };
    await expect(alignmentSearch(search)).rejects.toThrow("alignment: expected from 1 to 6 dimensions, got 7");
  });
});
