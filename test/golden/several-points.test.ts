/** Crosscoders and cross-layer transcoders against `reference/goldens/several_points.py`, which is plain PyTorch in float64. */
import { describe, expect, test } from "vitest";
import type { Coder } from "../../src/decomposition/activation/coder.ts";
import { crossLayerCoder } from "../../src/decomposition/clt/cross-layer.ts";
import { cltMethod } from "../../src/decomposition/clt/method.ts";
import { type CrossLayerTrainingSettings, crossLayerTraining, type PlacedLayer } from "../../src/decomposition/clt/training.ts";
import { crosscoderCoder } from "../../src/decomposition/crosscoder/crosscoder.ts";
import { crosscoderMethod } from "../../src/decomposition/crosscoder/method.ts";
import { crosscoderTraining, type CrosscoderTrainingSettings } from "../../src/decomposition/crosscoder/training.ts";
import type { ActivationTraining } from "../../src/decomposition/dictionary/train.ts";
import { compile, interpret, type NamedValues, scalarValue, type Values, values } from "../../src/engine/index.ts";
import { weightInputs } from "../../src/network/network.ts";
import { settingsFrom } from "../../src/settings.ts";
import { add, gradients, relabel, sum, type Tensor, transpose } from "../../src/tensor/index.ts";
import { expectClose } from "../expect-close.ts";
import { golden } from "./load.ts";

