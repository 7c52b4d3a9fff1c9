/** Baselines as methods: the same from the same seed, stopped when asked, and masks that do what they say. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues } from "../../engine/index.ts";
import { interchangeAccuracy, interchanged } from "../../intervention/alignment/interchange.ts";
import { randomSubspace } from "../../intervention/alignment/distributed-alignment-search.ts";
import { axisSize, constant, foldIn, keyFromSeed, mul, type Tensor } from "../../tensor/index.ts";
import type { Checkpoint, MetricsRow } from "../../training/loop.ts";
import { resolveTarget, targetNamed, train } from "../../training/targets.ts";
import type { ActivationDecomposition } from "../activation/activation-decomposition.ts";
import { type Decomposed, decompose, methodNamed, resolveMethod } from "../methods.ts";
import { CAUSAL_MODELS } from "./causal-models.ts";

const one = { threads: 1 };
const known = resolveTarget("superposition", { set: { features: 12, dimensions: 6 } });
const directions = (await train(known, one)).weights;
const few = { samples: 500 };
const FITTED: readonly (readonly [string, object])[] = [
  ["pca", few],
  ["ica", few],
  ["kmeans", few],
  ["kmeans", { ...few, spherical: true, count: 9 }],
  ["random", few],
  ["random", { ...few, count: 4, rank: 2 }],
  ["rotation", {}],
  ["probes", few],
];

const numbers = (tensors: NamedValues): Record<string, number[]> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, Array.from(data)]));

const fitted =
  (method: string, set: object) =>
  (seed: number, options = {}): Promise<Decomposed> =>
    decompose(resolveMethod(method, { target: known, set: { ...set, seed } }), directions, { ...one, ...options });

describe.each(FITTED)("%s %j", (method, set) => {
  const run = fitted(method, set);

  test("is decided by its seed, and what it found is kept", async () => {
    const [checkpoints, rows]: [Checkpoint[], MetricsRow[]] = [[], []];
    const kept = {
      onCheckpoint: (at: Checkpoint) => void checkpoints.push(at),
      onMetrics: (row: MetricsRow) => void rows.push(row),
    };
    const [first, again, other] = [await run(0, kept), await run(0), await run(1)];
    expect(numbers(again.components)).toEqual(numbers(first.components));
    expect(numbers(other.components)).not.toEqual(numbers(first.components));
    expect(checkpoints.map(({ tensors }) => numbers(tensors))).toEqual([numbers(first.components)]);
    const last = rows.at(-1)!;
    for (const [name, value] of Object.entries(first.metrics)) expect(last[name]).toBe(value);
    const { components } = await run(0, { resume: checkpoints[0] });
    expect(numbers(components)).toEqual(numbers(first.components));
  });
});

describe.each(FITTED.filter(([method]) => method !== "rotation"))("%s %j, on data,", (method, set) => {
  const run = fitted(method, set);

  test("is stopped where somebody asks", async () => {
    const controller = new AbortController();
    controller.abort();
    const checkpoints: Checkpoint[] = [];
    const stopped = run(0, { signal: controller.signal, onCheckpoint: (at: Checkpoint) => void checkpoints.push(at) });
    await expect(stopped).rejects.toThrow(expect.objectContaining({ code: "Cancelled" }));
    expect(checkpoints).toEqual([]);
  });
});

describe.each(FITTED.filter(([, set]) => "samples" in set).filter(([method]) => method !== "probes"))(
  "%s %j, with rows in memory,",
  (method, set) => {
    const run = fitted(method, set);

    test("says what memory it needs, and is refused more than there is", async () => {
      const told: number[] = [];
      await run(0, { onMemory: (bytes: number) => void told.push(bytes) });
      expect(told).toHaveLength(1);
      // The rows, at least.
      expect(told[0]).toBeGreaterThanOrEqual(500 * 6 * 4);
      await expect(run(0, { memoryLimit: told[0]! - 1 })).rejects.toThrow(expect.objectContaining({ code: "Refused" }));
    });
  },
);

describe("settings", () => {
  const refused =
    (method: string, set: object): (() => unknown) =>
    () =>
      resolveMethod(method, { target: known, set: set as Record<string, unknown> });

  test("that contradict a network are refused in one line", () => {
    expect(refused("pca", { count: 7 })).toThrow(
      "pca: hook_hidden: expected at most 6 components, one a dimension, got 7",
    );
    expect(refused("random", { rank: 7 })).toThrow(
      "random: hook_hidden: expected subspaces of at most 6 dimensions, got 7",
    );
    expect(refused("kmeans", { samples: 3 })).toThrow(
      "kmeans: hook_hidden: expected at most 3 components, one a sample, got 6",
    );
    expect(refused("pca", { point: "hook_hiden" })).toThrow("hook point: expected hook_hidden, got hook_hiden");
    expect(refused("heads", {})).toThrow("heads of superposition: expected a network with attention heads");
    expect(refused("das", {})).toThrow(
      "das of superposition: expected a network with a known causal model, hierarchical-equality",
    );
    const tokens = resolveTarget("induction", {});
    expect(() => resolveMethod("probes", { target: tokens })).toThrow(
      "probes of induction: expected a network whose inputs are its features",
    );
    expect(() => resolveMethod("heads", { target: tokens, set: { point: "blocks.0.hook_resid_post" } })).toThrow(
      'heads: blocks.0.hook_resid_post: expected "… head d_head", got "batch pos d_model"',
    );
  });
});

describe("heads", async () => {
  const target = resolveTarget("induction", {
    set: { steps: 1, width: 8, heads: 2, context: 6, shortest: 2, longest: 3, batch: 2 },
  });
  const { weights } = await train(target, one);
  const document = resolveMethod("heads", { target });
  const { components } = await decompose(document, weights, one);
  const decomposition = methodNamed("heads").open(document, weights, components) as ActivationDecomposition;
  const x = targetNamed("induction").batch("data", target.settings, 2);

  test("are two a layer, of four dimensions, and cost no more than their index", () => {
    expect(decomposition.components).toHaveLength(4);
    expect(decomposition.components.map(({ rank, bits }) => [rank, bits])).toEqual([1, 2, 3, 4].map(() => [4, 1]));
    expect(decomposition.points).toEqual(["blocks.0.attn.hook_z", "blocks.1.attn.hook_z"]);
  });

  test("one that is masked carries nothing", () => {
    const rows = axisSize(decomposition.activity(x)["blocks.1.attn.hook_z"]!, "batch");
    const mask = constant(
      "C batch",
      { C: 2, batch: rows },
      Array.from({ length: 2 * rows }, (_, i) => (i < rows ? 1 : 0)),
    );
    const masked = decomposition.masked(x, { "blocks.1.attn.hook_z": mask as Tensor<"C batch"> });
    const keep = constant("head", { head: 2 }, [1, 0]);
    const ablated = decomposition.network.forward(decomposition.tensors, x, {
      at: (point, value) => (point === "blocks.1.attn.hook_z" ? mul(value, keep as Tensor) : undefined),
    });
    const found = interpret({ masked, ablated }, decomposition.values, keyFromSeed(1));
    expect([...found.masked.data]).toEqual([...found.ablated.data]);
  });
});

describe("probes", () => {
  test("of orthogonal features read each alone, and write its direction", async () => {
    const set = { features: 5, dimensions: 8, geometry: "orthogonal" };
    const target = resolveTarget("superposition", { set });
    const { weights } = await train(target, one);
    const { components, metrics } = await decompose(resolveMethod("probes", { target, set: few }), weights, one);
    expect(metrics.readVariance).toBeGreaterThan(1 - 1e-4);
    const written = components["hook_hidden.W_dec"]!.data;
    weights.F!.data.forEach((f, i) => expect(written[i]).toBeCloseTo(f, 2));
  });

  test("of more features than dimensions cannot, and write their directions still", async () => {
    const set = { samples: 100_000 };
    const { components, metrics } = await decompose(resolveMethod("probes", { target: known, set }), directions, one);
    expect(metrics.readVariance).toBeLessThan(0.75);
    const written = components["hook_hidden.W_dec"]!.data;
    directions.F!.data.forEach((f, i) => expect(written[i]).toBeCloseTo(f, 2));
  });
});

describe("das", async () => {
  const target = resolveTarget("hierarchical-equality", { set: { hidden: 8, layers: 2, steps: 300, batch: 256 } });
  const { weights } = await train(target, one);
  const document = resolveMethod("das", { target, set: { steps: 60, batch: 128, rank: 3 } });
  const { components, metrics } = await decompose(document, weights, one);
  const decomposition = methodNamed("das").open(document, weights, components) as ActivationDecomposition;
  const model = CAUSAL_MODELS["hierarchical-equality"]!;
  const point = "blocks.0.mlp.hook_post";
  const place = { network: decomposition.network, point, axis: "d_mlp" };
  const pairs = (batch: number): ReturnType<typeof model.pairs> => model.pairs(target.settings, "left", batch);

  test("another input's component in place of one's own is an interchange intervention", () => {
    const drawn = pairs(30);
    const none = constant("C batch", { C: 1, batch: 30 }, new Float32Array(30)) as Tensor<"C batch">;
    const swapped = decomposition.masked(
      drawn.base,
      { [point]: none },
      { instead: decomposition.carried(drawn.source), remainder: { [point]: constant("", {}, 1) } },
    );
    const W_dec = decomposition.tensors[`${point}.W_dec`]!;
    const { data, shape } = components[`${point}.W_dec`]!;
    expect([...shape]).toEqual([1, 3, 8]);
    const frame = constant(
      "d k",
      { d: 8, k: 3 },
      Array.from({ length: 24 }, (_, i) => data[(i % 3) * 8 + Math.floor(i / 3)]!),
    );
    const exchanged = interchanged(place, decomposition.tensors, drawn, frame as Tensor<"d k">);
    const found = interpret({ swapped, exchanged, W_dec }, decomposition.values, keyFromSeed(2));
    found.swapped.data.forEach((value, i) => expect(value).toBeCloseTo(found.exchanged.data[i]!, 5));
  });

  test("says how often the network does what the causal model says, more often than in a random subspace", async () => {
    const random = randomSubspace(8, 3, foldIn(keyFromSeed(5), "random"));
    const chance = await interchangeAccuracy(place, weights, random, {
      pairs,
      readout: model.readout,
      n: 10_000,
      seed: 1,
    });
    expect(metrics.interchangeAccuracy).toBeGreaterThan(chance.accuracy);
  });

  test("names what it can look for", () => {
    const set = { variable: "lef" };
    expect(() => resolveMethod("das", { target, set })).toThrow("causal variable: expected left, got lef");
    expect(() => resolveMethod("das", { target, set: { rank: 9 } })).toThrow("expected at most 8 dimensions, got 9");
  });
});
