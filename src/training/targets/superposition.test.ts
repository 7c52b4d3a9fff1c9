import { expect, test } from "vitest";
import { interpret } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import type { Checkpoint } from "../loop.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";

test("what comes out is the sum of the directions of the features that are there", async () => {
  const { settings } = resolveTarget("superposition", { set: { features: 6, dimensions: 4 } });
  const target = targetNamed("superposition");
  const { weights } = await target.train(settings);
  const network = target.network(settings);
  const x = target.batch("data", settings, 7);
  const found = interpret({ x, y: network.forward(weightInputs(network.weights), x) }, weights, [1, 2]);
  for (let row = 0; row < 7; row++) {
    for (let k = 0; k < 4; k++) {
      let sum = 0;
      for (let j = 0; j < 6; j++) sum += found.x.data[row * 6 + j]! * weights.F!.data[j * 4 + k]!;
      expect(found.y.data[row * 4 + k]).toBeCloseTo(sum, 6);
    }
  }
});

test("there is nothing to train: one checkpoint, the same for the same seed", async () => {
  const checkpoints: Checkpoint[] = [];
  const document = resolveTarget("superposition");
  const { weights, metrics } = await train(document, { onCheckpoint: (at) => void checkpoints.push(at) });
  expect(checkpoints.map(({ step }) => step)).toEqual([0]);
  expect(weights.F!.shape).toEqual([64, 32]);
  expect(metrics.coherence).toBeGreaterThan(0.4);
  expect((await train(document)).weights).toEqual(weights);
  expect((await train(resolveTarget("superposition", { set: { seed: 1 } }))).weights).not.toEqual(weights);
});

test("every preset makes a network and a batch", async () => {
  const target = targetNamed("superposition");
  for (const preset of Object.keys(target.presets)) {
    const { settings } = resolveTarget("superposition", { preset });
    expect(target.batch("data", settings, 3).shape[1], preset).toBe(settings.features);
    const { metrics } = await target.train(settings);
    expect(metrics.coherence, preset).toBeLessThan(1);
  }
});
