import { expect, test } from "vitest";
import { type NamedValues, values } from "../../engine/index.ts";
import { resolveTarget, train } from "../targets.ts";
import { type FlipFlopSettings, flipFlopScores } from "./flip-flop.ts";

const settings = resolveTarget("flip-flop", {
  set: { bits: 2, hidden: 2, context: 16 },
}).settings as unknown as FlipFlopSettings;

/** A unit for each bit, which is pushed by `push` at a pulse and keeps itself up by `gain`. */
function byHand(push: number, gain: number): NamedValues {
  const diagonal = (axes: string, value: number): NamedValues[string] => values(axes, [2, 2], [value, 0, 0, value]);
  return {
    W_in: diagonal("feature hidden", push),
    W_rec: diagonal("from hidden", gain),
    b_hidden: values("hidden", [2], [0, 0]),
    W_out: diagonal("hidden output", 1),
    b_out: values("output", [2], [0, 0]),
  };
}

test("units that keep themselves up are right; without recurrence they forget; with a weak pulse they do not listen", async () => {
  const right = await flipFlopScores(settings, byHand(10, 3), { threads: 1 });
  expect(right.accuracy).toBe(1);
  expect(right.heldOutLoss).toBeLessThan(1e-3);
  // Half the pulses of 15 of 16 positions are missing, and 0 has no sign: what is right is what there is a pulse for.
  const forgetful = await flipFlopScores(settings, byHand(10, 0), { threads: 1 });
  expect(Math.abs(forgetful.accuracy! - (1 + 15 / 2) / 16)).toBeLessThan(0.02);
  expect(forgetful.memorylessAccuracy).toBeCloseTo((1 + 15 * 0.75) / 16, 12);
  const deaf = await flipFlopScores(settings, byHand(0.5, 3), { threads: 1 });
  expect(deaf.accuracy).toBeLessThan(0.6);
});

test("training beats what is possible without memory", async () => {
  const { metrics } = await train(resolveTarget("flip-flop", { preset: "quick", set: { steps: 200 } }), { threads: 1 });
  expect(metrics.accuracy).toBeGreaterThan(metrics.memorylessAccuracy! + 0.05);
});
