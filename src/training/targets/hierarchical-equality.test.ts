import { expect, test } from "vitest";
import { equalityCircuit } from "../../network/equality-circuit.ts";
import { resolveTarget, train } from "../targets.ts";
import { hierarchicalEqualityScores, type HierarchicalEqualitySettings } from "./hierarchical-equality.ts";

test("a network that knows only whether anything is unequal is right in three quarters, one that always says true in half", async () => {
  const settings = resolveTarget("hierarchical-equality", { set: { layers: 1, hidden: 16 } })
    .settings as unknown as HierarchicalEqualitySettings;
  // The first layer of the circuit, without the second that weighs one distance against the other.
  const { weights } = equalityCircuit(4);
  const readout = (sign: number): Parameters<typeof hierarchicalEqualityScores>[1] => ({
    "blocks.0.mlp.W_in": weights["blocks.0.mlp.W_in"]!,
    "blocks.0.mlp.b_in": weights["blocks.0.mlp.b_in"]!,
    "unembed.W_U": {
      ...weights["unembed.W_U"]!,
      shape: [16, 2],
      data: Float32Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? sign : 0)),
    },
    "unembed.b_U": weights["unembed.b_U"]!,
  });
  // Wrong where both pairs are unequal, a quarter of inputs.
  expect((await hierarchicalEqualityScores(settings, readout(1), { threads: 1 })).testAccuracy).toBeCloseTo(0.75, 1);
  expect((await hierarchicalEqualityScores(settings, readout(-1), { threads: 1 })).testAccuracy).toBeCloseTo(0.5, 1);
});

test("training beats chance", async () => {
  const document = resolveTarget("hierarchical-equality", { set: { steps: 1000, batch: 256 } });
  const { metrics } = await train(document, { threads: 1 });
  expect(metrics.testAccuracy).toBeGreaterThan(0.6);
});
