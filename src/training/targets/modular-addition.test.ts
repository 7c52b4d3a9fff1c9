import { describe, expect, test } from "vitest";
import { sampled } from "../../data/draws.ts";
import { type NamedValues, values } from "../../engine/index.ts";
import { keyFromSeed } from "../../tensor/index.ts";
import type { Checkpoint, MetricsRow } from "../loop.ts";
import { resolveTarget, train } from "../targets.ts";
import {
  modularAdditionNetwork,
  modularAdditionScores,
  type ModularAdditionSettings,
  modularAdditionTarget,
} from "./modular-addition.ts";

const settingsOf = (set: object): ModularAdditionSettings =>
  resolveTarget("modular-addition", { set: { modulus: 11, ...set } }).settings as unknown as ModularAdditionSettings;

/**
 * Every sum a + b from 0 to 20 is a bump of its own on a line of embeddings, made of three ReLUs; the bumps of s and of s + 11 say s.
 */
function byHand(p: number, scale: number): NamedValues {
  const sums = 2 * p - 1;
  const kinks = sums + 2;
  const W_U = new Float32Array(kinks * p);
  for (let s = 0; s < sums; s++) [1, -2, 1].forEach((height, i) => (W_U[(s + i) * p + (s % p)]! += scale * height));
  return {
    "embed.W_E": values(
      "vocab d_model",
      [p, 1],
      Array.from({ length: p }, (_, a) => a),
    ),
    "blocks.0.mlp.W_in": values("d_model d_mlp", [1, kinks], new Float32Array(kinks).fill(1)),
    "blocks.0.mlp.b_in": values(
      "d_mlp",
      [kinks],
      Array.from({ length: kinks }, (_, i) => 1 - i),
    ),
    "unembed.W_U": values("d_mlp vocab", [kinks, p], W_U),
    "unembed.b_U": values("vocab", [p], new Float32Array(p)),
  };
}

describe("measures on networks made by hand", () => {
  const settings = settingsOf({ width: 1, neurons: 23 });

  test("one that adds is right everywhere", async () => {
    const found = await modularAdditionScores(settings, byHand(11, 20), { threads: 1 });
    expect(found).toMatchObject({ testAccuracy: 1, trainAccuracy: 1 });
    expect(found.testLoss).toBeLessThan(1e-6);
  });

  test("one that says the contrary is right nowhere, one that always says 0 by chance", async () => {
    const wrong = await modularAdditionScores(settings, byHand(11, -20), { threads: 1 });
    expect(wrong).toMatchObject({ testAccuracy: 0, trainAccuracy: 0 });
    const silent = await modularAdditionScores(settings, byHand(11, 0), { threads: 1 });
    const right = silent.testAccuracy! * (121 - 48) + silent.trainAccuracy! * 48;
    expect(right).toBeCloseTo(11, 6);
    for (const loss of ["testLoss", "restrictedLoss", "excludedLoss"])
      expect(silent[loss]).toBeCloseTo(silent.uniformLoss!, 5);
  });
});

describe("training", () => {
  test("learns what it is shown, says when, and goes on to the same bits", async () => {
    const document = resolveTarget("modular-addition", { set: { modulus: 11, steps: 300 } });
    const checkpoints: Checkpoint[] = [];
    const rows: MetricsRow[] = [];
    const whole = await train(document, {
      threads: 1,
      checkpointEvery: 200,
      metricsEvery: 1,
      onMetrics: (row) => void rows.push(row),
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    expect(whole.metrics.trainAccuracy).toBe(1);
    expect(whole.metrics.trainStep).toBeGreaterThan(10);
    expect(whole.metrics.trainStep).toBeLessThan(200);
    const rest = await train(document, { threads: 1, resume: checkpoints[0]! });
    expect(rest.weights).toEqual(whole.weights);
    // It cannot know what happened before it was there, unless it is told: a dip later on is no first time.
    expect(rest.metrics.trainStep).toBeUndefined();
    const dip = { step: 199, stage: "train", trainAccuracy: 0.5 };
    const earlier = [...rows.filter(({ step }) => step < 199), dip];
    const told = await train(document, { threads: 1, resume: checkpoints[0]!, earlier });
    expect(told.metrics.trainStep).toBe(whole.metrics.trainStep);
  });

  test("the transformer learns by heart as well", async () => {
    const set = { modulus: 7, architecture: "transformer", width: 16, heads: 2, neurons: 32, steps: 200 };
    const { metrics } = await train(resolveTarget("modular-addition", { set }), { threads: 1 });
    expect(metrics.trainAccuracy).toBe(1);
    expect(metrics.loss).toBeLessThan(0.1);
  });
});

describe("the published transformer", () => {
  const { settings } = resolveTarget("modular-addition", { preset: "nanda-2023" });

  test("has its sizes, no norms, and biases in the MLP alone", () => {
    const network = modularAdditionNetwork(settings as never);
    const sizes = Object.fromEntries(network.weights.map(({ name, shape }) => [name, shape.join("×")]));
    expect(sizes).toEqual({
      "embed.W_E": "114×128",
      "pos_embed.W_pos": "3×128",
      "blocks.0.attn.W_Q": "128×4×32",
      "blocks.0.attn.W_K": "128×4×32",
      "blocks.0.attn.W_V": "128×4×32",
      "blocks.0.attn.W_O": "4×32×128",
      "blocks.0.mlp.W_in": "128×512",
      "blocks.0.mlp.b_in": "512",
      "blocks.0.mlp.W_out": "512×128",
      "blocks.0.mlp.b_out": "128",
      "unembed.W_U": "128×114",
    });
  });

  test("is fed a b =", () => {
    const { x } = sampled({ x: modularAdditionTarget.batch("x", settings, 50) }, keyFromSeed(1));
    expect([x.axes, x.dtype, ...x.shape]).toEqual(["batch pos", "i32", 50, 3]);
    x.data.forEach((token, i) => {
      if (i % 3 === 2) expect(token).toBe(113);
      else expect(token).toBeLessThan(113);
    });
  });
});

test("an even modulus is refused", () => {
  expect(() => settingsOf({ modulus: 12 })).toThrow("modular-addition modulus: expected an odd number, got 12");
});
