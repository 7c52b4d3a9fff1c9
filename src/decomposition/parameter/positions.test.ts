/** Parameter decomposition of networks with positions: each position of each example is a row of its own. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { tokenValues } from "../../network/run.ts";
import { toyTransformer } from "../../network/transformer/config.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import { constant, foldIn, gradients, input, keyFromSeed, randomNormal, type Tensor } from "../../tensor/index.ts";
import { scalarGates } from "./importance/scalar-gate.ts";
import { decompositionObjective } from "./losses/objective.ts";
import { parameterSettings } from "./settings.ts";
import { componentWeights, ParameterDecomposition } from "./parameter-decomposition.ts";

const network = transformer(toyTransformer({ vocab: 5, context: 4, layers: 1, dModel: 6, heads: 2, dMlp: 4 }));
const draw = (specs: typeof network.weights): NamedValues =>
  Object.fromEntries(
    specs.map(({ name, axes, shape }) => {
      const size = shape.reduce((a, b) => a * b, 1);
      return [
        name,
        values(
          axes,
          shape,
          randomNormal(foldIn(keyFromSeed(8), name), size).map((x) => x / 2),
        ),
      ];
    }),
  );
const weights = draw(network.weights);
const C = 3;
const gates = scalarGates(2);
const slots = network.sites.map((site) => ({ site, C }));
const components = draw(componentWeights(slots, gates));
const tokens = tokenValues([
  [0, 1, 2],
  [3, 4, 0],
]);
const x = input("x", "batch pos", { batch: 2, pos: 3 }, "i32");

describe("a transformer", () => {
  const decomposition = new ParameterDecomposition(network, weights, components, gates);
  const rows = 6;
  const all = (value: number): Record<string, Tensor<"C batch">> =>
    Object.fromEntries(network.sites.map(({ name }) => [name, constant("C batch", { C, batch: rows }, value)]));
  const feeds = { ...decomposition.values, x: tokens };

  test("has an importance for each component, position and example", () => {
    for (const g of Object.values(decomposition.activity(x))) expect(g.shape).toEqual([C, rows]);
  });

  test("with every component and the remainder is the network itself", () => {
    const left = Object.fromEntries(network.sites.map(({ name }) => [name, constant("batch", { batch: rows }, 1)]));
    const whole = decomposition.masked(x, all(1), { remainder: left });
    const own = network.forward(decomposition.tensors, x);
    const found = interpret({ whole, own }, feeds);
    found.own.data.forEach((value, i) => expect(found.whole.data[i]!).toBeCloseTo(value, 10));
    const without = interpret({ out: decomposition.masked(x, all(1)) }, feeds).out;
    expect(Array.from(without.data)).not.toEqual(Array.from(found.own.data));
  });

  test("loses one position's component at that position, and what reads from it later", () => {
    const site = "blocks.0.mlp.W_out";
    const left = { [site]: constant("batch", { batch: rows }, 1) };
    const masks = (removed: number | undefined): Record<string, Tensor<"C batch">> => ({
      [site]: constant(
        "C batch",
        { C, batch: rows },
        Array.from({ length: C * rows }, (_, i) => (i === removed ? 0 : 1)),
      ),
    });
    // Component 1 at position 1 of the second example.
    const out = {
      own: decomposition.masked(x, masks(undefined), { remainder: left }),
      cut: decomposition.masked(x, masks(rows + 4), { remainder: left }),
    };
    const found = interpret(out, feeds);
    const changed = Array.from(found.own.data, (value, i) => Math.abs(value - found.cut.data[i]!) > 1e-9);
    const byRow = Array.from({ length: rows }, (_, row) => changed.slice(row * 5, row * 5 + 5).some(Boolean));
    expect(byRow).toEqual([false, false, false, false, true, false]);
  });
});

test("the objective's gradient is that of finite differences; outputs are compared as distributions", () => {
  const settings = parameterSettings.parse({
    ...{ components: C, batch: 2, steps: 1, learningRate: 1, lowerLeak: "slope", delta: true },
    ...{ importanceMinimality: 0.1, frequencyMinimality: 0.5, frequencyReference: 10 },
  });
  const own = weightInputs(network.weights);
  const parts = weightInputs(componentWeights(slots, gates));
  const subject = { network, weights: own, importance: gates, x };
  const { metrics } = decompositionObjective(subject, parts, settings);
  const { loss } = metrics;
  const stochasticRecon = metrics.stochasticRecon!;
  const names = ["blocks.0.attn.W_Q.V", "blocks.0.mlp.W_out.U", "blocks.0.attn.W_O.gate.W_in"];
  const slopes = gradients(
    loss,
    names.map((name) => parts[name]!),
  );
  const feeds: NamedValues = { ...weights, ...components, x: tokens };
  const found = interpret(
    { loss, stochasticRecon, ...Object.fromEntries(names.map((n, i) => [n, slopes[i]!])) },
    feeds,
    [1, 2],
  );
  expect(found.stochasticRecon.data[0]).toBeGreaterThan(0);
  for (const name of names) {
    const { data, ...shape } = components[name]!;
    for (const at of [0, data.length - 1]) {
      const lossAt = (by: number): number => {
        const moved = Float64Array.from(data, (value, i) => (i === at ? value + by : value));
        return interpret({ loss }, { ...feeds, [name]: { ...shape, data: moved } }, [1, 2]).loss.data[0]!;
      };
      const slope = (lossAt(1e-6) - lossAt(-1e-6)) / 2e-6;
      expect((found as NamedValues)[name]!.data[at]!).toBeCloseTo(slope, 6);
    }
  }
});

test("many tokens are compared by blocks, in every reconstruction and every ascent, to the same numbers", () => {
  const settings = parameterSettings.parse({
    ...{ components: C, batch: 2, steps: 10, learningRate: 1, delta: true, adversaryScope: "row" },
    ...{ subsetRecon: 0.5, ciMaskedRecon: 0.2, adversarialRecon: 0.7, persistentRecon: 1, hiddenRecon: 0.3 },
  });
  const parts = weightInputs(componentWeights(slots, gates));
  const step = (logitsAtOnce: number): NamedValues => {
    const subject = { network, weights: weightInputs(network.weights), importance: gates, x, logitsAtOnce };
    const { metrics, wrt = [], carried, values: kept = {} } = decompositionObjective(subject, parts, settings);
    const leaves = [...Object.values(parts), ...wrt];
    const slopes = gradients(metrics.loss, leaves);
    const later = carried!(slopes.slice(Object.keys(parts).length), kept);
    const feeds: Record<string, NamedValues[string]> = { ...weights, ...components, x: tokens };
    for (const [name, { now }] of Object.entries(later)) {
      const size = now.shape.reduce((a, b) => a * b, 1);
      feeds[name] = values(now.axes, now.shape, new Float32Array(size).fill(0.3));
    }
    for (let ascent = 0; ascent < 3; ascent++) {
      feeds[`adversary.stepSize/${ascent}`] = values("", [], [0.02]);
      feeds[`adversary.inverseRootCorrection2/${ascent}`] = values("", [], [1.5]);
    }
    const outputs = {
      ...metrics,
      ...Object.fromEntries(Object.keys(parts).map((name, i) => [`d ${name}`, slopes[i]!])),
      ...Object.fromEntries(Object.entries(later).map(([name, { next }]) => [`next ${name}`, next])),
    };
    return interpret(outputs, feeds, [1, 2]);
  };
  const [whole, blocks] = [step(Infinity), step(10)];
  expect(whole.persistentRecon!.data[0]).toBeGreaterThan(0);
  expect(Object.keys(whole).some((name) => name.startsWith("next adversary"))).toBe(true);
  for (const [name, { data }] of Object.entries(whole))
    data.forEach((value, i) => expect(blocks[name]!.data[i], name).toBeCloseTo(value, 10));
});
