import { describe, expect, test } from "vitest";
import type { NamedValues } from "../../engine/index.ts";
import type { Checkpoint } from "../../training/loop.ts";
import { resolveTarget, train } from "../../training/targets.ts";
import { decompose, resolveMethod } from "../methods.ts";
import { activationSource } from "./method.ts";
import { permuted } from "./permuted.ts";
import { memoryTables } from "./store.ts";

const target = resolveTarget("superposition", { set: { features: 12, dimensions: 6 } });
const { weights } = await train(target);
const one = { threads: 1 };
const quick = { C: 24, batch: 64, steps: 60 };

/** Every tensor's numbers. */
const numbers = (tensors: NamedValues): Record<string, number[]> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, Array.from(data)]));

const METHODS: readonly (readonly [string, object])[] = [
  ["sae", {}],
  ["sae", { storeRows: 640, activationNormalization: "expected_average_only_in", geometricMedianStart: true }],
  ["sae", { resampleEvery: 20, l1Coefficient: 5, subtractDecoderBias: true }],
  ["gated", {}],
  ["topk", { deadAfter: 5 }],
  ["batchtopk", { k: 2 }],
  ["jumprelu", { storeRows: 100 }],
  ["matryoshka", { k: 2 }],
];

describe.each(METHODS)("%s %j", (method, set) => {
  const document = resolveMethod(method, { target, set: { ...quick, ...set } });

  test("going on from any checkpoint ends in the same bits", async () => {
    const checkpoints: Checkpoint[] = [];
    const whole = await decompose(document, weights, {
      ...one,
      checkpointEvery: 13,
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    expect(checkpoints.length).toBeGreaterThanOrEqual(5);
    for (const resume of checkpoints.slice(0, -1)) {
      const rest = await decompose(document, weights, { ...one, resume });
      expect(numbers(rest.components)).toEqual(numbers(whole.components));
    }
  });
});

test("a signal stops it after a last checkpoint, and other seeds give other dictionaries", async () => {
  const controller = new AbortController();
  const checkpoints: Checkpoint[] = [];
  const running = decompose(resolveMethod("sae", { target, set: { ...quick, steps: 100_000 } }), weights, {
    ...one,
    signal: controller.signal,
    onMetrics: () => controller.abort(),
    onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
  });
  await expect(running).rejects.toThrow(expect.objectContaining({ code: "Cancelled" }));
  expect(checkpoints).toHaveLength(1);
  const found = await Promise.all(
    [0, 0, 1].map((seed) => decompose(resolveMethod("sae", { target, set: { ...quick, seed } }), weights, one)),
  );
  const [a, again, b] = found.map(({ components }) => numbers(components)["hook_hidden.W_dec"]);
  expect(again).toEqual(a);
  expect(b).not.toEqual(a);
});

test("latents that were silent start anew, and only they", async () => {
  const set = {
    ...quick,
    l1Coefficient: 20,
    l1WarmUp: 0,
    lrWarmUp: 0,
    lr: 0.1,
    resampleEvery: 30,
    steps: 40,
    activationNormalization: "none",
  };
  const document = resolveMethod("sae", { target, set });
  const at: Record<number, NamedValues> = {};
  await decompose(document, weights, {
    ...one,
    checkpointEvery: 1,
    onCheckpoint: ({ step, tensors }) => void (at[step] = tensors),
  });
  const [before, after] = [29, 30].map((step) => at[step]!);
  const silent = before!["silent/hook_hidden"]!.data;
  const anew = Array.from(silent.keys()).filter((c) => silent[c]! >= 15);
  expect(anew.length).toBeGreaterThan(0);
  const rows = (tensors: NamedValues, c: number): number[] =>
    Array.from(tensors["hook_hidden.W_dec"]!.data.slice(c * 6, c * 6 + 6));
  const turned = Array.from(silent.keys()).filter(
    (c) => rows(before!, c).reduce((dot, x, i) => dot + x * rows(after!, c)[i]!, 0) < 0.99,
  );
  expect(turned.filter((c) => !anew.includes(c))).toEqual([]);
  expect(turned.length).toBeGreaterThan(anew.length / 2);
  for (const c of anew) {
    expect(after!["silent/hook_hidden"]!.data[c]).toBe(0);
    expect(after!["adamw.v/hook_hidden.b_enc"]!.data[c]).toBe(0);
    expect(Math.hypot(...rows(after!, c))).toBeCloseTo(1, 6);
  }
});

describe("tables of rows", () => {
  test("a permutation hits every place once, and another key makes another", () => {
    for (const count of [1, 2, 3, 16, 17, 1000]) {
      const places = Array.from({ length: count }, (_, i) => permuted([1, 2], i, count));
      expect([...places].sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    }
    const orders = [1, 2].map((key) => Array.from({ length: 100 }, (_, i) => permuted([key, 0], i, 100)));
    expect(orders[0]).not.toEqual(orders[1]);
  });

  test("hold rows of the network, new ones in each, the same for the same key", async () => {
    const source = await activationSource(target, weights);
    const points = [{ name: "hook_hidden", width: 6 }];
    const tables = await memoryTables(source, points, 500, [3, 4], one);
    const again = await memoryTables(source, points, 500, [3, 4], one);
    const [first, second] = [await tables.table(0), await tables.table(1)];
    expect(numbers(await again.table(0))).toEqual(numbers(first));
    expect(numbers(second)).not.toEqual(numbers(first));
    expect(first.hook_hidden!.shape).toEqual([500, 6]);
    await Promise.all([tables.dispose(), again.dispose()]);
  });
});
