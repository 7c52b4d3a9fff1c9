/** What holds of every way to predict importances: what they see, what they must not, and what components have to do with one another. */
import { describe, expect, test } from "vitest";
import { interpret, type NamedValues, type Values, values } from "../../../engine/index.ts";
import { weightInputs, type WeightSpec } from "../../../network/network.ts";
import {
  add,
  axisNames,
  foldIn,
  gradients,
  input,
  keyFromSeed,
  mul,
  randomNormal,
  sizeOf,
  sum,
  type Tensor,
} from "../../../tensor/index.ts";
import { innerActivation, rowsOf } from "../subcomponents.ts";
import { globalMlp } from "./global-mlp.ts";
import type { ImportanceFunction, Slots } from "./importance.ts";
import { layerwiseMlp } from "./layerwise-mlp.ts";
import { scalarGates } from "./scalar-gate.ts";
import { chunkwiseTransformer } from "./transformer.ts";
import { vectorMlps } from "./vector-mlp.ts";

const size = { dModel: 8, blocks: 1, heads: 2, dMlp: 5, causal: false };
const slots: readonly Slots[] = [
  { site: { name: "a", dIn: 3, dOut: 1 }, C: 2 },
  { site: { name: "b", dIn: 4, dOut: 1 }, C: 3 },
];
const p = { point: "p", width: 5 };
const [batch, pos] = [2, 3];

/** Each function, whether it sees other sites, and of which positions of an example row 1 sees something. */
const FUNCTIONS: readonly (readonly [string, ImportanceFunction, "own" | "all" | "point", readonly number[]])[] = [
  ["scalar gates", scalarGates(3), "own", [1]],
  ["vector MLPs", vectorMlps(3), "own", [1]],
  ["layerwise MLPs", layerwiseMlp([4, 3]), "own", [1]],
  ["a global MLP", globalMlp([4]), "all", [1]],
  ["a global transformer", chunkwiseTransformer(size, [{ sites: ["b", "a"] }]), "all", [0, 1, 2]],
  ["a causal transformer", chunkwiseTransformer({ ...size, causal: true }, [{ sites: ["a", "b"] }]), "all", [1, 2]],
  ["layerwise transformers", chunkwiseTransformer(size, [{ sites: ["a"] }, { sites: ["b"] }]), "own", [0, 1, 2]],
  ["a transformer at a hook point", chunkwiseTransformer(size, [{ sites: ["a", "b"], taps: [p] }]), "point", [0, 1, 2]],
];

function draw(name: string, axes: string, shape: readonly number[]): Values {
  return values(axes, shape, randomNormal(foldIn(keyFromSeed(5), name), sizeOf(shape)));
}

const drawAll = (specs: readonly WeightSpec[]): NamedValues =>
  Object.fromEntries(specs.map(({ name, axes, shape }) => [name, draw(name, axes, shape)]));

const seenValues: NamedValues = {
  ...drawAll(slots.map(({ site, C }) => ({ name: `${site.name}.V`, axes: "d_in C", shape: [site.dIn, C] }))),
  ...Object.fromEntries(
    [...slots.map(({ site }) => [site.name, site.dIn] as const), ["p", p.width] as const].map(([name, d_in]) => [
      name,
      draw(name, "batch pos d_in", [batch, pos, d_in]),
    ]),
  ),
};

interface Traced {
  readonly z: Readonly<Record<string, Tensor<"C batch">>>;
  /** What was seen, and what components read, by name. */
  readonly seen: Readonly<Record<string, Tensor>>;
}

function traced(importance: ImportanceFunction): Traced {
  const read = (name: string, d_in: number): Tensor => input(name, "batch pos d_in", { batch, pos, d_in });
  const seen = slots.map(({ site, C }) => {
    const activation = read(site.name, site.dIn);
    const V = input(`${site.name}.V`, "d_in C", { d_in: site.dIn, C });
    const U = input(`${site.name}.U`, "C d_out", { C, d_out: 1 });
    return { site, C, V, activation, inner: innerActivation(rowsOf(activation), { V, U }) };
  });
  const at = { p: read("p", p.width) };
  const z = importance.preactivations(weightInputs(importance.weights(slots)), seen, at);
  const named = seen.flatMap(({ site, activation, V }) => [
    [site.name, activation],
    [`${site.name}.V`, V],
  ]);
  return { z, seen: { ...at, ...(Object.fromEntries(named) as Record<string, Tensor>) } };
}

