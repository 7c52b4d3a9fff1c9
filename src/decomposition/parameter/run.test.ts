/** Runs of every kind of step: they go on to the same bits from any checkpoint, and slots that are out of use change nothing for the others. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, values } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { tms } from "../../network/tms.ts";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { foldIn, gradients, keyFromSeed, randomNormal, sizeOf, type Tensor } from "../../tensor/index.ts";
import type { Checkpoint } from "../../training/loop.ts";
import { resolveTarget, targetNamed } from "../../training/targets.ts";
import { decompose, resolveMethod } from "../methods.ts";
import { importanceFunction } from "./importance/function.ts";
import { decompositionObjective } from "./losses/objective.ts";
import { componentWeights } from "./parameter-decomposition.ts";
import { parameterSettings } from "./settings.ts";
import { slotsAskedFor } from "./optimisation/slots.ts";

const network = tms({ features: 3, hidden: 2, identity: false });
const weights: NamedValues = {
  W: values("feature hidden", [3, 2], [1, 0, -0.5, 0.8, -0.5, -0.8]),
  b: values("feature", [3], [0, -0.1, 0.1]),
};
const target = resolveTarget("tms", { set: { features: 3 } });

const base = { steps: 24, batch: 32, components: 5, gateWidth: 4, warmupSteps: 5, learningRate: 1e-2, delta: true };
const KINDS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "persistent sources of each row": { persistentRecon: 0.5, subsetRecon: 0.5, stochasticRecon: 0, layerwiseRecon: 0 },
  "merged with a pool, running frequencies": {
    ...{ mergedRecon: 1, persistentScope: "pool", particles: 3, stochasticRecon: 0, layerwiseRecon: 0 },
    ...{ penalty: "smooth-l0", frequencyMinimality: 0.5, frequencyHalfLife: 10, frequencyOf: "penalty" },
  },
  "a fresh adversary on subsets": { adversarialRecon: 1, adversarySteps: 2, adversaryRouting: "subset" },
  "Muon, two groups, clipped": {
    optimiser: "muon",
    clipNorm: 0.1,
    importanceLearningRate: 1e-3,
    importance: "layerwise-mlp",
  },
  "pruned again and again": { pruneBelow: 0.4, pruneAt: 0.25, pruneEvery: 0.25, importanceMinimality: 0.5 },
  "targeted, unused components decay": { targetFeatures: "1", unusedDecay: 0.1, faithfulness: 0, targetBatch: 16 },
};

function documentOf(set: Readonly<Record<string, unknown>>): ReturnType<typeof resolveMethod> {
  const method = set.targetFeatures === undefined ? "vpd" : "tpd";
  return resolveMethod(method, { target, set: { ...base, pruneBelow: 0, ...set } });
}

describe.each(Object.entries(KINDS))("a run with %s", (_, set) => {
  test("goes on to the same bits from any checkpoint", async () => {
    const document = documentOf(set);
    const checkpoints: Checkpoint[] = [];
    const options = { threads: 1, checkpointEvery: 5, onCheckpoint: (c: Checkpoint): number => checkpoints.push(c) };
    const whole = await decompose(document, weights, { ...options, onCheckpoint: (c) => void options.onCheckpoint(c) });
    expect(Object.values(whole.components).every(({ data }) => data.every(Number.isFinite))).toBe(true);
    for (const resume of checkpoints.filter(({ step }) => step === 5 || step === 15)) {
      const { components } = await decompose(document, weights, { threads: 1, resume });
      expect(components, `from step ${resume.step}`).toEqual(whole.components);
    }
    expect(checkpoints.map(({ step }) => step)).toEqual(expect.arrayContaining([5, 15]));
  }, 60_000);
});

describe("adversaries", () => {
  const key = keyFromSeed(3);
  const x = sparseFeatures("data", { features: 3, batch: 8, probability: 0.5 });
  const own = weightInputs(network.weights);

  /** Loss, slopes of components, and what the sources become, under settings. */
  function step(set: Readonly<Record<string, unknown>>): NamedValues {
    const settings = parameterSettings.parse({ ...base, stochasticRecon: 0, layerwiseRecon: 0, ...set });
    const importance = importanceFunction(settings, network);
    const specs = componentWeights(slotsAskedFor(network, settings), importance);
    const components = weightInputs(specs);
    const objective = decompositionObjective({ network, weights: own, importance, x }, components, settings);
    const leaves = [...Object.values(components), ...(objective.wrt ?? [])];
    const found = gradients(objective.metrics.loss, leaves);
    const carried = objective.carried!(found.slice(specs.length), objective.values ?? {});
    const outputs: Record<string, Tensor> = Object.fromEntries(specs.map(({ name }, i) => [name, found[i]!]));
    for (const [name, { next }] of Object.entries(carried)) outputs[name] = next;
    const draw = (name: string, shape: readonly number[], axes: string): NamedValues[string] =>
      values(
        axes,
        shape,
        randomNormal(
          foldIn(key, name),
          shape.reduce((a, b) => a * b, 1),
        ),
      );
    const feeds: Record<string, NamedValues[string]> = { ...weights };
    for (const { name, shape, axes } of specs) feeds[name] = draw(name, shape, axes);
    for (const [name, { now }] of Object.entries(carried))
      feeds[name] = values(
        now.axes,
        now.shape,
        draw(name, now.shape, now.axes).data.map((v) => (name.includes(".r/") ? Math.min(1, Math.abs(v) / 2) : v * v)),
      );
    for (let ascent = 0; ascent < 3; ascent++) {
      feeds[`adversary.stepSize/${ascent}`] = values("", [], [0.02]);
      feeds[`adversary.inverseRootCorrection2/${ascent}`] = values("", [], [1.5]);
    }
    feeds.persistentScale = values("", [], [0]);
    return interpret(outputs, feeds, key);
  }

  const sources = (found: NamedValues): Record<string, number[]> =>
    Object.fromEntries(
      Object.entries(found).flatMap(([name, { data }]) => (name.includes("/") ? [[name, Array.from(data)]] : [])),
    );

  test.each(["persistentRecon", "mergedRecon"])("%s: what sources climb has no coefficient", (term) => {
    const [weak, strong] = [sources(step({ [term]: 0.01 })), sources(step({ [term]: 10 }))];
    expect(Object.keys(weak)).toContain("adversary.r/linear1");
    for (const [name, data] of Object.entries(weak))
      data.forEach((value, i) => expect(strong[name]![i]).toBeCloseTo(value, 10));
  });

  test("a scheduled coefficient changes nothing of what sources climb, even while it is 0", () => {
    const steady = sources(step({ persistentRecon: 1 }));
    const gated = sources(step({ persistentRecon: 1, persistentFrom: 0.5 }));
    for (const [name, data] of Object.entries(steady))
      data.forEach((value, i) => expect(gated[name]![i]).toBeCloseTo(value, 10));
  });

  test("components learn from the sources as they then are, and from nothing that happened on the way there", () => {
    const withWarmUps = step({ persistentRecon: 1, persistentWarmUps: 2 });
    const none = step({ persistentRecon: 1, persistentWarmUps: 0 });
    // The same slope would be a sign that warm-ups do nothing.
    const moved = withWarmUps["linear1.V"]!.data.some((v, i) => Math.abs(v - none["linear1.V"]!.data[i]!) > 1e-9);
    expect(moved).toBe(true);
  });
});

test("positions that a network sums before its matrices are no rows of theirs", async () => {
  const modular = resolveTarget("modular-addition", { set: { modulus: 5, width: 4, neurons: 6, steps: 1 } });
  const trained = targetNamed(modular.target).network(modular.settings);
  const start = Object.fromEntries(
    trained.weights.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, randomNormal(foldIn(keyFromSeed(2), name), sizeOf(shape))),
    ]),
  );
  const small = { steps: 4, batch: 3, components: 3, warmupSteps: 2, importanceDModel: 8, importanceDMlp: 8 };
  const document = resolveMethod("spd", {
    target: modular,
    set: { ...small, pruneBelow: 0, pruneEvery: 0, pruneAt: 1 },
  });
  const { metrics } = await decompose(document, start, { threads: 1 });
  expect(metrics.persistentRecon).toBeGreaterThan(0);
  expect(metrics.subsetRecon).toBeGreaterThan(0);
});
