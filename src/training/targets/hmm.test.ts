import { describe, expect, test } from "vitest";
import { z1r } from "../../data/hidden-markov.ts";
import { resolveTarget, targetNamed, train } from "../targets.ts";

const tiny = { context: 4, layers: 1, width: 8, headWidth: 4, mlpWidth: 8, batch: 32, steps: 60 };
const coin = "[[[0.9]],[[0.1]]]";

describe("transitions", () => {
  test("are any model's: a coin of one state", async () => {
    const { metrics, weights } = await train(resolveTarget("hmm", { set: { ...tiny, transitions: coin } }), {
      threads: 1,
    });
    expect(weights["embed.W_E"]!.shape).toEqual([2, 8]);
    const entropy = -0.9 * Math.log(0.9) - 0.1 * Math.log(0.1);
    expect(metrics.lossFloor).toBeCloseTo(entropy, 9);
    expect(metrics.excessLoss).toBeGreaterThan(0);
    expect(metrics.excessLoss).toBeLessThan(Math.log(2) - entropy);
  });

  test("unless told, those of zero-one-random", () => {
    const network = targetNamed("hmm").network(resolveTarget("hmm").settings);
    expect(network.input.vocab).toBe(z1r().tokens);
  });

  test.each([
    ["[[[1]]", /hmm transitions: expected JSON, got \[\[\[1\]\]/],
    ['[[["a"]]]', /hmm transitions: expected numbers \[token\]\[from\]\[to\], got something else at \[0\]\[0\]\[0\]/],
    ["[[[0.5]],[[0.4]]]", /state 0: expected a sum of 1 over tokens and next states, got 0.9/],
  ])("%s is refused", (transitions, message) => {
    const { settings } = resolveTarget("hmm", { set: { transitions } });
    expect(() => targetNamed("hmm").network(settings)).toThrow(message);
  });
});

// Random-random-XOR is learnt slowly, and in four positions there is little to gain.
test.each([
  ["mess3", 0.5],
  ["rrxor", 0.95],
])("%s: training brings it nearer to the ideal observer and measures all it should", async (name, share) => {
  const excess = async (steps: number): Promise<number> => {
    const { metrics } = await train(resolveTarget(name, { preset: "quick", set: { ...tiny, steps } }), { threads: 1 });
    for (const { metric } of targetNamed(name).success) expect(metrics[metric]).toBeTypeOf("number");
    return metrics.excessLoss!;
  };
  expect(await excess(150)).toBeLessThan(share * (await excess(1)));
});
