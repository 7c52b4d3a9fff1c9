import { describe, expect, test } from "vitest";
import { type NamedValues, values } from "../../engine/index.ts";
import type { Checkpoint } from "../loop.ts";
import { resolveTarget, train } from "../targets.ts";
import { naiveLoss, type ResidMlpSettings, residMlpScores, residMlpTarget } from "./resid-mlp.ts";

const SMALL = { features: 8, width: 8, neurons: 4, embedding: "identity", featureProbability: 0.1, batch: 256 };
const settingsOf = (set: object): ResidMlpSettings =>
  resolveTarget("resid-mlp", { set: { ...SMALL, ...set } }).settings as unknown as ResidMlpSettings;

/** Neuron i reads feature i and writes it back, where there is a neuron i. */
function byHand(features: number, neurons: number, strength: number): NamedValues {
  const diagonal = (rows: number, columns: number, value: number): Float32Array =>
    Float32Array.from({ length: rows * columns }, (_, i) => (Math.floor(i / columns) === i % columns ? value : 0));
  return {
    "embed.W_E": values("feature d_model", [features, features], diagonal(features, features, 1)),
    "blocks.0.mlp.W_in": values("d_model d_mlp", [features, neurons], diagonal(features, neurons, 1)),
    "blocks.0.mlp.W_out": values("d_mlp d_model", [neurons, features], diagonal(neurons, features, strength)),
  };
}

describe("measures on networks made by hand", () => {
  test("the naive solution has ratio 1, diagonal 1.5 and deviation 0.5", async () => {
    const found = await residMlpScores(settingsOf({}), byHand(8, 4, 1), { threads: 1 });
    expect(Math.abs(found.lossRatio! - 1)).toBeLessThan(0.02);
    expect(found.diagonal).toBeCloseTo(1.5, 6);
    expect(found.diagonalDeviation).toBeCloseTo(0.5, 6);
  });

  test("neurons that do nothing have twice the naive loss, and diagonal 1", async () => {
    const found = await residMlpScores(settingsOf({}), byHand(8, 4, 0), { threads: 1 });
    expect(Math.abs(found.lossRatio! - 2)).toBeLessThan(0.04);
    expect(found).toMatchObject({ diagonal: 1, diagonalDeviation: 0 });
  });

  test("a neuron a feature is right, and there is nothing naive to compare with", async () => {
    const settings = settingsOf({ neurons: 8 });
    expect(naiveLoss(settings)).toBe(0);
    expect(await residMlpScores(settings, byHand(8, 8, 1), { threads: 1 })).toEqual({
      heldOutLoss: 0,
      diagonal: 2,
      diagonalDeviation: 0,
    });
  });
});

describe("training", () => {
  test("gets better than no neurons, leaves the embedding as it was, and goes on to the same bits", async () => {
    const set = { ...SMALL, embedding: "random", width: 40, steps: 200 };
    const document = resolveTarget("resid-mlp", { set });
    const checkpoints: Checkpoint[] = [];
    const whole = await train(document, {
      threads: 1,
      checkpointEvery: 80,
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    expect(whole.metrics.lossRatio).toBeLessThan(1.9);
    expect(Object.keys(whole.weights)).toEqual(
      residMlpTarget.network(document.settings).weights.map(({ name }) => name),
    );
    const W_E = whole.weights["embed.W_E"]!.data;
    for (let i = 0; i < 8; i++) expect(Math.hypot(...W_E.slice(40 * i, 40 * (i + 1)))).toBeCloseTo(1, 6);
    for (const resume of checkpoints) {
      expect(Array.from(resume.tensors["embed.W_E"]!.data)).toEqual(Array.from(W_E));
      expect((await train(document, { threads: 1, resume })).weights).toEqual(whole.weights);
    }
  });

  test("the identity needs as many dimensions as features", async () => {
    const document = resolveTarget("resid-mlp", { set: { ...SMALL, width: 10 } });
    await expect(train(document)).rejects.toThrow("resid-mlp width: expected 8, as many as features");
  });
});
