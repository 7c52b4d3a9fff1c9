import { describe, expect, test } from "vitest";
import { itemOf, interpret, type NamedValues, values } from "../engine/index.ts";
import { add, input, keyFromSeed, mul, square, sum, type Tensor } from "../tensor/index.ts";
import { adamWScalars } from "./adamw.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { compileOptimisation, weightsIn } from "./optimise.ts";
import { layoutOf, packValues, unpackValues } from "./parameters.ts";

const layout = layoutOf([
  { name: "a", axes: "i j", shape: [2, 3] },
  { name: "b", axes: "k", shape: [2] },
]);
const start: NamedValues = { a: values("i j", [2, 3], [1, -2, 3, -4, 5, -6]), b: values("k", [2], [0.5, -0.25]) };

test("weights survive the way into one vector and back", () => {
  expect(unpackValues(layout, packValues(layout, start))).toEqual(start);
});

/** AdamW written out in float64, PyTorch's order of operations. */
function byHand(x: number, gradient: (x: number) => number, steps: number, rate: number, decay: number): number {
  let [m, v] = [0, 0];
  for (let t = 1; t <= steps; t++) {
    const g = gradient(x);
    x -= rate * decay * x;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    x -= ((rate / (1 - 0.9 ** t)) * m) / (Math.sqrt(v) / Math.sqrt(1 - 0.999 ** t) + 1e-8);
  }
  return x;
}

describe("AdamW", () => {
  test.each([0, 0.1])("three steps with decay %f", async (weightDecay) => {
    const stepper = await compileOptimisation({
      layout,
      start,
      // a has the gradient 2a, b has 6b.
      objective: ({ a, b }) => ({ loss: sumOf(square(a!), mul(square(b!), 3)) }),
      adamW: { weightDecay },
    });
    const inputs = [1, 2, 3].map((t) => ({ key: keyFromSeed(0), scalars: adamWScalars(t, 0.01) }));
    const { loss } = await stepper.advance(inputs);
    expect(loss![0]).toBeCloseTo(91 + 3 * 0.3125, 4);
    const { a, b } = unpackValues(layout, stepper.state().parameters!.data);
    await stepper.dispose();
    start.a!.data.forEach((x, i) =>
      expect(a!.data[i]).toBeCloseTo(
        byHand(x, (y) => 2 * y, 3, 0.01, weightDecay),
        5,
      ),
    );
    start.b!.data.forEach((x, i) =>
      expect(b!.data[i]).toBeCloseTo(
        byHand(x, (y) => 6 * y, 3, 0.01, weightDecay),
        5,
      ),
    );
  });

  test("many steps in one call are the same bits as one step a call", async () => {
    const run = async (perCall: number): Promise<number[]> => {
      const stepper = await compileOptimisation({ layout, start, objective: ({ a }) => ({ loss: sum(square(a!)) }) });
      const inputs = Array.from({ length: 12 }, (_, t) => ({
        key: keyFromSeed(t),
        scalars: adamWScalars(t + 1, 0.05),
      }));
      for (let i = 0; i < 12; i += perCall) await stepper.advance(inputs.slice(i, i + perCall));
      const found = Array.from(stepper.state().parameters!.data);
      await stepper.dispose();
      return found;
    };
    expect(await run(4)).toEqual(await run(1));
    expect(await run(12)).toEqual(await run(1));
  });
});

test.each([
  [10, 1],
  [1, 1 / (5 + 1e-6)],
])("a gradient of norm 5 clipped at %f is scaled by %f", (maxNorm, scale) => {
  const gradient = input("g", "parameter", { parameter: 2 });
  const feeds = { g: values("parameter", [2], [3, 4]) };
  const { clipped } = interpret({ clipped: clipByGlobalNorm(gradient, maxNorm) }, feeds);
  expect(clipped.data[0]).toBeCloseTo(3 * scale, 12);
  expect(itemOf(interpret({ n: sum(square(clipByGlobalNorm(gradient, maxNorm))) }, feeds).n)).toBeCloseTo(
    25 * scale ** 2,
    10,
  );
});

function sumOf(...parts: readonly Tensor[]): Tensor<""> {
  return parts.map((x) => sum(x)).reduce((a, b) => add(a, b));
}

test("a checkpoint of before each tensor had its own running means can be read, but nothing goes on from it", async () => {
  const mean = values("parameter", [8], new Float32Array(8));
  const before = { ...start, "adamw.m": mean, "adamw.v": mean };
  expect(weightsIn(before)).toEqual(start);
  const going = async (): Promise<unknown> =>
    compileOptimisation({ layout, start: before, objective: ({ a }) => ({ loss: sum(square(a!)) }) });
  await expect(going()).rejects.toThrow(/checkpoint: expected running means of each tensor/);
});
