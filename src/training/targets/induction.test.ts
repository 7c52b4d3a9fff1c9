import { describe, expect, test } from "vitest";
import { sampled } from "../../data/draws.ts";
import { keyFromSeed } from "../../tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";
import { inContextDrop, type InductionSettings } from "./induction.ts";

describe("the drop of the loss in context", () => {
  test("is that between 50/512 and 500/512 of the way", () => {
    // Two rows of 512: the 50th prediction costs 3 and 5, the 500th 1 and 2.
    const losses = new Float64Array(1024).fill(100);
    [losses[49], losses[511 + 50], losses[499], losses[511 + 500]] = [3, 5, 1, 2];
    expect(inContextDrop(losses, 512)).toBe(2.5);
  });

  test("is 0 where nothing is learnt in context", () => {
    expect(inContextDrop(new Float64Array(96).fill(3), 32)).toBe(0);
  });
});

describe("training", () => {
  const tiny = { vocabulary: 8, context: 12, shortest: 3, longest: 6, width: 16, heads: 2, batch: 16, steps: 40 };

  test("brings the loss below chance and measures it with its chance levels", async () => {
    const { metrics } = await train(resolveTarget("induction", { set: tiny }), { threads: 1 });
    expect(metrics.uniformLoss).toBeCloseTo(Math.log(8), 12);
    expect(metrics.secondCopyLoss).toBeLessThan(metrics.uniformLoss!);
    for (const { metric } of targetNamed("induction").success) expect(metrics[metric]).toBeTypeOf("number");
    for (const score of ["prefixMatching", "previousToken", "uniformPrefixMatching", "uniformPreviousToken"]) {
      expect(metrics[score]).toBeGreaterThan(0);
      expect(metrics[score]).toBeLessThan(1);
    }
  });

  test("a marker asks for one token of 128 and two marks", async () => {
    const set = { steps: 2, batch: 8 };
    const document = resolveTarget("induction", { preset: "marker", set });
    const { metrics, weights } = await train(document, { threads: 1 });
    expect(weights["embed.W_E"]!.shape).toEqual([130, 16]);
    expect(metrics.inContextDrop).toBeUndefined();
    // An untrained head looks everywhere alike: the last of 64 positions, one key of 64.
    expect(metrics.uniformPrefixMatching).toBeCloseTo(1 / 64, 12);
  });

  test("batches are as long as the network's context", () => {
    for (const preset of ["default", "marker"]) {
      const { settings } = resolveTarget("induction", { preset });
      const { context } = settings as unknown as InductionSettings;
      const { x } = sampled({ x: targetNamed("induction").batch("data", settings, 4) }, keyFromSeed(0));
      expect(x.shape).toEqual([4, context]);
    }
  });
});
