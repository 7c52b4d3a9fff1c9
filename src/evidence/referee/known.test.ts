/** Known directions and known mechanisms: oracles have them, what is random has as much of them as chance. */
import { describe, expect, test } from "vitest";
import { matrix, noise } from "../../../test/evidence/subjects.ts";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { unitCoder } from "../../decomposition/baselines/unit-coder.ts";
import type { Decomposition } from "../../decomposition/decomposition.ts";
import { interpret, type NamedValues } from "../../engine/index.ts";
import { residualMlp } from "../../network/residual-mlp.ts";
import { tms } from "../../network/tms.ts";
import { input, keyFromSeed, type Tensor } from "../../tensor/index.ts";
import { resolveTarget, targetNamed } from "../../training/targets.ts";
import { signedCoder, unit } from "../anomalies/hand-made.ts";
import { probeInputs } from "../probe.ts";
import { knownScores } from "./known.ts";
import { knownDecomposition } from "./oracle.ts";
import { randomDirectionsControl } from "./random-directions.ts";

const knownOf = (target: string, set: Readonly<Record<string, unknown>>) =>
  targetNamed(target).known!(resolveTarget(target, { set }).settings)!;
const rowsOf = (name: string, count: number, d: number): number[][] => {
  const at = noise(name, count, d, 1);
  return Array.from({ length: count }, (_, i) => unit(Array.from({ length: d }, (__, k) => at(i, k))));
};

describe("directions of TMS, 40 features in 10 dimensions", () => {
  const [features, hidden] = [40, 10];
  const network = tms({ features, hidden, identity: false });
  const W = rowsOf("W", features, hidden);
  const weights: NamedValues = {
    W: matrix("feature hidden", features, hidden, (i, j) => W[i]![j]!),
    b: { axes: "feature", shape: [features], dtype: "f32", data: new Float32Array(features).fill(-0.1) },
  };
  const known = knownOf("tms", { features, hidden });
  const scores = (decomposition: Decomposition) => knownScores({ name: "one", decomposition }, known);
  const coded = (rows: readonly number[][]) => new ActivationDecomposition(network, weights, [signedCoder(rows)]);

  test("an oracle has all of them, among columns of matrices or as a dictionary", () => {
    for (const oracle of [knownDecomposition(network, weights, known), coded(W)]) {
      const found = scores(oracle)!;
      expect(found.mmcs).toBeCloseTo(1, 5);
      expect(found.mmcsByChance).toBeLessThan(0.9);
    }
  });

  test("what is random has them by chance, and a random basis no more than a tenth besides", () => {
    const random = scores(coded(rowsOf("others", features, hidden)))!;
    expect(Math.abs(random.mmcs! - random.mmcsByChance!)).toBeLessThan(0.03);
    const { decomposition } = randomDirectionsControl(coded(W), keyFromSeed(0));
    const basis = scores(decomposition)!;
    expect(Math.abs(basis.mmcs! - basis.mmcsByChance!)).toBeLessThan(0.1);
    expect(basis.mmcs!).toBeLessThan(random.mmcs!);
  });

  test("who writes elsewhere is not asked", () => {
    const elsewhere = new ActivationDecomposition(network, weights, [unitCoder("hook_pre", features)]);
    expect(scores(elsewhere)?.mmcs).toBeUndefined();
  });
});

