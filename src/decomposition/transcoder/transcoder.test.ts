import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { constant, input, type Tensor } from "../../tensor/index.ts";
import type { Checkpoint } from "../../training/loop.ts";
import { resolveTarget, train } from "../../training/targets.ts";
import type { ActivationDecomposition } from "../activation/activation-decomposition.ts";
import { decompose, methodNamed, resolveMethod } from "../methods.ts";

const sizes = { features: 10, width: 8, neurons: 6, layers: 3 };
const target = resolveTarget("resid-mlp", { set: { ...sizes, steps: 100, batch: 256 } });
const { weights } = await train(target, { threads: 1 });
const one = { threads: 1 };
const quick = { C: 12, batch: 64, steps: 40 };

const numbers = (tensors: NamedValues): Record<string, number[]> =>
  Object.fromEntries(Object.entries(tensors).map(([name, { data }]) => [name, Array.from(data)]));

const METHODS: readonly (readonly [string, string, object])[] = [
  ["transcoder", "default", { deadAfter: 5 }],
  ["transcoder", "sae", { resampleEvery: 15 }],
  ["transcoder", "jumprelu", {}],
  ["skip-transcoder", "batchtopk", {}],
  ["crosscoder", "default", {}],
  ["clt", "default", { preActivationCoefficient: 0.01 }],
  ["clt", "default", { code: "relu" }],
];

describe.each(METHODS)("%s %s %j", (method, preset, set) => {
  const document = resolveMethod(method, { target, preset, set: { ...quick, ...set } });

  test("going on from any checkpoint ends in the same bits, and what is saved is what is opened", async () => {
    const checkpoints: Checkpoint[] = [];
    const whole = await decompose(document, weights, {
      ...one,
      checkpointEvery: 13,
      onCheckpoint: (checkpoint) => void checkpoints.push(checkpoint),
    });
    expect(checkpoints.length).toBeGreaterThanOrEqual(3);
    for (const resume of checkpoints.slice(0, -1)) {
      const rest = await decompose(document, weights, { ...one, resume });
      expect(numbers(rest.components)).toEqual(numbers(whole.components));
    }
    const opened = methodNamed(method).open(document, weights, whole.components) as ActivationDecomposition;
    const batch = 5;
    const x = input("x", "batch feature", { batch, feature: sizes.features });
    const feeds = {
      ...opened.values,
      x: values(
        "batch feature",
        [batch, sizes.features],
        Array.from({ length: batch * sizes.features }, (_, i) => Math.max(0, Math.sin(3 * i))),
      ),
    };
    const of = (mask: number, remainder: number): Tensor =>
      opened.masked(x, Object.fromEntries(opened.sites.map(({ name }) => [name, masks(mask)])), {
        remainder: Object.fromEntries(opened.sites.map(({ name }) => [name, constant("", {}, remainder)])),
      });
    const masks = (mask: number): Tensor<"C batch"> =>
      constant("C batch", { C: quick.C, batch }, Array<number>(quick.C * batch).fill(mask));
    const found = interpret(
      { own: opened.network.forward(opened.tensors, x), whole: of(1, 1), parts: of(1, 0), none: of(0, 0) },
      feeds,
    );
    // All components and what they leave over are the network, whatever was trained.
    found.own.data.forEach((y, i) => expect(found.whole.data[i]).toBeCloseTo(y, 8));
    for (const other of ["parts", "none"] as const) expect(found[other].data).not.toEqual(found.own.data);
  });
});

