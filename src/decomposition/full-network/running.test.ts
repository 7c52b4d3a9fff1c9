/** Whole runs of the methods whose components span the network: resuming, cancelling, refusing, recovering. */
import { beforeAll, describe, expect, test } from "vitest";
import { judge } from "../../evidence/judge.ts";
import type { NamedValues } from "../../engine/index.ts";
import type { Checkpoint, LoopOptions } from "../../training/loop.ts";
import { resolveTarget, train } from "../../training/targets.ts";
import { type Decomposed, decompose, methodNamed, resolveMethod } from "../methods.ts";

const target = resolveTarget("tms", { preset: "quick" });
let weights: NamedValues;
beforeAll(async () => {
  weights = (await train(target, { threads: 1 })).weights;
});

describe.each(["apd", "l3d"])("%s", (method) => {
  const run = (set: object, options: LoopOptions = {}): Promise<Decomposed> => {
    const document = resolveMethod(method, { target, set: { steps: 40, batch: 64, ...set } });
    return decompose(document, weights, { threads: 1, checkpointEvery: 15, ...options });
  };

  test("goes on to the same bits from any checkpoint", async () => {
    const checkpoints: Checkpoint[] = [];
    const { components } = await run({}, { onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint) });
    expect(checkpoints.map(({ step }) => step)).toEqual([15, 30, 40]);
    for (const resume of checkpoints.slice(0, 2)) expect((await run({}, { resume })).components).toEqual(components);
    expect((await run({})).components).toEqual(components);
    expect((await run({ seed: 1 })).components).not.toEqual(components);
  });

  test("cancelled, keeps where it was, and goes on from there to the same bits", async () => {
    const whole = (await run({})).components;
    const stop = new AbortController();
    const kept: Checkpoint[] = [];
    const options: LoopOptions = {
      signal: stop.signal,
      onCheckpoint: (checkpoint) => void kept.push(checkpoint),
      metricsEvery: 1,
      onMetrics: ({ step }) => void (step === 5 && stop.abort()),
    };
    await expect(run({}, options)).rejects.toThrow("decompose: stopped at step");
    const last = kept.at(-1)!;
    expect(last.step).toBeLessThan(40);
    expect((await run({}, { resume: last })).components).toEqual(whole);
  });

  test("has all presets for any network it takes, each of which makes a document", () => {
    const other = resolveTarget("resid-mlp", { preset: "quick" });
    const names = Object.keys(methodNamed(method).presets(target));
    expect(Object.keys(methodNamed(method).presets(other))).toEqual(names);
    for (const preset of names) expect(resolveMethod(method, { target, preset }).preset).toBe(preset);
  });

  test("refuses networks with positions in one line", () => {
    const stories = resolveTarget("induction");
    expect(() => resolveMethod(method, { target: stories })).toThrow(
      `${method} of induction: expected a network without positions`,
    );
  });

  test("is judged, whatever it has found", async () => {
    const verdict = await judge(await run({}), { threads: 1 });
    expect(Object.keys(verdict.sites)).toEqual(["linear1", "linear2"]);
    for (const { mmcs, relativeFaithfulness } of Object.values(verdict.sites)) {
      expect(mmcs).toBeGreaterThan(0);
      expect(relativeFaithfulness).toBeGreaterThan(0);
    }
  }, 60_000);
});

test("APD without neurons has no hidden reconstruction, and says so", async () => {
  const document = resolveMethod("apd", { target, set: { hiddenReconstruction: 1, steps: 1 } });
  await expect(decompose(document, weights, { threads: 1 })).rejects.toThrow(
    "apd hiddenReconstruction: expected a network with hook points",
  );
});

test("APD of a residual MLP: neurons are reconstructed, and its verdict has what they contribute", async () => {
  const set = { features: 5, width: 8, neurons: 3, layers: 2, featureProbability: 0.3, steps: 3, batch: 32 };
  const mlp = resolveTarget("resid-mlp", { set });
  const trained = (await train(mlp, { threads: 1 })).weights;
  const few = { components: 4, factors: 2, steps: 3, batch: 32 };
  const document = resolveMethod("apd", { target: mlp, preset: "apd-resid-mlp-1", set: few });
  const found = await decompose(document, trained, { threads: 1 });
  expect(found.metrics.hiddenReconstruction).toBeGreaterThan(0);
  const verdict = await judge(found, { threads: 1 });
  expect(Object.keys(verdict.sites)).toHaveLength(4);
  expect(Number.isFinite(verdict.contributionCorrelation)).toBe(true);
}, 60_000);

test("L3D finds one direction a feature, and with it what each matrix does for that feature", async () => {
  const document = resolveMethod("l3d", { target });
  const verdict = await judge(await decompose(document, weights, { threads: 1 }), { threads: 1 });
  expect(verdict.mmcs).toBeGreaterThan(0.999);
  expect(verdict.targetCiError).toBe(0);
}, 120_000);