describe("the oracle of a residual MLP", () => {
  const [features, dModel, dMlp] = [12, 40, 6];
  const made = (layers: number) => {
    const network = residualMlp({ features, dModel, dMlp, layers });
    const weights: NamedValues = Object.fromEntries(
      network.weights.map(({ name, axes, shape }) => {
        const [rows, columns] = shape as [number, number];
        return [name, matrix(axes, rows, columns, noise(name, rows, columns, 0.3))];
      }),
    );
    return { network, weights, known: knownOf("resid-mlp", { features, width: dModel, neurons: dMlp, layers }) };
  };

  test("is the network on what each input has, with one component a feature, and neurons that all share", () => {
    const { network, weights, known } = made(1);
    const oracle = knownDecomposition(network, weights, known);
    expect(oracle.components.map(({ site }) => site).filter((site) => site === "blocks.0.mlp.W_in")).toHaveLength(12);
    const x = sparseFeatures("x", { features, batch: 64, probability: 0.2, low: -1 });
    const active = oracle.activity(x);
    const { own, kept, at } = interpret(
      {
        own: network.forward(oracle.tensors, x),
        kept: oracle.masked(x, active),
        at: active["blocks.0.mlp.W_in"] as Tensor,
      },
      oracle.values,
      keyFromSeed(3),
    );
    kept!.data.forEach((y, i) => expect(y).toBeCloseTo(own!.data[i]!, 4));
    // A fifth of the features, not all of them.
    expect(Array.from(at!.data).reduce((a, b) => a + b, 0) / 64).toBeCloseTo(12 * 0.2, 0);
  });

  test("reads one feature with one component: without it, its input is the only one that does nothing", () => {
    const { network, weights, known } = made(1);
    const oracle = knownDecomposition(network, weights, known);
    const x = input("x", "batch feature", { batch: features, feature: features });
    const masks = oracle.activity(x);
    const one = { ...masks, "blocks.0.mlp.W_in": input("mask", "C batch", { C: features, batch: features }) };
    const off = matrix("C batch", features, features, (c, i) => Number(c === i && c !== 4));
    const given = { ...oracle.values, x: probeInputs(features, 1) };
    const { own, without } = interpret(
      { own: network.forward(oracle.tensors, x), without: oracle.masked(x, one as typeof masks) },
      { ...given, mask: off },
    );
    const moved = Array.from({ length: features }, (_, i) =>
      Math.max(
        ...Array.from({ length: features }, (__, j) =>
          Math.abs(own!.data[i * features + j]! - without!.data[i * features + j]!),
        ),
      ),
    );
    moved.forEach((most, i) => (i === 4 ? expect(most).toBeGreaterThan(0.01) : expect(most).toBeLessThan(1e-4)));
  });

  test("is refused where a layer reads what others have written, or features outnumber dimensions", () => {
    const two = made(2);
    expect(() => knownDecomposition(two.network, two.weights, two.known)).toThrow(
      "oracle: expected a matrix whose mechanisms are known, got blocks.1.mlp.W_in",
    );
    const network = residualMlp({ features, dModel: 8, dMlp, layers: 1 });
    const weights = Object.fromEntries(
      network.weights.map(({ name, axes, shape }) => [name, matrix(axes, shape[0]!, shape[1]!, () => 1)]),
    );
    expect(() => knownDecomposition(network, weights, made(1).known)).toThrow(
      "oracle: expected at most 8 features at blocks.0.mlp.W_in, got 12",
    );
  });
});

test("the oracle of inputs that share a component has one a group, which matters where any of them is there", () => {
  const document = resolveTarget("relu-layer", { set: { matrix: "1 0 -2; 2 1 -4" } });
  const target = targetNamed("relu-layer");
  const network = target.network(document.settings);
  const known = target.known!(document.settings)!;
  const weights: NamedValues = {
    "blocks.0.mlp.W_in": matrix("d_in d_out", 3, 2, (i, o) => [1, 2, 0, 1, -2, -4][2 * i + o]!),
    "unembed.W_U": matrix("d_in d_out", 2, 2, (i, o) => Number(i === o)),
  };
  const oracle = knownDecomposition(network, weights, known);
  expect(oracle.components).toHaveLength(2);
  const x = target.batch("x", { ...document.settings, featureProbability: 0.4 }, 40);
  const active = oracle.activity(x);
  const found = interpret(
    {
      x,
      own: network.forward(oracle.tensors, x),
      kept: oracle.masked(x, active),
      at: Object.values(active)[0] as Tensor,
    },
    oracle.values,
    keyFromSeed(3),
  );
  found.kept.data.forEach((y, i) => expect(y).toBeCloseTo(found.own.data[i]!, 6));
  for (let row = 0; row < 40; row++) {
    const there = (i: number): boolean => found.x.data[3 * row + i] !== 0;
    expect([found.at.data[row], found.at.data[40 + row]]).toEqual([Number(there(0) || there(2)), Number(there(1))]);
  }
  expect(knownScores({ name: "one", decomposition: oracle }, known)).toMatchObject({
    ...{ targetCiError: 0, mutualBestMatch: 1, falseComponents: 0 },
  });
});
