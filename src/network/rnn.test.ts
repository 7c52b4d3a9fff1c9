import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../engine/index.ts";
import {
  contract,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mul,
  randomNormal,
  sizeOf,
  square,
  sum,
  type Tensor,
} from "../tensor/index.ts";
import { type Hooks, weightInputs } from "./network.ts";
import { rnn } from "./rnn.ts";

test("two positions of one unit, by hand", () => {
  const network = rnn({ features: 1, hidden: 1, outputs: 1, positions: 2 });
  const x = values("batch pos feature", [1, 2, 1], [0.5, -1]);
  const weights = {
    W_in: values("feature hidden", [1, 1], [2]),
    W_rec: values("from hidden", [1, 1], [3]),
    b_hidden: values("hidden", [1], [-0.5]),
    W_out: values("hidden output", [1, 1], [4]),
    b_out: values("output", [1], [1]),
  };
  const X = input("x", "batch pos feature", { batch: 1, pos: 2, feature: 1 });
  const { output } = interpret({ output: network.forward(weightInputs(network.weights), X) }, { ...weights, x });
  const first = Math.tanh(1 - 0.5);
  const second = Math.tanh(-2 + 3 * first - 0.5);
  expect(output.axes).toBe("batch pos output");
  expect(output.data[0]).toBeCloseTo(4 * first + 1, 12);
  expect(output.data[1]).toBeCloseTo(4 * second + 1, 12);
});

describe("onlookers", () => {
  const network = rnn({ features: 2, hidden: 3, outputs: 2, positions: 4 });
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, randomNormal(foldIn(keyFromSeed(2), name), sizeOf(shape))),
    ]),
  );
  const given = weightInputs(network.weights);
  const X = input("x", "batch pos feature", { batch: 2, pos: 4, feature: 2 });
  const x = values("batch pos feature", [2, 4, 2], randomNormal(keyFromSeed(4), 16));
  const numbers = (hooks: Hooks): number[][] => {
    const output = network.forward(given, X, hooks);
    const grads = gradients(sum(square(output)), [given.W_in!, given.W_rec!, given.b_hidden!]);
    const program: Record<string, Tensor> = { output, ...Object.fromEntries(grads.map((g, i) => [`g${i}`, g])) };
    return Object.values(interpret(program, { ...weights, x })).map(({ data }) => Array.from(data));
  };

  test("products that are seen and put back change neither output nor gradients", () => {
    const seen: string[] = [];
    const plain = numbers({});
    const replaced = numbers({
      matmul: ({ name }, activation, matrix) => {
        seen.push(`${name} ${activation.axes} ${activation.shape[1]}`);
        return contract(activation, matrix, "batch pos d_out");
      },
    });
    const recurrent = [1, 2, 3, 4].map(() => "W_rec batch pos d_in 1");
    expect(seen).toEqual(["W_in batch pos d_in 4", ...recurrent, "W_out batch pos d_in 4"]);
    plain.forEach((want, i) => want.forEach((value, j) => expect(replaced[i]![j]).toBeCloseTo(value, 10)));
  });

  test("points are met in order; a state put in place of another goes on into the next position", () => {
    const points: string[] = [];
    const run = (hooks: Hooks): number[] =>
      Array.from(interpret({ y: network.forward(given, X, hooks) }, { ...weights, x }).y.data);
    const plain = run({});
    const cut = run({
      at: (name, value) => {
        points.push(`${name} ${value.axes}`);
        return name === "steps.1.hook_hidden" ? mul(value, 0) : undefined;
      },
    });
    expect(points).toEqual(network.points.map(({ name, axes }) => `${name} ${axes}`));
    const changed = plain.map((value, i) => (Math.abs(cut[i]! - value) > 1e-9 ? Math.floor(i / 2) % 4 : -1));
    expect([...new Set(changed)].sort()).toEqual([-1, 1, 2, 3]);
  });

  test("gradients through time agree with differences", () => {
    const loss = sum(square(network.forward(given, X)));
    const names = ["W_in", "W_rec", "b_hidden", "W_out", "b_out"];
    const found = gradients(
      loss,
      names.map((name) => given[name]!),
    );
    const program: Record<string, Tensor> = Object.fromEntries(found.map((g, i) => [names[i]!, g]));
    const slopes = interpret(program, { ...weights, x });
    const lossAt = (name: string, index: number, shift: number): number => {
      const moved = Float64Array.from(weights[name]!.data);
      moved[index]! += shift;
      return interpret({ loss }, { ...weights, x, [name]: { ...weights[name]!, data: moved } }).loss.data[0]!;
    };
    for (const name of names)
      weights[name]!.data.forEach((_, index) => {
        const difference = (lossAt(name, index, 1e-5) - lossAt(name, index, -1e-5)) / 2e-5;
        expect(Math.abs(slopes[name]!.data[index]! - difference)).toBeLessThan(
          1e-6 * Math.max(1, Math.abs(difference)),
        );
      });
  });

  test("one step is what a run does at each position", () => {
    const states: Tensor[] = [];
    network.forward(given, X, {
      at: (name, value) => {
        if (name.startsWith("steps")) states.push(value);
        return undefined;
      },
    });
    const at = (t: number): Tensor<"batch feature"> => input(`x${t}`, "batch feature", { batch: 2, feature: 2 });
    const next = network.step(given, states[0] as Tensor<"batch hidden">, at(1));
    const x1 = values(
      "batch feature",
      [2, 2],
      [0, 1].flatMap((b) => Array.from(x.data.slice(8 * b + 2, 8 * b + 4))),
    );
    const found = interpret({ next, want: states[1]! }, { ...weights, x, x1 });
    found.want.data.forEach((value, i) => expect(found.next.data[i]).toBeCloseTo(value, 12));
  });
});
