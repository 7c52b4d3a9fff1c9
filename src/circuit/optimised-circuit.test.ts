/** Circuits of a network that knows its answer twice over: who looks complete, and who is. */
import { describe, expect, test } from "vitest";
import { scalarGates } from "../decomposition/parameter/importance/scalar-gate.ts";
import { ParameterDecomposition } from "../decomposition/parameter/parameter-decomposition.ts";
import { type NamedValues, values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { observe } from "./observed.ts";
import { readTask } from "./objective.ts";
import { optimisedCircuit } from "./optimised-circuit.ts";
import { regimes } from "./regimes.ts";

/**
 * One matrix of 2 inputs and 3 outputs, logits; components are known, and each gate says 1 wherever its component reads anything.
 *
 * Component 0 reads input 0 and votes for class 0, with 6; component 1 reads input 1 and votes for class 1, with 9, if anything is there;
 * component 2 reads input 1 and takes that vote back. On an input with both, the answer is class 0: because of 0, and because 2 silences 1.
 */
const network = { ...mlp({ features: 2, hidden: [], outputs: 3, activation: "none", bias: false }), logits: "output" };
const site = "unembed.W_U";
const gates: NamedValues = {
  [`${site}.gate.W_in`]: values(
    "C gate",
    [4, 2],
    [1, -1, 1, -1, 1, -1, 1, -1].map((x) => x * 50),
  ),
  [`${site}.gate.b_in`]: values("C gate", [4, 2], new Float32Array(8)),
  [`${site}.gate.W_out`]: values("C gate", [4, 2], new Float32Array(8).fill(1)),
  [`${site}.gate.b_out`]: values("C", [4], new Float32Array(4)),
};
const components: NamedValues = {
  ...gates,
  // d_in × C: component 3 reads what is not there.
  [`${site}.V`]: values("d_in C", [2, 4], [1, 0, 0, 0, 0, 1, 1, 0]),
  [`${site}.U`]: values("C d_out", [4, 3], [6, 0, 0, 0, 9, 0, 0, -9, 0, 0, 0, 50]),
};
const W = { [site]: values("d_in d_out", [2, 3], [6, 0, 0, 0, 0, 0]) };
const subject = new ParameterDecomposition(network, W, components, scalarGates(2));
const x = values("batch feature", [1, 2], [1, 1]);
const short = { steps: 300, learningRate: 0.02, importanceMinimality: 0.3 };
const kept = (nodes: readonly { readonly address: string }[]): string[] => nodes.map(({ address }) => address).sort();

describe("a circuit of one input", () => {
  test("without an adversary forgets what keeps a rival silent, and falls when it is attacked", async () => {
    const found = await optimisedCircuit(subject, x, { token: 0 }, { ...short, adversarial: 0, stochastic: 0 });
    expect(found.alive).toBe(3);
    expect(kept(found.nodes)).toEqual([`${site}:0`]);
    expect(found.network.probability).toBeCloseTo(0.995, 2);
    expect(found.after.ciMasked.probability).toBeGreaterThan(0.98);
    // The vote for class 1 comes back alone: e^9 against e^6.
    expect(found.after.adversarial.probability).toBeLessThan(0.1);
    expect(found.after.stochastic.probability).toBeLessThan(found.after.ciMasked.probability!);
    expect(found.before.adversarial.probability).toBeGreaterThan(0.98);
  });

  test("with one keeps it", async () => {
    const found = await optimisedCircuit(subject, x, { token: 0 }, short);
    expect(kept(found.nodes)).toContain(`${site}:2`);
    expect(found.after.ciMasked.probability).toBeGreaterThan(0.9);
    expect(found.after.adversarial.probability).toBeGreaterThan(0.8);
  });

  test("what was not alive is nobody's: the adversary may not move it", async () => {
    const seen = await observe(subject, x);
    const task = readTask(subject, seen, { token: 0 });
    const nodes = (data: readonly number[]): NamedValues => ({ [site]: values("C pos", [4, 1], data) });
    const none = await regimes(subject, x, task, { kept: nodes([0, 0, 0, 0]), alive: nodes([0, 0, 0, 0]) });
    // With nothing to move, the worst is the worst of a few draws of what is random.
    expect(none.adversarial.divergence).toBeGreaterThan(0);
    const whole = await regimes(subject, x, task, { kept: nodes([1, 1, 1, 0]), alive: nodes([1, 1, 1, 0]) });
    for (const { divergence, probability } of [whole.ciMasked, whole.stochastic, whole.adversarial]) {
      expect(divergence).toBeCloseTo(0, 4);
      expect(probability).toBeCloseTo(0.995, 2);
    }
    const only = await regimes(subject, x, task, { kept: nodes([1, 0, 0, 0]), alive: nodes([1, 0, 1, 0]) });
    expect(only.adversarial.divergence).toBeGreaterThan(only.ciMasked.divergence);
  });

  test("the same settings give the same bits; a distribution can be kept in place of a token", async () => {
    const [one, two] = [
      await optimisedCircuit(subject, x, {}, { ...short, steps: 40 }),
      await optimisedCircuit(subject, x, {}, { ...short, steps: 40 }),
    ];
    expect(one).toEqual(two);
    expect(one.token).toBeNull();
    expect(one.after.ciMasked.probability).toBeNull();
    expect(one.network.divergence).toBeCloseTo(0, 10);
  });

  test("refuses what cannot be kept", async () => {
    await expect(optimisedCircuit(subject, x, { token: 3 })).rejects.toThrow("a token from 0 to 2, got 3");
    await expect(optimisedCircuit(subject, x, { position: 1 })).rejects.toThrow("a position from 0 to 0, got 1");
    const nothing = values("batch feature", [1, 2], [0, 0]);
    await expect(optimisedCircuit(subject, nothing, { token: 0 })).rejects.toThrow("an important component, got none");
  });

  test("stops when asked, and goes on to the same bits", async () => {
    const controller = new AbortController();
    const settings = { ...short, steps: 120 };
    let last: { readonly step: number; readonly tensors: NamedValues } | undefined;
    const stopped = optimisedCircuit(subject, x, { token: 0 }, settings, {
      signal: controller.signal,
      onCheckpoint: (checkpoint) => {
        last = checkpoint;
        if (checkpoint.step >= 30) controller.abort();
      },
    });
    await expect(stopped).rejects.toThrow("stopped at step");
    const whole = await optimisedCircuit(subject, x, { token: 0 }, settings);
    expect(await optimisedCircuit(subject, x, { token: 0 }, settings, { resume: last! })).toEqual(whole);
  });
});
