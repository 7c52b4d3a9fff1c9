import { describe, expect, test } from "vitest";
import { tms } from "../../network/tms.ts";
import { solvedTms } from "../../../test/e2e/solved-tms.ts";
import { Laboratory } from "./laboratory.ts";

const solved = solvedTms({ features: 5, C: 8, identity: true });
const network = tms({ features: 5, hidden: 2, identity: true });
const laboratory = new Laboratory(network, 5, solved.weights, solved.components, { gateWidth: 2 });

describe("laboratory", () => {
  const analysis = laboratory.analysis();

  test("each feature has the component that was made for it", () => {
    const linear1 = analysis.sites.find(({ name }) => name === "linear1")!;
    expect(linear1.order.slice(0, 5)).toEqual(solved.slots);
    expect(linear1.components.map(({ feature }) => feature)).toEqual(
      Array.from({ length: 8 }, (_, c) => (solved.slots.includes(c) ? solved.slots.indexOf(c) : undefined)),
    );
    expect(linear1.targetCiError).toBe(0);
    expect(linear1.mmcs).toBeCloseTo(1, 5);
  });

  test("a site within the hidden space is ordered by importance and has no features", () => {
    const identity = analysis.sites.find(({ name }) => name === "identity")!;
    expect(identity.components.filter(({ alive }) => alive)).toHaveLength(2);
    expect(identity.components.every(({ feature }) => feature === undefined)).toBe(true);
    expect([identity.targetCiError, identity.expectedAlive]).toEqual([0, 2]);
  });

  test("components and what they leave over add up to the matrix", () => {
    for (const site of analysis.sites) {
      site.W.forEach((w, i) => expect(site.sum[i]! + site.delta[i]!).toBeCloseTo(w, 12));
    }
  });

  test("taking out a component silences its feature and no other", () => {
    const after = laboratory.outputWithout([`linear2:${solved.slots[3]}`]);
    for (let input = 0; input < 5; input++) {
      for (let feature = 0; feature < 5; feature++) {
        const at = input * 5 + feature;
        if (feature === 3) expect(after[at]).toBeLessThan(1e-2);
        else expect(after[at]).toBeCloseTo(analysis.output[at]!, 2);
      }
    }
    expect(analysis.output[3 * 5 + 3]).toBeGreaterThan(0.3);
  });

  test("with nothing taken out the answers are the network's own", () => {
    const plain = new Laboratory(network, 5, solved.weights).analysis();
    expect(plain.sites).toEqual([]);
    plain.output.forEach((y, i) => expect(analysis.output[i]).toBeCloseTo(y, 9));
    const beyond = laboratory.outputWithout(["nowhere:1", "linear1:99"]);
    beyond.forEach((y, i) => expect(y).toBeCloseTo(analysis.output[i]!, 9));
  });

  test("the remainder can be taken out too", () => {
    const all = solved.components["linear1.V"]!.shape[1]!;
    const everything = Array.from({ length: all }, (_, c) => `linear1:${c}`);
    const zero = laboratory.outputWithout([...everything, "linear1:remainder"]);
    const bias = [...solved.weights.b!.data].map((b) => Math.max(0, b));
    zero.forEach((y, i) => expect(y).toBeCloseTo(bias[i % 5]!, 9));
  });
});

test("components of another kind are left to the verdict: the network is shown alone", () => {
  const other = { "linear1.parts.V": solved.components["linear1.V"]!, threshold: solved.components["linear1.V"]! };
  const alone = new Laboratory(network, 5, solved.weights, other);
  expect(alone.analysis().sites).toEqual([]);
  expect(alone.analysis().output).toEqual(new Laboratory(network, 5, solved.weights).analysis().output);
});

test("importances are predicted as the run's settings say", () => {
  const names = Object.keys(solved.components).filter((name) => !name.includes(".gate."));
  const components = Object.fromEntries(names.map((name) => [name, solved.components[name]!]));
  const settings = { importance: "layerwise-mlp", importanceHidden: "3" };
  const load = (): Laboratory => new Laboratory(network, 5, solved.weights, components, settings);
  // Its own weights are asked for, and not those of gates.
  expect(load).toThrow(/components: expected (?!.*gate)/);
});
