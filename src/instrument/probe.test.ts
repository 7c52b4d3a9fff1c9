import { describe, expect, test } from "vitest";
import { typedRows } from "../../test/instrument/typed-rows.ts";
import { values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { RunnableNetwork } from "../network/run.ts";
import { foldIn, keyFromSeed, randomNormal, randomUniform } from "../tensor/index.ts";
import { crossEntropyOf, fitClassifier, type LabelledRows, type ProbeKind } from "./classifier.ts";
import { descriptionLengthProbe } from "./description-length-probe.ts";
import { spreadOf } from "./finding.ts";
import { controlLabels, probe, probeAt } from "./probe.ts";

const key = keyFromSeed(1);
const threads = { threads: 1 };

/** Two classes on either side of a plane. */
function halves(n: number, columns: number, seed: number): LabelledRows {
  const data = Float64Array.from(randomNormal(keyFromSeed(seed), n * columns));
  return {
    x: { columns, data },
    labels: Array.from({ length: n }, (_, i) => (data[i * columns]! > 0 ? 1 : 0)),
    classes: 2,
  };
}

describe("classifiers", () => {
  const kinds: readonly { readonly kind: ProbeKind }[] = [
    { kind: "ridge" },
    { kind: "logistic" },
    { kind: { hidden: 16 } },
  ];
  test.each(kinds)("$kind reads a plane off Gaussians", async ({ kind }) => {
    const found = await probe(halves(1200, 8, 0), { kind, key, steps: 300 }, threads);
    expect(found.accuracy).toBeGreaterThan(0.95);
    expect(found.majority).toBeLessThan(0.6);
    expect([found.trainRows, found.n, found.control, found.selectivity]).toEqual([960, 240, null, null]);
  });

  test("only a hidden layer reads an exclusive or", async () => {
    const { x } = halves(1500, 4, 1);
    const labels = Array.from({ length: 1500 }, (_, i) => Number(x.data[i * 4]! > 0 !== x.data[i * 4 + 1]! > 0));
    const data = { x, labels, classes: 2 };
    const [linear, hidden] = [
      await probe(data, { kind: "logistic", key, steps: 300 }, threads),
      await probe(data, { kind: { hidden: 16 }, key, steps: 600 }, threads),
    ];
    expect(linear.accuracy).toBeLessThan(0.62);
    expect(hidden.accuracy).toBeGreaterThan(0.93);
  });

  test("shift and scale of the rows make no difference", async () => {
    const { x, ...rest } = halves(600, 5, 2);
    const far = { columns: 5, data: Float64Array.from(x.data, (v) => 1e3 * v + 77) };
    const [near, moved] = [
      await probe({ x, ...rest }, { key }, threads),
      await probe({ x: far, ...rest }, { key }, threads),
    ];
    expect(moved.accuracy).toBeCloseTo(near.accuracy, 1);
  });

  test("probabilities are calibrated enough for a code: the loss is that of the truth", async () => {
    // Labels that are 1 with the probability that a logistic function of the first number gives.
    const { x } = halves(8000, 3, 3);
    const draws = randomUniform(keyFromSeed(4), 8000);
    const p = (i: number): number => 1 / (1 + Math.exp(-2 * x.data[i * 3]!));
    const labels = Array.from({ length: 8000 }, (_, i) => (draws[i]! < p(i) ? 1 : 0));
    const entropy =
      labels.reduce<number>((total, _, i) => total - p(i) * Math.log(p(i)) - (1 - p(i)) * Math.log(1 - p(i)), 0) / 8000;
    const classifier = await fitClassifier({ x, labels, classes: 2 }, { kind: "logistic", key }, threads);
    expect(Math.abs(crossEntropyOf(classifier.scores(x), labels, 2) - entropy)).toBeLessThan(0.01);
  });

  test("refuses labels that do not fit", async () => {
    const { x, labels } = halves(10, 2, 0);
    await expect(probe({ x, labels: [1], classes: 2 }, { key })).rejects.toThrow("expected 10 labels, got 1");
    await expect(probe({ x, labels, classes: 1 }, { key })).rejects.toThrow(
      "expected labels from 0 to 0, got 1 at row",
    );
  });
});

test("a control label is the same wherever its type is, and as common as labels are", () => {
  const types = Array.from({ length: 3000 }, (_, i) => i % 300);
  const labels = types.map((_, i) => (i % 4 === 0 ? 1 : 0));
  const control = controlLabels(types, labels, key);
  for (let i = 300; i < 3000; i++) expect(control[i]).toBe(control[i - 300]);
  const share = control.reduce((a, b) => a + b, 0) / 3000;
  expect(share).toBeGreaterThan(0.17);
  expect(share).toBeLessThan(0.33);
});

// Seconds on a quiet machine, of some hundred trainings.
describe("types that come as often as words do", { timeout: 60_000 }, () => {
  const [without, withSignal] = [typedRows(0, 5000, 1), typedRows(1, 5000, 1)];

  test("a linear probe is selective where there is a rule, and not where there is none", async () => {
    const selectivities: number[] = [];
    for (const seed of [1, 2, 3, 4, 5, 6]) {
      const data = typedRows(0, 5000, seed);
      const memory = await probe(data, { kind: "ridge", types: data.types, key });
      selectivities.push(memory.selectivity!);
      expect(memory.accuracy).toBeGreaterThan(memory.majority + 0.3);
    }
    const { mean, deviation } = spreadOf(selectivities);
    expect(Math.abs(mean)).toBeLessThanOrEqual(0.02);
    // One draw of labels is that much easier or harder than another.
    expect(deviation).toBeLessThan(0.04);
    const rule = await probe(withSignal, { types: withSignal.types, key, steps: 500 }, threads);
    expect(rule.accuracy).toBe(1);
    expect(rule.selectivity!).toBeGreaterThanOrEqual(0.15);
    expect(rule.controlDeviation!).toBeLessThan(0.04);
  });

  test("a wide probe memorises, and is less selective than a narrow one", async () => {
    const of = async (hidden: number): Promise<number> => {
      const { types } = withSignal;
      return (await probe(withSignal, { kind: { hidden }, types, key, steps: 300 }, threads)).selectivity!;
    };
    const [wide, narrow] = [await of(256), await of(4)];
    expect(wide).toBeLessThan(0.05);
    expect(narrow).toBeGreaterThan(wide + 0.1);
  });

  test("of types that it has not seen, it knows a rule and nothing else", async () => {
    const unseen = { types: withSignal.types, heldOut: "types", kind: "ridge", key } as const;
    expect((await probe(withSignal, unseen, threads)).accuracy).toBeGreaterThan(0.99);
    expect((await probe(without, unseen, threads)).accuracy).toBeLessThan(0.6);
  });

  test("a rule is sent in a hundredth of the bits", async () => {
    const { compression, control, uniformBits } = await descriptionLengthProbe(
      withSignal,
      { types: withSignal.types, key, steps: 400 },
      threads,
    );
    expect(uniformBits).toBeCloseTo(5000 * Math.log2(5), 8);
    expect(compression).toBeGreaterThan(50 * control!.compression);
    expect(control!.compression).toBeGreaterThan(1);
    expect(control!.compression).toBeLessThan(5);
  });
});

test("at a hook point, the same probe on shuffled weights stands beside", async () => {
  // The hidden layer of a network that has the sum of its inputs in every neuron.
  const network = mlp({ features: 6, hidden: [6], outputs: 1, activation: "none", bias: false });
  const weights = {
    "blocks.0.mlp.W_in": values(
      "d_in d_out",
      [6, 6],
      [1, 2, -1, 3, 1, -2, 0, 0, 0, 0, 0, 0, ...Array.from({ length: 24 }, () => 0)],
    ),
    "unembed.W_U": values("d_in d_out", [6, 1], [1, 1, 1, 1, 1, 1]),
  };
  const x = values("batch feature", [800, 6], randomNormal(foldIn(key, "x"), 4800));
  const found = await probeAt(
    new RunnableNetwork(network, weights),
    { name: "Gaussians", x },
    {
      point: "blocks.0.mlp.hook_post",
      label: ({ example }) => (x.data[example * 6]! > 0 ? 1 : 0),
      classes: 2,
      key,
      steps: 300,
    },
    threads,
  );
  expect(found.accuracy).toBeGreaterThan(0.95);
  expect(found.shuffled).toBeLessThan(found.accuracy - 0.05);
  expect([found.point, found.n]).toEqual(["blocks.0.mlp.hook_post", 160]);
});
