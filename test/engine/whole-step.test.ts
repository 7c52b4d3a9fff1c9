/**
 * Whole training steps at sizes where the compiler rearranges them, gates in blocks, wide products split: ONNX Runtime and the
 * simplified program against the arbiter on the program as it was traced.
 */
import { describe, test } from "vitest";
import { sparseFeatures } from "../../src/data/sparse-feature.ts";
import { decompositionObjective } from "../../src/decomposition/parameter/losses/objective.ts";
import { parameterSettings } from "../../src/decomposition/parameter/settings.ts";
import { scalarGates } from "../../src/decomposition/parameter/importance/scalar-gate.ts";
import { componentWeights } from "../../src/decomposition/parameter/parameter-decomposition.ts";
import { compile, interpret, type NamedValues, simplify, values } from "../../src/engine/index.ts";
import { tms } from "../../src/network/tms.ts";
import type { WeightSpec } from "../../src/network/network.ts";
import {
  foldIn,
  gradients,
  input,
  keyFromSeed,
  randomNormal,
  sizeOf,
  type Tensor,
  type Tensors,
} from "../../src/tensor/index.ts";
import { expectClose } from "../expect-close.ts";

const PUBLISHED = { importanceMinimality: 3e-3 };

const STEPS = {
  "as published": { batch: 512, C: 20, identity: false, p: 1, settings: PUBLISHED },
  "with an identity, the delta and squares": {
    batch: 512,
    C: 12,
    identity: true,
    p: 2,
    settings: { ...PUBLISHED, delta: true },
  },
  "with a slope, frequencies and an exponent of its own": {
    batch: 256,
    C: 8,
    identity: false,
    p: 1.3,
    settings: { ...PUBLISHED, lowerLeak: "slope", frequencyMinimality: 0.5, frequencyReference: 1000 },
  },
  "with gates in two blocks": { batch: 4096, C: 9, identity: false, p: 1, settings: PUBLISHED },
} as const;
const gates = scalarGates(16);
const key = foldIn(keyFromSeed(5), "whole step");

describe.each(Object.entries(STEPS))("a step %s", (_, { batch, C, identity, p, settings }) => {
  const network = tms({ features: 5, hidden: 2, identity });
  const specs = componentWeights(
    network.sites.map((site) => ({ site, C })),
    gates,
  );
  const [weights, components] = [inputsFor(network.weights), inputsFor(specs)];
  const x = sparseFeatures("data", { features: 5, batch, probability: 0.3 });
  const whole = parameterSettings.parse({
    ...{ components: C, batch, steps: 1, learningRate: 1, pStart: p, pEnd: p },
    ...settings,
  });
  const subject = { network, weights, importance: gates, x };
  const { metrics } = decompositionObjective(subject, components, whole);
  const found = gradients(metrics.loss, Object.values(components));
  const outputs: Record<string, Tensor> = {
    ...metrics,
    ...Object.fromEntries(found.map((g, i) => [specs[i]!.name, g])),
  };
  const feeds = { ...numbersFor(network.weights), ...numbersFor(specs) };
  const expected = interpret(outputs, feeds, key);

  test("keeps its numbers when simplified", () => {
    const simplified = interpret(simplify(outputs), feeds, key);
    for (const [name, want] of Object.entries(expected))
      expectClose(simplified[name]!, want, { relative: 1e-10, absolute: 0 });
  });

  test("is the same in ONNX Runtime, but for float32", async () => {
    const executable = await compile(outputs, { threads: 2 });
    const results = await executable.run(feeds, key);
    await executable.dispose();
    for (const [name, want] of Object.entries(expected)) {
      const scale = Math.max(...Array.from(want.data, Math.abs));
      expectClose(results[name]!, want, { relative: 1e-5, absolute: 1e-5 * scale });
    }
  });
});

function inputsFor(specs: readonly WeightSpec[]): Tensors {
  return Object.fromEntries(
    specs.map(({ name, axes, shape }) => [
      name,
      input(name, axes, Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]))),
    ]),
  );
}

function numbersFor(specs: readonly WeightSpec[]): NamedValues {
  return Object.fromEntries(
    specs.map(({ name, axes, shape }) => [
      name,
      values(
        axes,
        shape,
        randomNormal(foldIn(key, name), sizeOf(shape)).map((z) => 0.6 * z),
      ),
    ]),
  );
}
