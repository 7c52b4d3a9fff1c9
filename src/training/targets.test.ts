import { describe, expect, test } from "vitest";
import type { Checkpoint } from "./loop.ts";
import { resolveTarget, train } from "./targets.ts";

describe("documents", () => {
  test("a preset, then what is set, then defaults; text becomes what the schema needs", () => {
    const { settings } = resolveTarget("tms", { preset: "tms-40-10", set: { batch: "64", identity: "true" } });
    expect(settings).toMatchObject({ features: 40, hidden: 10, batch: 64, identity: true, seed: 0, attempts: 1 });
  });

  test.each([
    [{ target: "tmss" }, /target: expected tms, got tmss/],
    [{ preset: "tms-5-3" }, /tms preset: expected tms-5-2, got tms-5-3/],
    [{ set: { featurs: "5" } }, /tms settings: expected features, got featurs/],
    [{ set: { features: "1" } }, /tms features: .*>=2.*, got 1/],
    [{ set: { features: "many" } }, /tms features: .*got "many"/],
  ])("%j is refused", ({ target = "tms", ...options }: { target?: string; preset?: string; set?: object }, message) => {
    expect(() => resolveTarget(target, options as never)).toThrow(message);
  });
});

describe("training", () => {
  const quick = { steps: 400, batch: 256, attempts: 1 };

  test("the same document gives the same bits, another seed others", async () => {
    const bits = async (seed: number): Promise<number[]> =>
      Array.from((await train(resolveTarget("tms", { set: { ...quick, seed } }), { threads: 1 })).weights.W!.data);
    expect(await bits(1)).toEqual(await bits(1));
    expect(await bits(1)).not.toEqual(await bits(2));
  });

  test("5 features find their pentagon", async () => {
    const { weights, metrics } = await train(resolveTarget("tms", { preset: "quick" }), { threads: 1 });
    expect(metrics.represented).toBe(5);
    const W = weights.W!.data;
    const angles = Array.from({ length: 5 }, (_, i) => Math.atan2(W[2 * i + 1]!, W[2 * i]!)).sort((a, b) => a - b);
    const gaps = angles.map((angle, i) => (i < 4 ? angles[i + 1]! - angle : angles[0]! + 2 * Math.PI - angle));
    for (const gap of gaps) expect(Math.abs(gap - (2 * Math.PI) / 5)).toBeLessThan(0.15);
  });

  test("going on from any checkpoint, through several attempts, ends in the same bits", async () => {
    // Hardly trained, rows stay as unequal as they started: every attempt is used.
    const document = resolveTarget("tms", {
      set: { features: 10, hidden: 2, start: "linear", learningRate: 1e-4, steps: 100, batch: 64, attempts: 3 },
    });
    const checkpoints: Checkpoint[] = [];
    const whole = await train(document, {
      threads: 1,
      checkpointEvery: 40,
      onCheckpoint: (c) => void checkpoints.push(c),
    });
    expect(whole.metrics.attempts).toBe(3);
    for (const resume of checkpoints) {
      const rest = await train(document, { threads: 1, resume });
      expect(rest.weights).toEqual(whole.weights);
      expect(rest.metrics.attempts).toBe(3);
    }
  });

  test("a signal stops it after a last checkpoint", async () => {
    const controller = new AbortController();
    const checkpoints: Checkpoint[] = [];
    const running = train(resolveTarget("tms", { set: { steps: 100_000, batch: 64 } }), {
      threads: 1,
      signal: controller.signal,
      onMetrics: () => controller.abort(),
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    await expect(running).rejects.toThrow(expect.objectContaining({ code: "Cancelled" }));
    expect(checkpoints).toHaveLength(1);
  });

  test("a rate that makes NaN ends with the step and the place, and the checkpoints before it", async () => {
    const checkpoints: Checkpoint[] = [];
    const running = train(resolveTarget("tms", { set: { steps: 200, batch: 64, learningRate: 1e30 } }), {
      threads: 1,
      checkpointEvery: 1,
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    await expect(running).rejects.toThrow(/train: step \d+: .*(first at|finite loss)/);
    for (const { tensors } of checkpoints) expect(tensors.W!.data.every(Number.isFinite)).toBe(true);
  });
});
