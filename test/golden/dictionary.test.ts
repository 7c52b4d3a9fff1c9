/** Sparse dictionaries against `reference/goldens/dictionary_step.py`, which is plain PyTorch in float64. */
import { describe, expect, test } from "vitest";
import { type Dictionary, dictionaryAt, dictionaryWeights } from "../../src/decomposition/dictionary/dictionary.ts";
import { encode } from "../../src/decomposition/dictionary/encode.ts";
import { kindNamed } from "../../src/decomposition/dictionary/kinds/kinds.ts";
import { dictionaryTraining, shapeOf } from "../../src/decomposition/dictionary/training.ts";
import { METHODS } from "../../src/decomposition/methods.ts";
import { compile, interpret, itemOf, type NamedValues, scalarValue, type Values, values } from "../../src/engine/index.ts";
import { weightInputs } from "../../src/network/network.ts";
import { settingsFrom } from "../../src/settings.ts";
import { gradients, relabel, type Tensor } from "../../src/tensor/index.ts";
import { expectClose } from "../expect-close.ts";
import { golden } from "./load.ts";

interface Stored {
  readonly axes: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface StepGolden {
  readonly method: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly power: number;
  readonly skip: boolean;
  readonly dead: readonly number[];
  readonly x: Stored;
  readonly y: Stored;
  readonly parameters: Readonly<Record<string, Stored>>;
  readonly latents: Stored;
  readonly losses: Readonly<Record<string, number>>;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const CASES = [
  ...["sae", "sae-norm", "sae-power", "sae-skip", "gated", "topk", "topk-skip", "batchtopk", "matryoshka"],
  ...["jumprelu", "jumprelu-tanh"],
];
const BATCHWISE = ["batchtopk", "matryoshka"];

describe.each(CASES)("%s", async (name) => {
  const step = await golden<StepGolden>(`dictionary/${name}.json`);
  const kind = kindNamed(step.method);
  const [rows, width] = step.x.shape as [number, number];
  const { schema } = METHODS[step.method]!;
  const settings = settingsFrom(step.method, schema, { ...step.settings, batch: rows, deadAfter: 1 });
  const [reads, writes] = [
    { name: "in", width },
    { name: step.skip ? "out" : "in", width },
  ];
  const placed = { site: "s", reads, writes, C: step.latents.shape[1]!, skip: step.skip };
  const specs = dictionaryWeights(shapeOf(placed, kind));
  const weights = weightInputs(specs);
  const training = dictionaryTraining([placed], kind, settings as never);
  const inputs = weightInputs(
    [...new Set([reads.name, writes.name])].map((point) => ({ name: point, axes: "batch d", shape: [rows, width] })),
  ) as Record<string, Tensor<"batch d">>;
  const given = Object.fromEntries(Object.entries(step.parameters).map(([n, stored]) => [`s.${n}`, numbers(stored)]));
  const start: NamedValues = {
    ...Object.fromEntries(
      specs.map(({ name: n, axes, shape }) => [n, values(axes, shape, new Float32Array(shape.reduce((a, b) => a * b)))]),
    ),
    ...given,
  };
  const feeds = {
    ...start,
    in: numbers(step.x),
    out: numbers(step.y),
    "silent/s": values("C", [placed.C], step.dead),
    pressure: scalarValue(1),
    p: scalarValue(step.power),
  };
  const names = Object.keys(step.gradients);

  /** Terms of the loss, gradients and, where a row's do not depend on others, latents as one program. */
  function program(): Record<string, Tensor> {
    const { metrics } = training.objective(weights, { rows: inputs });
    const found = gradients(
      metrics.loss,
      names.map((n) => weights[`s.${n}`]!),
    );
    const losses = Object.keys(step.losses).filter((loss) => metrics[loss] !== undefined);
    return {
      ...Object.fromEntries(losses.map((loss) => [loss, metrics[loss]!])),
      ...Object.fromEntries(names.map((n, i) => [`gradient of ${n}`, found[i]!])),
    };
  }

  function expectStep(results: Readonly<Record<string, Values>>, relative: number): void {
    const terms = Object.entries(step.losses);
    for (const [loss, value] of terms) {
      // A loss of one term is told once.
      const found = results[loss] ?? (terms.length === 2 ? results.loss! : undefined);
      expectClose(found!, { axes: "", shape: [], data: [value] }, { relative, absolute: 0 });
    }
    for (const [n, data] of Object.entries(step.gradients)) {
      const { axes, shape } = step.parameters[n]!;
      const absolute = relative * Math.max(...data.map(Math.abs));
      expectClose(results[`gradient of ${n}`]!, { axes, shape, data }, { relative, absolute });
    }
  }

  test("losses and gradients, in the float64 arbiter", () => {
    expectStep(interpret(program(), feeds), 1e-7);
    expect(names.length).toBeGreaterThanOrEqual(3);
  });

  test("the same in ONNX Runtime, within 10⁻⁵", async () => {
    const executable = await compile(program(), { threads: 1 });
    expectStep(await executable.run(feeds), 1e-5);
    await executable.dispose();
  });

  test("as many latents as there should be are on", () => {
    const { l0 } = training.objective(weights, { rows: inputs }).metrics;
    const on = step.latents.data.filter((z) => z > 0).length;
    expect(itemOf(interpret({ l0: l0! }, feeds).l0)).toBeCloseTo(on / rows, 6);
  });

  // Of a batch's largest latents thresholds are no part of the golden: they are what training leaves behind.
  if (BATCHWISE.includes(step.method)) return;
  test("latents of the finished weights", () => {
    const finished = training.finished(feeds);
    const own = weightInputs(specs);
    const dictionary: Dictionary = dictionaryAt(own, "s");
    const x = relabel(inputs.in!, "batch d_in");
    const z = encode(kind.code, x, dictionary, step.settings.k as number | undefined);
    expectClose(interpret({ z }, { ...feeds, ...finished }).z, step.latents, { relative: 1e-6, absolute: 1e-6 });
  });
});

function numbers({ axes, shape, data }: Stored): Values {
  return values(axes, shape, data);
}
