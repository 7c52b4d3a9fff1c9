/** What predicts importances against `reference/goldens/importance_functions.py`, which is plain PyTorch in float64. */
import { describe, expect, test } from "vitest";
import { expectClose } from "../../../../test/expect-close.ts";
import { golden } from "../../../../test/golden/load.ts";
import { compile, interpret, type NamedValues, values } from "../../../engine/index.ts";
import { weightInputs } from "../../../network/network.ts";
import {
  add,
  constant,
  einsum,
  gradients,
  input,
  mul,
  reshape,
  sizesOf,
  sum,
  type Tensor,
} from "../../../tensor/index.ts";
import { globalMlp } from "./global-mlp.ts";
import type { ImportanceFunction } from "./importance.ts";
import { layerwiseMlp } from "./layerwise-mlp.ts";
import { chunkwiseTransformer, type ImportanceTransformer } from "./transformer.ts";
import { vectorMlps } from "./vector-mlp.ts";

interface Stored {
  readonly axes: string;
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface ImportanceGolden {
  readonly settings: {
    readonly width: number;
    readonly widths: readonly number[];
    readonly size: ImportanceTransformer;
    readonly chunks: readonly { readonly sites: readonly string[]; readonly taps?: readonly string[] }[];
  };
  readonly seen: Readonly<Record<string, Stored>>;
  readonly weights: Readonly<Record<string, Stored>>;
  readonly cotangents: Readonly<Record<string, Stored>>;
  readonly preactivations: Readonly<Record<string, Stored>>;
  readonly gradients: Readonly<Record<string, readonly number[]>>;
}

const FUNCTIONS: Readonly<Record<string, (golden: ImportanceGolden) => ImportanceFunction>> = {
  "vector-mlp": ({ settings }) => vectorMlps(settings.width),
  "layerwise-mlp": ({ settings }) => layerwiseMlp(settings.widths),
  "global-mlp": ({ settings }) => globalMlp(settings.widths),
  transformer: transformerOf,
  "chunkwise-transformer": transformerOf,
};

function transformerOf({ settings, seen }: ImportanceGolden): ImportanceFunction {
  const chunks = settings.chunks.map(({ sites, taps }) => ({
    sites,
    ...(taps !== undefined && { taps: taps.map((point) => ({ point, width: seen[point]!.shape[2]! })) }),
  }));
  return chunkwiseTransformer(settings.size, chunks);
}

describe.each(Object.keys(FUNCTIONS))("%s against PyTorch", async (name) => {
  const given = await golden<ImportanceGolden>(`decomposition/importance-${name}.json`);
  const importance = FUNCTIONS[name]!(given);
  const sites = Object.entries(given.preactivations).map(([site, { shape }]) => {
    const [, , dIn] = given.seen[site]!.shape;
    return { site: { name: site, dIn: dIn!, dOut: 1 }, C: shape[0]! };
  });
  const specs = importance.weights(sites);
  const numbers = (stored: Readonly<Record<string, Stored>>): NamedValues =>
    Object.fromEntries(Object.entries(stored).map(([n, { axes, shape, data }]) => [n, values(axes, shape, data)]));
  const feeds = { ...numbers(given.seen), ...numbers(given.weights) };

  function program(): Record<string, Tensor> {
    const weights = weightInputs(specs);
    const read = (n: string): Tensor => {
      const [batch, pos, d_in] = given.seen[n]!.shape;
      return input(n, "batch pos d_in", { batch: batch!, pos: pos!, d_in: d_in! });
    };
    const seen = sites.map(({ site, C }) => {
      const activation = read(site.name);
      const { batch, pos, d_in } = sizesOf(activation) as { batch: number; pos: number; d_in: number };
      // Nothing but scalar gates reads it.
      const V = constant("d_in C", { d_in, C }, 0);
      const rows = reshape(activation, "batch d_in", { batch: batch * pos, d_in });
      return { site, C, activation, inner: einsum("batch d_in, d_in C -> C batch", rows, V) };
    });
    const points = importance.points ?? [];
    const z = importance.preactivations(weights, seen, Object.fromEntries(points.map((point) => [point, read(point)])));
    const weighed = sites.map(({ site }) => {
      const { shape, data } = given.cotangents[site.name]!;
      return sum(mul(z[site.name]!, constant("C batch", { C: shape[0]!, batch: shape[1]! }, data)));
    });
    const loss = weighed.reduce((a, b) => add(a, b));
    const slopes = gradients(
      loss,
      specs.map((spec) => weights[spec.name]!),
    );
    return { ...z, ...Object.fromEntries(specs.map((spec, i) => [`gradient of ${spec.name}`, slopes[i]!])) };
  }

  function expectGolden(found: NamedValues, relative: number): void {
    for (const [site, want] of Object.entries(given.preactivations)) expectClose(found[site]!, want, { relative });
    for (const [n, data] of Object.entries(given.gradients)) {
      const { axes, shape } = given.weights[n]!;
      const absolute = relative * Math.max(...data.map(Math.abs));
      expectClose(found[`gradient of ${n}`]!, { axes, shape, data }, { relative, absolute });
    }
  }

  test("has those weights", () => {
    const shapes = Object.fromEntries(specs.map(({ name: n, axes, shape }) => [n, { axes, shape }]));
    const wanted = Object.entries(given.weights).map(([n, { axes, shape }]) => [n, { axes, shape }]);
    expect(shapes).toEqual(Object.fromEntries(wanted));
  });

  test("in the float64 arbiter", () => expectGolden(interpret(program(), feeds), 1e-10));

  test("in ONNX Runtime, within 10⁻⁵", async () => {
    const executable = await compile(program(), { threads: 1 });
    expectGolden(await executable.run(feeds), 1e-5);
    await executable.dispose();
  });
});