describe("where they act", () => {
  const tms = resolveTarget("tms", { set: { steps: 5, batch: 16 } });

  test("at every MLP unless others are named", async () => {
    const { weights: tmsWeights } = await train(tms, one);
    const blocks = [0, 1, 2].map((l) => `blocks.${l}`);
    const run = async (method: string, set: object, of = target): Promise<unknown> => {
      const document = resolveMethod(method, { target: of, set: { ...quick, steps: 1, ...set } });
      const found = await decompose(document, of === target ? weights : tmsWeights, one);
      const { coders } = methodNamed(method).open(document, found.weights, found.components) as ActivationDecomposition;
      return coders.map(({ site, reads, writes }) => [site.name, reads, writes]);
    };
    expect(await run("transcoder", {})).toEqual(
      blocks.map((b) => [`${b}.hook_mlp_out`, [`${b}.hook_resid_pre`], [`${b}.hook_mlp_out`]]),
    );
    expect(await run("skip-transcoder", { reads: "hook_embed", writes: "blocks.1.hook_mlp_out" })).toEqual([
      ["blocks.1.hook_mlp_out", ["hook_embed"], ["blocks.1.hook_mlp_out"]],
    ]);
    expect(await run("clt", {})).toEqual(
      blocks.map((b, l) => [
        `${b}.hook_mlp_out`,
        [`${b}.hook_resid_pre`],
        blocks.slice(l).map((later) => `${later}.hook_mlp_out`),
      ]),
    );
    const streams = blocks.map((b) => `${b}.hook_resid_post`);
    expect(await run("crosscoder", {})).toEqual([["crosscoder", streams, streams]]);
    // Without blocks: from the first point whose rows are those of the last to the last; those of one width.
    expect(await run("transcoder", {}, tms)).toEqual([["hook_post", ["hook_hidden"], ["hook_post"]]]);
    expect(await run("crosscoder", {}, tms)).toEqual([
      ["crosscoder", ["hook_pre", "hook_post"], ["hook_pre", "hook_post"]],
    ]);
  });
});

describe("are refused in one line:", () => {
  const REFUSED: readonly (readonly [string, object, string])[] = [
    ["transcoder", { reads: "blocks.0.hook_resid_post" }, "reads and writes: expected as many points, got 1 and 3"],
    [
      "transcoder",
      { reads: "blocks.2.hook_resid_pre", writes: "blocks.0.hook_mlp_out" },
      "reads: expected a point before blocks.0.hook_mlp_out, got blocks.2.hook_resid_pre",
    ],
    ["transcoder", { reads: "blocks.0.hook_resid_per" }, "hook point: expected blocks.0.hook_resid_pre"],
    ["transcoder", { k: 13 }, "transcoder k: expected at most 12, the latents there are, got 13"],
    [
      "transcoder",
      { l1Coefficient: 3 },
      "transcoder l1Coefficient: expected 0.05 for latents of kind topk, which has none, got 3; --preset topk starts without",
    ],
    ["transcoder", { kind: "tokp" }, "transcoder kind: expected topk, got tokp"],
    ["transcoder", { activationNormalization: "layer_norm" }, "transcoder activationNormalization: expected"],
    [
      "crosscoder",
      { points: "blocks.0.hook_resid_pre,blocks.0.mlp.hook_pre" },
      "crosscoder points: expected hook points of one width and as many rows an example, got 1 × 8 at blocks.0.hook_resid_pre and 1 × 6 at blocks.0.mlp.hook_pre",
    ],
    ["crosscoder", { points: "hook_embed" }, "crosscoder points: expected two or more hook points, got hook_embed"],
    [
      "clt",
      {
        reads: "blocks.0.hook_resid_pre,blocks.1.hook_resid_pre",
        writes: "blocks.0.mlp.hook_pre,blocks.1.hook_mlp_out",
      },
      "clt writes: expected hook points of one width, got 6 at blocks.0.mlp.hook_pre and 8 at blocks.1.hook_mlp_out",
    ],
  ];
  test.each(REFUSED)("%s %j", (method, set, message) => {
    expect(() => resolveMethod(method, { target, set: { ...quick, ...set } })).toThrow(message);
  });

  test("networks without MLPs, or with too few points", () => {
    const attentionOnly = resolveTarget("induction", { preset: "quick" });
    const superposition = resolveTarget("superposition", { set: { features: 8, dimensions: 4 } });
    const oneMlp = resolveTarget("modular-addition", { preset: "quick" });
    for (const method of ["transcoder", "skip-transcoder", "clt"]) {
      expect(resolveMethod(method, { target: oneMlp }).method).toBe(method);
      for (const lacking of [superposition, attentionOnly]) {
        expect(() => resolveMethod(method, { target: lacking })).toThrow(
          `${method} of ${lacking.target}: expected a network with MLPs, or without attention and with two hook points`,
        );
      }
    }
    expect(() => resolveMethod("crosscoder", { target: superposition })).toThrow(
      "crosscoder of superposition: expected a network with two or more hook points of one width",
    );
  });
});
