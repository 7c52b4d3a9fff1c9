import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../engine/index.ts";
import { logitDifference } from "../intervention/metrics.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { keyFromSeed, randomNormal } from "../tensor/index.ts";
import { meanDifference, spreadOfSteering, steeringSpread } from "./steering-vector.ts";

const key = keyFromSeed(0);

/** Most of the stream is read by nobody, so that a random vector hardly meets what is. */
const STREAM = 1000;

/**
 * One layer of ReLU units. The stream is `tok | steer | out`; the logit of token 0 is `out`. Where the last token is below 3, unit 0 passes the
 * steered dimension into `out`; where it is one of the others, unit 1 passes its opposite.
 */
function mixedNetwork(): RunnableNetwork {
  const [vocab, steer, out] = [10, 10, 11];
  const network = transformer(
    toyTransformer({
      vocab,
      context: 2,
      layers: 1,
      dModel: STREAM,
      heads: 1,
      dHead: 4,
      dMlp: 4,
      positions: { kind: "none" },
    }),
  );
  const numbers: Record<string, readonly (readonly [number, number, number])[]> = {
    "embed.W_E": Array.from({ length: vocab }, (_, t) => [t, t, 1] as const),
    "unembed.W_U": [[out, 0, 1]],
    // Each unit reads the dimension, and is shut by the tokens of the other kind.
    "blocks.0.mlp.W_in": [
      [steer, 0, 1],
      [steer, 1, 1],
      ...Array.from({ length: vocab }, (_, t) => [t, t < 3 ? 1 : 0, -5] as const),
    ],
    "blocks.0.mlp.W_out": [
      [0, out, -1],
      [1, out, 1],
    ],
  };
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
      for (const [row, column, value] of numbers[name] ?? []) data[row * (data.length / shape[0]!) + column] = value;
      return [name, values(axes, shape, data)];
    }),
  );
  return new RunnableNetwork(network, weights);
}

describe("a vector that works in the mean and fails on a third", () => {
  test("is told apart, and random vectors of its length do less", async () => {
    const runnable = mixedNetwork();
    const rows = Array.from({ length: 40 }, (_, i) => [9, i % 10]);
    const vector = {
      ...values("d_model", [STREAM], []),
      data: Float64Array.from({ length: STREAM }, (_, i) => (i === 10 ? 4 : 0)),
    };
    const metric = logitDifference({ answer: rows.map(() => 0), against: rows.map(() => 1) });
    const table = await steeringSpread(
      runnable,
      { name: "tokens", x: tokenValues(rows) },
      { point: "blocks.0.hook_resid_mid", vector, coefficients: [0.5, 1], metric, key },
    );
    const [half, whole] = table.rows;
    expect(whole!.antiSteerable).toBeCloseTo(0.3, 12);
    expect(Math.abs(whole!.mean)).toBeCloseTo(1.6, 4);
    expect(half!.mean).toBeCloseTo(whole!.mean / 2, 4);
    expect(whole!.warning).toContain("30 % of examples go the other way");
    expect(Math.abs(whole!.random.mean)).toBeLessThan(Math.abs(whole!.mean) / 2);
    expect(table.n).toBe(40);
  });

  test("planted numbers: mean .768, deviation 1.769, three in ten below 0", () => {
    const draws = randomNormal(keyFromSeed(5), 4000);
    const effects = Array.from(draws, (z, i) => (i % 10 < 3 ? -1.5 : 1.74) + 0.5 * z);
    const found = spreadOfSteering(1, effects);
    expect(found.antiSteerable).toBeGreaterThan(0.27);
    expect(found.antiSteerable).toBeLessThan(0.33);
    expect(found.warning).not.toBeNull();
    expect(
      spreadOfSteering(
        1,
        effects.map((x) => x + 4),
      ).warning,
    ).toBeNull();
    expect(
      spreadOfSteering(
        -1,
        effects.map((x) => -x),
      ).antiSteerable,
    ).toBe(found.antiSteerable);
  });
});

test("the difference of means is that of the activations, where it is asked for", async () => {
  const runnable = mixedNetwork();
  const sets = (token: number): { name: string; x: ReturnType<typeof tokenValues> } => ({
    name: String(token),
    x: tokenValues([
      [0, token],
      [1, token],
    ]),
  });
  const what = { towards: sets(2), away: sets(5), point: "hook_embed" } as const;
  const last = await meanDifference(runnable, { ...what, position: "last" });
  expect(Array.from(last.data.slice(0, 12))).toEqual([0, 0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 0]);
  const all = await meanDifference(runnable, what);
  expect(all.data[2]).toBe(0.5);
  expect([last.axes, last.shape]).toEqual(["d_model", [STREAM]]);
  await expect(meanDifference(runnable, { ...what, position: 7 })).rejects.toThrow("expected a position of 2, got 7");
  await expect(meanDifference(runnable, { ...what, point: "blocks.0.attn.hook_z" })).rejects.toThrow(
    "one vector a position",
  );
});