/** Pre-activations with some of the numbers in other ones' places. */
function preactivations(importance: ImportanceFunction, others: NamedValues = {}): NamedValues {
  const weights = drawAll(importance.weights(slots));
  return interpret({ ...traced(importance).z }, { ...seenValues, ...weights, ...others });
}

/** Which rows of `C batch` differ. */
function rowsThatDiffer(one: Values, other: Values): number[] {
  const rows = one.shape[1]!;
  const found = Array.from({ length: rows }, () => false);
  one.data.forEach((x, i) => (found[i % rows] ||= x !== other.data[i]));
  return found.flatMap((differs, row) => (differs ? [row] : []));
}

/** What is seen under some names, changed at one position of the first example. */
function changedAt(position: number, names: readonly string[]): NamedValues {
  return Object.fromEntries(
    names.map((name) => {
      const { data, shape, ...rest } = seenValues[name]!;
      const width = shape[2]!;
      return [name, { ...rest, shape, data: data.map((x, i) => (Math.floor(i / width) === position ? x + 1 : x)) }];
    }),
  );
}

/** A site's tensors with components in another order. */
function reordered(weights: NamedValues, site: string, order: readonly number[]): NamedValues {
  return Object.fromEntries(
    Object.entries(weights).map(([name, value]) => {
      const at = axisNames(value.axes).indexOf("C");
      if (!name.startsWith(`${site}.`) || at < 0) return [name, value];
      const inner = sizeOf(value.shape.slice(at + 1));
      const data = value.data.map((_, i) => {
        const c = Math.floor(i / inner) % order.length;
        return value.data[i + (order[c]! - c) * inner]!;
      });
      return [name, { ...value, data }];
    }),
  );
}

describe.each(FUNCTIONS)("%s", (_, importance, sight, reach) => {
  const own = preactivations(importance);

  test("see an example and the positions they may, and no other example", () => {
    const changed = preactivations(importance, changedAt(1, ["a", "b", "p"]));
    for (const site of ["a", "b"]) expect(rowsThatDiffer(own[site]!, changed[site]!)).toEqual(reach);
  });

  test("see their own site, all sites, or a hook point instead", () => {
    const seen = (name: string): string[] => {
      const changed = preactivations(importance, changedAt(0, [name]));
      return ["a", "b"].filter((site) => rowsThatDiffer(own[site]!, changed[site]!).length > 0);
    };
    const both = ["a", "b"];
    const expected = { own: [["a"], ["b"], []], all: [both, both, []], point: [[], [], both] }[sight];
    expect(["a", "b", "p"].map(seen)).toEqual(expected);
  });

  test("components may change places", () => {
    const order = [2, 0, 1];
    const given = { ...drawAll(importance.weights(slots)), "b.V": seenValues["b.V"]! };
    const moved = preactivations(importance, reordered(given, "b", order));
    order.forEach((from, to) => {
      const row = (z: Values, c: number): number[] => Array.from(z.data.slice(c * batch * pos, (c + 1) * batch * pos));
      expect(row(moved.b!, to)).toEqual(row(own.b!, from));
    });
    expect(moved.a!.data).toEqual(own.a!.data);
  });

  test("tensors of a site's components bear its name, and a component whose numbers are 0 has 0", () => {
    const specs = importance.weights(slots);
    for (const { name, axes } of specs) {
      expect(/^[ab]\./.test(name), name).toBe(axisNames(axes).includes("C"));
      if (!/^[ab]\./.test(name)) expect(name).toMatch(/^importance\./);
    }
    const cleared = specs
      .filter(({ name }) => name.startsWith("b."))
      .map(({ name, axes, shape }) => {
        const inner = sizeOf(shape.slice(axisNames(axes).indexOf("C") + 1));
        const value = draw(name, axes, shape);
        return [name, { ...value, data: value.data.map((x, i) => (Math.floor(i / inner) % 3 === 1 ? 0 : x)) }] as const;
      });
    const found = preactivations(importance, Object.fromEntries(cleared));
    expect(Array.from(found.b!.data.slice(6, 12))).toEqual([0, 0, 0, 0, 0, 0]);
    expect(found.b!.data.slice(0, 6)).toEqual(own.b!.data.slice(0, 6));
  });

  test("starts the same from the same key, with biases at 0 and nothing else", () => {
    const [one, same, other] = [1, 1, 2].map((seed) => importance.start(slots, keyFromSeed(seed))) as [
      NamedValues,
      NamedValues,
      NamedValues,
    ];
    expect(one).toEqual(same);
    const specs = importance.weights(slots);
    expect(Object.keys(one).sort()).toEqual(specs.map(({ name }) => name).sort());
    for (const { name, axes, shape } of specs) {
      expect(one[name]).toMatchObject({ axes, shape });
      const bias = /\.b(_\w+)?$/.test(name);
      expect(
        one[name]!.data.every((x) => x === 0),
        name,
      ).toBe(bias);
      if (!bias) expect(one[name]!.data).not.toEqual(other[name]!.data);
    }
  });
});

