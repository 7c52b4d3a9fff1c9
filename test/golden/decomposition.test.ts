/** Parameter decomposition against `reference/goldens/spd_step.py`, which is plain PyTorch in float64. */
import { describe, expect, test } from "vitest";
import { sparseFeatures } from "../../src/data/sparse-feature.ts";
import { lowerLeakyHardSigmoid, upperLeakyHardSigmoid } from "../../src/decomposition/parameter/importance/hard-sigmoid.ts";
import { importanceMinimality } from "../../src/decomposition/parameter/losses/importance-minimality.ts";
import { scalarGates } from "../../src/decomposition/parameter/importance/scalar-gate.ts";
import { decompositionObjective } from "../../src/decomposition/parameter/losses/objective.ts";
import { parameterSettings } from "../../src/decomposition/parameter/settings.ts";
import { compile, interpret, type NamedValues, type Values, values } from "../../src/engine/index.ts";
import { tms } from "../../src/network/tms.ts";
import { constant, gradients, input, type Key, mul, sum, type Tensor, type Tensors } from "../../src/tensor/index.ts";
import { adamWScalars } from "../../src/training/adamw.ts";
import { compileOptimisation, savedState, weightsIn } from "../../src/training/optimise.ts";
import { layoutOf } from "../../src/training/parameters.ts";
import { expectClose } from "../expect-close.ts";
import { golden } from "./load.ts";

interface Stored {
  readonly axes: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface StepGolden {
  readonly config: {
    readonly features: number;
    readonly hidden: number;
    readonly identity: boolean;
    readonly batch: number;
    readonly probability: number;
    readonly importance: number;
    readonly p: number;
    readonly learningRate: number;
  };
  readonly key: Key;
  readonly weights: Readonly<Record<string, Stored>>;
  readonly batch: Stored;
  readonly parameters: Readonly<Record<string, Stored>>;
  readonly losses: Readonly<Record<string, number>>;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
  readonly afterOneStep: Readonly<Record<string, readonly number[]>>;
}

type Numbers = Readonly<Record<string, readonly number[]>>;
const sigmoids = await golden<Numbers>("decomposition/hard-sigmoids.json");
const importances = await golden<readonly { p: number; rows: readonly number[][]; value: number }[]>(
  "decomposition/importance-minimality.json",
);

describe.each([
  ["lower", lowerLeakyHardSigmoid],
  ["upper", upperLeakyHardSigmoid],
] as const)("the %s-leaky hard sigmoid", (name, f) => {
  const z = input("z", "C", { C: sigmoids.z!.length });
  const feeds = { z: { axes: "C", shape: z.shape, dtype: "f32" as const, data: Float64Array.from(sigmoids.z!) } };

  test("value", () => {
    expectClose(interpret({ y: f(z) }, feeds).y, { axes: "C", shape: z.shape, data: sigmoids[name]! }, { relative: 1e-15 });
  });

  test.each([
    ["Positive", 2],
    ["Negative", -2],
    ["Zero", 0],
  ] as const)("%s gradient", (sign, arriving) => {
    const [gradient] = gradients(sum(mul(f(z), arriving)) as Tensor, [z]);
    const want = sigmoids[`${name}Gradient${sign}`]!;
    expectClose(interpret({ gradient }, feeds).gradient, { axes: "C", shape: z.shape, data: want }, { relative: 1e-15 });
  });
});

test.each(importances)("importance minimality with p = $p", ({ p, rows, value }) => {
  const g = constant("C batch", { C: 2, batch: rows.length }, [0, 1].flatMap((c) => rows.map((row) => row[c]!)));
  for (const exponent of [p, constant("", {}, p)]) {
    expect(interpret({ loss: importanceMinimality([g], exponent) }).loss.data[0]).toBeCloseTo(value, 10);
  }
});

describe.each(["tms-5-2", "tms-5-2-id"])("one whole step of SPD on %s", async (name) => {
  const step = await golden<StepGolden>(`decomposition/spd-step-${name}.json`);
  const { config, key } = step;
  const network = tms(config);
  const settings = parameterSettings.parse({
    ...{ components: 1, batch: config.batch, steps: 1, learningRate: config.learningRate },
    ...{ importanceMinimality: config.importance, pStart: config.p, pEnd: config.p },
  });
  const importance = scalarGates(16);
  const weights = inputsFor(step.weights);
  const x = sparseFeatures("data", config);
  const objective = (components: Tensors): Readonly<Record<string, Tensor<"">>> & { loss: Tensor<""> } => decompositionObjective({ network, weights, importance, x }, components, settings).metrics;
  const feeds = { ...numbersOf(step.weights), ...numbersOf(step.parameters) };
  const names = Object.keys(step.parameters);

  /** Losses and gradients as one program. */
  function program(): Record<string, Tensor> {
    const components = inputsFor(step.parameters);
    const metrics = objective(components);
    const found = gradients(
      metrics.loss,
      names.map((n) => components[n]!),
    );
    return { batch: x, ...metrics, ...Object.fromEntries(names.map((n, i) => [`gradient of ${n}`, found[i]!])) };
  }

  function expectStep(results: Readonly<Record<string, Values>>, relative: number): void {
    expectClose(results.batch!, step.batch, { relative });
    for (const [loss, value] of Object.entries(step.losses)) {
      expectClose(results[loss]!, { axes: "", shape: [], data: [value] }, { relative, absolute: 0 });
    }
    for (const [n, data] of Object.entries(step.gradients)) {
      const { axes, shape } = step.parameters[n]!;
      // Relative to the largest entry: entries where contributions cancel have no relative precision in float32.
      const absolute = relative * Math.max(...data.map(Math.abs));
      expectClose(results[`gradient of ${n}`]!, { axes, shape, data }, { relative, absolute });
    }
  }

  test("in the float64 arbiter", () => expectStep(interpret(program(), feeds, key), 1e-10));

  test("in ONNX Runtime, within 10⁻⁵", async () => {
    const executable = await compile(program(), { threads: 1 });
    expectStep(await executable.run(feeds, key), 1e-5);
    await executable.dispose();
  });

  test("the weights that AdamW makes of it", async () => {
    const layout = layoutOf(names.map((n) => ({ name: n, ...step.parameters[n]! })));
    const options = { layout, objective, start: numbersOf(step.parameters), fixed: numbersOf(step.weights) };
    const stepper = await compileOptimisation(options, { threads: 1 });
    await stepper.advance([{ key, scalars: adamWScalars(1, config.learningRate) }]);
    const after = weightsIn(savedState(layout)(stepper.state()));
    for (const [n, data] of Object.entries(step.afterOneStep)) {
      const { axes, shape } = step.parameters[n]!;
      // A first step moves each weight by the learning rate; a thousandth of that is the allowance.
      expectClose(after[n]!, { axes, shape, data }, { relative: 1e-6, absolute: 1e-3 * config.learningRate });
    }
    await stepper.dispose();
  });
});

function inputsFor(stored: Readonly<Record<string, Stored>>): Tensors {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { axes, shape }]) => [
      name,
      input(name, axes, Object.fromEntries(axes.split(" ").map((axis, i) => [axis, shape[i]!]))),
    ]),
  );
}

function numbersOf(stored: Readonly<Record<string, Stored>>): NamedValues {
  return Object.fromEntries(Object.entries(stored).map(([name, { axes, shape, data }]) => [name, values(axes, shape, data)]));
}
