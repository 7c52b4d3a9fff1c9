import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { rnn } from "../network/rnn.ts";
import { RunnableNetwork } from "../network/run.ts";
import { sampled } from "../data/draws.ts";
import { keyFromSeed } from "../tensor/index.ts";
import { flipFlopNetwork } from "../training/targets/flip-flop.ts";
import { resolveTarget, targetNamed, train } from "../training/targets.ts";
import { countByUnstable, fixedPoints } from "./fixed-points.ts";

/** Units that do not know of each other: `h ← tanh(gain · h)`. */
function apart(units: number, gain: number, bias = 0): NamedValues {
  return {
    W_in: values("feature hidden", [1, units], new Float32Array(units).fill(1)),
    W_rec: values(
      "from hidden",
      [units, units],
      Float32Array.from({ length: units ** 2 }, (_, i) => (i % (units + 1) === 0 ? gain : 0)),
    ),
    b_hidden: values("hidden", [units], new Float32Array(units).fill(bias)),
    W_out: values("hidden output", [units, 1], new Float32Array(units)),
    b_out: values("output", [1], [0]),
  };
}
const shape = (hidden: number): ReturnType<typeof rnn> => rnn({ features: 1, hidden, outputs: 1, positions: 2 });
const corners = (units: number): NamedValues[string] => {
  const rows = Array.from({ length: 2 ** units }, (_, row) =>
    Array.from({ length: units }, (_unused, i) => ((row >> i) % 2 === 0 ? -1 : 1)),
  );
  return values("row hidden", [rows.length, units], rows.flat());
};
const key = keyFromSeed(0);

describe("on networks whose fixed points are known", () => {
  test("a unit with gain 2 rests where tanh(2h) = h, and stands on a knife's edge at 0", () => {
    const points = fixedPoints(shape(1), apart(1, 2), { visited: corners(1), key, starts: 30 });
    expect(points.map(({ unstable }) => unstable)).toEqual([0, 0, 1]);
    for (const { state, spectralRadius } of points.slice(0, 2)) {
      expect(Math.tanh(2 * state[0]!)).toBeCloseTo(state[0]!, 9);
      expect(Math.abs(state[0]!)).toBeCloseTo(0.957504, 6);
      expect(spectralRadius).toBeCloseTo(2 * (1 - state[0]! ** 2), 9);
    }
    expect(points[2]!.state[0]).toBeCloseTo(0, 9);
    expect(points[2]!.spectralRadius).toBeCloseTo(2, 9);
  });

  test("n such units have C(n, k) 2^(n - k) points with k ways out", () => {
    const points = fixedPoints(shape(3), apart(3, 2), { visited: corners(3), key, starts: 300 });
    expect(countByUnstable(points)).toEqual([8, 12, 6, 1]);
  });

  test("a contraction has one point; so has a unit that a constant input holds on one side", () => {
    expect(countByUnstable(fixedPoints(shape(2), apart(2, 0.5), { visited: corners(2), key, starts: 30 }))).toEqual([
      1,
    ]);
    const held = fixedPoints(shape(1), apart(1, 2), { visited: corners(1), key, starts: 30, x: [1] });
    expect(countByUnstable(held)).toEqual([1]);
    expect(Math.tanh(2 * held[0]!.state[0]! + 1)).toBeCloseTo(held[0]!.state[0]!, 9);
  });

  test("a slow place that is no fixed point is not taken for one", () => {
    // tanh(2h + b) - h comes near 0 without reaching it, just past the bias at which two points meet and vanish.
    const points = fixedPoints(shape(1), apart(1, 2, 0.55), { visited: corners(1), key, starts: 50 });
    expect(points).toHaveLength(1);
    expect(points[0]!.state[0]).toBeGreaterThan(0.9);
  });

  test("a network without a state is refused", () => {
    const network = mlp({ features: 1, hidden: [2], outputs: 1, activation: "relu", bias: true });
    expect(() => fixedPoints(network, {}, { visited: corners(1), key })).toThrow(
      expect.objectContaining({ code: "Refused" }),
    );
  });
});

test("a trained two-bit flip-flop is a square: 4 memories, 4 ways between, 1 in the middle", async () => {
  const document = resolveTarget("flip-flop", { preset: "quick" });
  const { weights, metrics } = await train(document, { threads: 1 });
  expect(metrics.accuracy).toBe(1);
  const network = flipFlopNetwork(document.settings as never);
  const { x } = sampled({ x: targetNamed("flip-flop").batch("visited", document.settings, 16) }, keyFromSeed(1));
  const runnable = new RunnableNetwork(network, weights, { threads: 1 });
  const { cache } = await runnable.run(x, { cache: ["hook_hidden"] });
  await runnable.dispose();
  const { data, shape: sizes } = cache.hook_hidden!;
  const visited = values("row hidden", [sizes[0]! * sizes[1]!, sizes[2]!], data);
  expect(countByUnstable(fixedPoints(network, weights, { visited, key, starts: 100 }))).toEqual([4, 4, 1]);
}, 60_000);