describe("what learns from importances", () => {
  const learns = (importance: ImportanceFunction, names: readonly string[]): boolean[] => {
    const { z, seen } = traced(importance);
    const loss = add(sum(mul(z.a!, z.a!)), sum(mul(z.b!, z.b!)));
    return gradients(
      loss,
      names.map((name) => seen[name]!),
    ).map(({ op }) => op !== "constant");
  };

  test.each(FUNCTIONS.slice(1))("of %s: neither the network nor what components read", (_, importance) => {
    expect(learns(importance, ["a", "b", "p", "a.V", "b.V"])).toEqual([false, false, false, false, false]);
  });

  test("of scalar gates: what components read, as published", () => {
    expect(learns(FUNCTIONS[0]![1], ["a.V", "b.V"])).toEqual([true, true]);
  });
});

test("layerwise transformers are the transformer of each site alone", () => {
  const layerwise = chunkwiseTransformer(size, [{ sites: ["a"] }, { sites: ["b"] }]);
  const together = preactivations(layerwise);
  const weights = drawAll(layerwise.weights(slots));
  slots.forEach(({ site }, i) => {
    const alone = chunkwiseTransformer(size, [{ sites: [site.name] }]);
    const renamed = Object.fromEntries(
      Object.entries(weights).map(([name, value]) => [name.replace(`chunks.${i}.`, "chunks.0."), value]),
    );
    const z = traced(alone).z[site.name]!;
    const found = interpret({ z }, { ...seenValues, ...weights, ...renamed }).z;
    expect(found.data).toEqual(together[site.name]!.data);
  });
});

test("starts as wide as PyTorch's rules say", () => {
  const wide = [{ site: { name: "a", dIn: 400, dOut: 1 }, C: 300 }];
  const spread = (importance: ImportanceFunction): Record<string, number> => {
    const start = importance.start(wide, keyFromSeed(3));
    return Object.fromEntries(
      Object.entries(start).map(([name, { data }]) => [
        name,
        Math.sqrt((data as Float32Array).reduce((total, x) => total + x * x, 0) / data.length),
      ]),
    );
  };
  const shape = { dModel: 100, blocks: 1, heads: 2, dMlp: 400, causal: false };
  const found = { ...spread(layerwiseMlp([100])), ...spread(chunkwiseTransformer(shape, [{ sites: ["a"] }])) };
  const near = (name: string, deviation: number): void => {
    expect(found[name]! / deviation, name).toBeGreaterThan(0.95);
    expect(found[name]! / deviation, name).toBeLessThan(1.05);
  };
  near("importance.a.W_0", Math.sqrt(2 / 400));
  near("a.head.W", 1 / Math.sqrt(100));
  near("importance.chunks.0.W", Math.sqrt(2 / 400));
  // The deviation of U(±1/√100).
  for (const part of "QKVO") near(`importance.chunks.0.blocks.0.attn.W_${part}`, 1 / Math.sqrt(300));
  near("importance.chunks.0.blocks.0.mlp.W_in", Math.sqrt(2 / 100));
  near("importance.chunks.0.blocks.0.mlp.W_out", 1 / Math.sqrt(400));
});
