/** Attribution-based parameter decomposition against `reference/goldens/apd_step.py`, which is plain PyTorch in float64. */
import { describe, expect, test } from "vitest";
import { sparseFeatures } from "../../src/data/sparse-feature.ts";
import { apdProgram } from "../../src/decomposition/apd/apd.ts";
import { compileFullNetwork } from "../../src/decomposition/full-network/run.ts";
import { attributions } from "../../src/decomposition/apd/attribution.ts";
import { apdObjective } from "../../src/decomposition/apd/objective.ts";
import { apdWeights } from "../../src/decomposition/apd/parts.ts";
import { apdSettings } from "../../src/decomposition/apd/settings.ts";
import { compile, interpret, type NamedValues, type Values, values } from "../../src/engine/index.ts";
import { type Network, weightInputs } from "../../src/network/network.ts";
import { residualMlp } from "../../src/network/residual-mlp.ts";
import { tms } from "../../src/network/tms.ts";
import { gradients, type Key, type Tensor } from "../../src/tensor/index.ts";
import { adamWScalars } from "../../src/training/adamw.ts";
import { savedState, weightsIn } from "../../src/training/optimise.ts";
import { layoutOf } from "../../src/training/parameters.ts";
import { expectClose } from "../expect-close.ts";
import { golden } from "./load.ts";

interface Stored {
  readonly axes: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface StepGolden {
  readonly shape: never;
  readonly settings: Readonly<Record<string, unknown>> & { readonly learningRate: number };
  readonly probability: number;
  readonly key: Key;
  readonly weights: Readonly<Record<string, Stored>>;
  readonly batch: Stored;
  readonly parameters: Readonly<Record<string, Stored>>;
  readonly attributions: Stored;
  readonly losses: Readonly<Record<string, number>>;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly afterOneStep: Readonly<Record<string, readonly number[]>>;
}

const NETWORKS: readonly (readonly [string, (shape: never) => Network, number])[] = [
  ["tms-5-2", tms, 0],
  ["resid-mlp-2", residualMlp, -1],
];

describe.each(NETWORKS)("one whole step of APD on %s", async (name, networkOf, low) => {
  const step = await golden<StepGolden>(`decomposition/apd-step-${name}.json`);
  const [batch, features] = step.batch.shape as [number, number];
  const network = networkOf(step.shape);
  const settings = apdSettings.parse({ ...step.settings, batch, steps: 1 });
  const weights = weightInputs(network.weights);
  const components = weightInputs(apdWeights(network, settings));
  const x = sparseFeatures("data", { features, batch, probability: step.probability, low });
  const start = { ...numbersOf(step.parameters), threshold: values("", [], [0]) };
  const feeds = { ...numbersOf(step.weights), ...start };
  const names = Object.keys(step.parameters);

  /** Attributions, losses and gradients as one program. */
  function program(): Record<string, Tensor> {
    const metrics = apdObjective(network, weights, components, x, settings);
    const found = gradients(
      metrics.loss,
      names.map((n) => components[n]!),
    );
    const scores = attributions(network, weights, components, x, settings.attributionsAt);
    const slopes = Object.fromEntries(names.map((n, i) => [`gradient of ${n}`, found[i]!]));
    return { batch: x, attributions: scores, ...metrics, ...slopes };
  }

  function expectStep(results: Readonly<Record<string, Values>>, relative: number): void {
    expectClose(results.batch!, step.batch, { relative });
    expectClose(results.attributions!, step.attributions, { relative });
    for (const [loss, value] of Object.entries(step.losses)) {
      expectClose(results[loss]!, { axes: "", shape: [], data: [value] }, { relative, absolute: 0 });
    }
    for (const [n, data] of Object.entries(step.gradients)) {
      const { axes, shape } = step.parameters[n]!;
      const absolute = relative * Math.max(...data.map(Math.abs));
      expectClose(results[`gradient of ${n}`]!, { axes, shape, data }, { relative, absolute });
    }
  }

  test("in the float64 arbiter", () => {
    expectStep(interpret(program(), feeds, step.key), 1e-10);
    expect(Object.keys(step.gradients)).toEqual(names);
  });

  test("in ONNX Runtime, within 10⁻⁵", async () => {
    const executable = await compile(program(), { threads: 1 });
    expectStep(await executable.run(feeds, step.key), 1e-5);
    await executable.dispose();
  });

  test("the components that Adam makes of it", async () => {
    const target = { network, weights: numbersOf(step.weights), batch: () => x };
    const stepper = await compileFullNetwork(target, apdProgram(network, settings), start, { threads: 1 });
    await stepper.advance([{ key: step.key, scalars: adamWScalars(1, settings.learningRate) }]);
    const layout = layoutOf(apdWeights(network, settings));
    const after = weightsIn(savedState(layout)(stepper.state()));
    for (const [n, data] of Object.entries(step.afterOneStep)) {
      const { axes, shape } = after[n]!;
      // A first step moves each number by the learning rate; a thousandth of that is the allowance.
      expectClose(after[n]!, { axes, shape, data }, { relative: 1e-6, absolute: 1e-3 * settings.learningRate });
    }
    expect(Object.keys(after).sort()).toEqual(Object.keys(step.afterOneStep).sort());
    await stepper.dispose();
  });
});

function numbersOf(stored: Readonly<Record<string, Stored>>): NamedValues {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { axes, shape, data }]) => [name, values(axes, shape, data)]),
  );
}
