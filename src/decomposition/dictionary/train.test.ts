import { describe, expect, test } from "vitest";
import { interpret, itemOf, type NamedValues, scalarValue, values } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { add, constant, div, input, mean, square, sub, sum, type Tensor } from "../../tensor/index.ts";
import type { Checkpoint } from "../../training/loop.ts";
import { resolveTarget, targetNamed, train } from "../../training/targets.ts";
import { decompose, methodNamed, resolveMethod } from "../methods.ts";
import { dictionaryWeights } from "./dictionary.ts";
import { KINDS } from "./kinds/kinds.ts";
import { activationSource } from "./method.ts";
import { permuted } from "./permuted.ts";
import { rowUnits } from "./row-scale.ts";
import { rowsAt } from "./rows.ts";
import { type Normalisation, saeSettings } from "./settings.ts";
import { memoryTables } from "./store.ts";
import { dictionaryTraining, shapeOf } from "./training.ts";

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
  ["sae", { endToEnd: "output" }],
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

describe("what a dictionary is trained on in other units, it does on activations as they are", () => {
  test.each([
    ["sae", { activationNormalization: "expected_average_only_in", l1Coefficient: 0.05 }],
    ["gated", { activationNormalization: "expected_average_only_in", subtractDecoderBias: true, l1Coefficient: 0.05 }],
    ["jumprelu", { activationNormalization: "expected_average_only_in", l0Coefficient: 0.01 }],
    ["topk", { activationNormalization: "constant_norm_rescale", k: 4 }],
    ["sae", { activationNormalization: "layer_norm", subtractDecoderBias: true, l1Coefficient: 0.05 }],
  ])("%s %j", async (method, set) => {
    const document = resolveMethod(method, { target, set: { ...quick, batch: 256, steps: 400, ...set } });
    const { components, metrics } = await decompose(document, weights, one);
    const opened = methodNamed(method).open(document, weights, components);
    const x = targetNamed("superposition").batch("data", target.settings, 512);
    const y = opened.network.forward(opened.tensors, x);
    const ones = constant("C batch", { C: 24, batch: 512 }, 1) as Tensor<"C batch">;
    const output = opened.masked(x, { hook_hidden: ones });
    const scale =
      set.activationNormalization === "expected_average_only_in"
        ? undefined
        : rowUnits(y, set.activationNormalization as Normalisation);
    // Rows of very different lengths count alike in training.
    const inUnits = (value: Tensor): Tensor =>
      scale === undefined ? value : (div(value, add(scale.length, 1e-5)) as Tensor);
    const left = sum(square(inUnits(sub(y, output) as Tensor)));
    const all = scale?.rows ?? y;
    const spread = sum(square(sub(all, mean(all, "batch") as Tensor) as Tensor));
    const { fvu } = interpret({ fvu: div(left, spread) }, opened.values, [7, 8]);
    // Two batches of a few hundred rows.
    expect(itemOf(fvu)).toBeGreaterThan(0.6 * metrics.unexplained!);
    expect(itemOf(fvu)).toBeLessThan(1.6 * metrics.unexplained!);
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

describe("end to end", () => {
  const one = { name: "hook_hidden", width: 6 };
  const placed = { site: "hook_hidden", reads: one, writes: one, C: 24 };
  const network = targetNamed("superposition").network(target.settings);
  const x = input("x", "batch feature", { batch: 5, feature: 12 });
  const inputs = weightInputs(network.weights);

  /** The metrics of one step on five examples. */
  function metrics(set: object): Record<string, number> {
    const settings = saeSettings.parse({ ...quick, batch: 5, ...set });
    const training = dictionaryTraining([placed], KINDS.sae, settings, network);
    const rows = rowsAt(network, inputs, x, [one.name]);
    const specs = dictionaryWeights(shapeOf(placed, KINDS.sae));
    const { metrics: found } = training.objective(weightInputs(specs), { rows, run: { x, weights: inputs } });
    const data = Float32Array.from({ length: 60 }, (_, i) => Math.max(0, Math.sin(i)));
    const sample = {
      hook_hidden: values(
        "row d",
        [3, 6],
        Float32Array.from({ length: 18 }, (_, i) => Math.cos(i)),
      ),
    };
    const state = { ...training.first(sample, [1, 2]), pressure: scalarValue(1), ...weights };
    const results = interpret({ ...found }, { ...state, x: values("batch feature", [5, 12], data) });
    return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, itemOf(value)]));
  }

  test("where the activation is the output, the output's error is the activation's", () => {
    const local = metrics({});
    for (const activationNormalization of ["none", "expected_average_only_in", "layer_norm"]) {
      const set = { activationNormalization, l1Coefficient: 0 };
      const whole = metrics({ ...set, endToEnd: "output", localCoefficient: 1 });
      if (activationNormalization === "none") expect(whole.reconstruction).toBeCloseTo(local.reconstruction!, 10);
      // A mean over six outputs, not their sum; and no longer in the units of training.
      expect(whole.output).toBeGreaterThan(0);
      if (activationNormalization === "none") expect(whole.output! * 6).toBeCloseTo(whole.reconstruction!, 10);
      expect(whole.loss).toBeCloseTo(whole.output! + whole.reconstruction!, 10);
    }
  });

  test("later activations are looked at where they are asked for", async () => {
    const tms = resolveTarget("tms", { set: { features: 6, hidden: 3, steps: 20, attempts: 1 } });
    const trained = await train(tms);
    const set = { point: "hook_hidden", ...quick, steps: 30, endToEnd: "downstream" };
    const { metrics: found } = await decompose(resolveMethod("sae", { target: tms, set }), trained.weights, {
      threads: 1,
    });
    expect(found.downstream).toBeGreaterThan(0);
    expect(found.reconstruction).toBeUndefined();
    expect(found.loss).toBeCloseTo(found.output! + found.downstream! + found.sparsity!, 5);
  });
});

test("of sequences, rows are positions, shuffled, and a dictionary goes on within a table as elsewhere", async () => {
  const induction = resolveTarget("induction", { set: { steps: 1, batch: 2 } });
  const trained = await train(induction, one);
  const set = { ...quick, storeRows: 300, batch: 40, steps: 12 };
  const document = resolveMethod("topk", { target: induction, set });
  const checkpoints: Checkpoint[] = [];
  const whole = await decompose(document, trained.weights, {
    ...one,
    checkpointEvery: 5,
    onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
  });
  // Seven steps use a table up; that alone is no reason for a checkpoint.
  expect(checkpoints.map(({ step }) => step)).toEqual([5, 10, 12]);
  const rest = await decompose(document, trained.weights, { ...one, resume: checkpoints[0]! });
  expect(numbers(rest.components)).toEqual(numbers(whole.components));
  const opened = methodNamed("topk").open(document, trained.weights, whole.components);
  expect(opened.components).toHaveLength(24);
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

describe("points", () => {
  test("several get a dictionary each, as if each had been made alone", async () => {
    const tms = resolveTarget("tms", { set: { features: 6, hidden: 3, steps: 20, attempts: 1 } });
    const trained = await train(tms, one);
    const made = (point: string): Promise<NamedValues> => {
      const document = resolveMethod("sae", { target: tms, set: { ...quick, point, clipNorm: 0.5 } });
      return decompose(document, trained.weights, one).then(({ components }) => components);
    };
    const [both, alone] = [await made("hook_hidden, hook_p*"), await made("hook_pre")];
    expect(Object.keys(both).filter((name) => name.endsWith(".W_enc"))).toHaveLength(3);
    const ofPre = Object.entries(both).filter(([name]) => name.startsWith("hook_pre."));
    expect(numbers(Object.fromEntries(ofPre))).toEqual(numbers(alone));
  });

  test.each([
    [{ point: "hook_hiden" }, "hook point: expected hook_hidden, got hook_hiden"],
    [{ point: "blocks.0.hook_resid_post" }, /hook point: expected .*got blocks\.0\.hook_resid_post/],
  ])("%j is refused", (set, message) => {
    expect(() => resolveMethod("sae", { target, set })).toThrow(message);
  });

  test.each([
    ["topk", { C: 4, k: 5 }, "topk k: expected at most 4, the latents there are, got 5"],
    ["matryoshka", { prefixes: "0.5,0.2" }, "matryoshka prefixes: expected rising fractions up to 1, got 0.5,0.2"],
    ["sae", { pEnd: 0.5, pFrom: 1 }, "sae pFrom: expected less than 1 where p falls, got 1"],
  ])("%s %j is refused", (method, set, message) => {
    expect(() => resolveMethod(method, { target, set })).toThrow(message);
  });
});