interface Stored {
  readonly axes: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Golden {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly rows: Readonly<Record<string, Stored>>;
  readonly parameters: Readonly<Record<string, Stored>>;
  readonly latents: Readonly<Record<string, Stored>>;
  readonly outputs: Readonly<Record<string, Stored>>;
  readonly losses: Readonly<Record<string, number>>;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

interface Subject {
  readonly training: ActivationTraining;
  readonly coders: readonly Coder[];
}

function crosscoder({ rows, settings, latents }: Golden): Subject {
  const points = Object.entries(rows).map(([name, { shape }]) => ({ name, width: shape[1]! }));
  const shape = {
    site: "crosscoder",
    points: points.map(({ name }) => name),
    width: points[0]!.width,
    C: latents.crosscoder!.shape[1]!,
  };
  const own = settingsFrom("crosscoder", crosscoderMethod.schema, { ...settings, activationNormalization: "none" });
  return {
    training: crosscoderTraining(shape, points, own as unknown as CrosscoderTrainingSettings),
    coders: [crosscoderCoder(shape)],
  };
}

function crossLayer({ outputs, settings, parameters }: Golden): Subject {
  const own = settingsFrom("clt", cltMethod.schema, { ...settings, activationNormalization: "none" });
  const names = Object.keys(outputs);
  const layers = names.map((site, l): PlacedLayer => {
    const [dIn, C] = parameters[`${site}.W_enc`]!.shape as [number, number];
    const dOut = parameters[`${site}.b_dec`]!.shape[0]!;
    return {
      ...{ site, dIn, dOut, C },
      code: settings.code as "relu" | "jumprelu",
      reads: `i${l}`,
      writes: names.slice(l),
      from: { name: `i${l}`, width: dIn },
      to: { name: site, width: dOut },
    };
  });
  return {
    training: crossLayerTraining(layers, own as unknown as CrossLayerTrainingSettings),
    coders: layers.map(crossLayerCoder),
  };
}

const CASES: Readonly<Record<string, (step: Golden) => Subject>> = {
  crosscoder,
  "clt-jumprelu": crossLayer,
  "clt-relu": crossLayer,
};

describe.each(Object.entries(CASES))("%s", async (name, subject) => {
  const step = await golden<Golden>(`dictionary/${name}.json`);
  const { training, coders } = subject(step);
  const specs = Object.entries(step.parameters).map(([n, { axes, shape }]) => ({ name: n, axes, shape }));
  const weights = weightInputs(specs);
  const rows = weightInputs(
    Object.entries(step.rows).map(([point, { axes, shape }]) => ({ name: point, axes, shape })),
  ) as Record<string, Tensor<"batch d">>;
  const C = Object.values(step.latents)[0]!.shape[1]!;
  const feeds: NamedValues = {
    ...numbers(step.parameters),
    ...numbers(step.rows),
    ...Object.fromEntries(coders.map(({ site }) => [`silent/${site.name}`, values("C", [C], new Float32Array(C))])),
    pressure: scalarValue(1),
  };

  test("its weights are the golden's", () => {
    const own = training.groups.flatMap((group) => group.weights);
    expect(own.map(({ name: n, axes, shape }) => ({ name: n, axes, shape }))).toEqual(specs);
  });

  /** Terms of the loss and gradients as one program. */
  function program(): Record<string, Tensor> {
    const { metrics } = training.objective(weights, { rows });
    const found = gradients(
      metrics.loss,
      specs.map(({ name: n }) => weights[n]!),
    );
    return {
      ...Object.fromEntries(Object.keys(step.losses).map((loss) => [loss, metrics[loss]!])),
      ...Object.fromEntries(specs.map(({ name: n }, i) => [`gradient of ${n}`, found[i]!])),
    };
  }

  function expectStep(results: Readonly<Record<string, Values>>, relative: number): void {
    for (const [loss, value] of Object.entries(step.losses)) {
      expectClose(results[loss]!, { axes: "", shape: [], data: [value] }, { relative, absolute: 0 });
    }
    for (const [n, data] of Object.entries(step.gradients)) {
      const { axes, shape } = step.parameters[n]!;
      expectClose(
        results[`gradient of ${n}`]!,
        { axes, shape, data },
        { relative, absolute: relative * Math.max(...data.map(Math.abs)) },
      );
    }
  }

  test("losses and gradients, in the float64 arbiter", () => expectStep(interpret(program(), feeds), 1e-7));

  test("the same in ONNX Runtime, within 10⁻⁵", async () => {
    const executable = await compile(program(), { threads: 1 });
    expectStep(await executable.run(feeds), 1e-5);
    await executable.dispose();
  });

  test("latents of the finished weights, and what they write", () => {
    const finished = { ...feeds, ...training.finished(feeds) };
    const read = Object.fromEntries(Object.entries(rows).map(([point, x]) => [point, relabel(x, "batch d_in")]));
    const carried = coders.map((coder) => coder.encode(weights, read));
    coders.forEach(({ site }, i) => {
      const z = transpose(sum(carried[i]!, "m") as Tensor<"C batch">, "batch C");
      expectClose(interpret({ z }, finished).z, step.latents[site.name]!, { relative: 1e-6, absolute: 1e-6 });
    });
    for (const [point, wanted] of Object.entries(step.outputs)) {
      const parts = coders.flatMap((coder, i): Tensor[] => {
        if (!coder.writes.includes(point)) return [];
        const bias = coder.bias?.(weights, read, point);
        return [coder.decode(weights, carried[i]!, point), ...(bias ? [bias] : [])];
      });
      const written = parts.reduce((total, part) => add(total, part) as Tensor);
      expectClose(interpret({ written }, finished).written, wanted, { relative: 1e-6, absolute: 1e-6 });
    }
  });

  test("magnitudes are the lengths of what each latent writes", () => {
    const read = Object.fromEntries(Object.entries(rows).map(([point, x]) => [point, relabel(x, "batch d_in")]));
    for (const coder of coders) {
      const { magnitudes, W_dec } = interpret(
        { magnitudes: coder.magnitudes(weights, coder.encode(weights, read)), W_dec: weights[`${coder.site.name}.W_dec`]! },
        { ...feeds, ...training.finished(feeds) },
      );
      const width = W_dec.data.length / C;
      const wanted = step.latents[coder.site.name]!;
      const batch = wanted.shape[0]!;
      const data = Array.from({ length: C * batch }, (_, i) => {
        const [c, r] = [Math.floor(i / batch), i % batch];
        return wanted.data[r * C + c]! * Math.hypot(...W_dec.data.slice(c * width, (c + 1) * width));
      });
      expectClose(magnitudes, { axes: "C batch", shape: [C, batch], data }, { relative: 1e-6, absolute: 1e-6 });
    }
  });
});

function numbers(stored: Readonly<Record<string, Stored>>): NamedValues {
  return Object.fromEntries(
    Object.entries(stored).map(([name, { axes, shape, data }]) => [name, values(axes, shape, data)]),
  );
}
