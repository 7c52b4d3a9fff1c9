/** What is said of heads, held against attention itself; and over data, against linear networks. */
import { describe, expect, test } from "vitest";
import { randomDecomposition } from "../../test/circuit/random-decomposition.ts";
import { scalarGates } from "../decomposition/parameter/importance/scalar-gate.ts";
import { componentWeights, ParameterDecomposition } from "../decomposition/parameter/parameter-decomposition.ts";
import { type NamedValues, values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { RunnableNetwork, tokenValues } from "../network/run.ts";
import { toyTransformer, type TransformerConfig } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomNormal, sizeOf, uniform } from "../tensor/index.ts";
import { aliveOnData, dataMeans } from "./data-means.ts";
import { actingOn, datasetAttribution } from "./dataset-attribution.ts";
import { observe } from "./observed.ts";
import { gramCosine, headOverlap, randomGramCosine } from "./output-value.ts";
import { interactionsAt, staticInteractions, strongestAt, strongestPairs } from "./query-key.ts";

const toy = toyTransformer({ vocab: 9, context: 8, layers: 1, dModel: 8, heads: 4, dHead: 4 });
const rotary = (pairs: "halves" | "neighbours"): TransformerConfig => ({
  ...toy,
  positions: { kind: "rotary", frequencies: [1, 0.3], pairs, scale: 1.2 },
  attention: { ...toy.attention, kvHeads: 2 },
});
const tokens = tokenValues([[3, 1, 4, 1, 5]]);

/** A decomposition that is the network: a component for each dimension that a matrix reads. */
function exactly(config: TransformerConfig): ParameterDecomposition {
  const network = transformer(config);
  const given: Record<string, NamedValues[string]> = {};
  for (const { name, axes, shape } of network.weights) {
    const drawn = randomNormal(foldIn(keyFromSeed(2), name), sizeOf(shape));
    given[name] = values(
      axes,
      shape,
      drawn.map((v) => v * 0.7),
    );
  }
  const gates = scalarGates(1);
  const parts: Record<string, NamedValues[string]> = {};
  for (const site of network.sites) {
    for (const { name, axes, shape } of componentWeights([{ site, C: site.dIn }], gates)) {
      parts[name] = values(axes, shape, new Float32Array(sizeOf(shape)));
    }
    parts[`${site.name}.V`]!.data.forEach((_, i, data) => {
      if (i % (site.dIn + 1) === 0) (data as Float32Array)[i] = 1;
    });
    (parts[`${site.name}.U`]!.data as Float32Array).set(given[site.name]!.data);
  }
  return new ParameterDecomposition(network, given, parts, gates);
}

describe("queries and keys", () => {
  for (const [name, config] of [
    ["learned positions", toy],
    ["rotary, halves, shared keys", rotary("halves")],
    ["rotary, neighbours, shared keys", rotary("neighbours")],
  ] as const) {
    test(`${name}: all pairs of components together are the score that attention sees`, async () => {
      const subject = exactly(config);
      const C = Object.fromEntries(
        subject.sites.map(({ name: site, dIn }) => [
          site,
          values("C batch", [dIn, 5], new Float32Array(dIn * 5).fill(1)),
        ]),
      );
      const { inner, divergence } = await observe(subject, tokens, { masks: C, device: "float64" });
      expect(divergence).toBeCloseTo(0, 12);
      const runnable = new RunnableNetwork(subject.network, subject.values, { device: "float64" });
      const { cache } = await runnable.run(tokens, { cache: ["blocks.0.attn.hook_attn_scores"] });
      const scores = cache["blocks.0.attn.hook_attn_scores"]!.data;
      for (const [query, key] of [
        [4, 0],
        [3, 3],
        [2, 1],
      ] as const) {
        const found = interactionsAt(subject, 0, inner, { query, key });
        for (let head = 0; head < 4; head++) {
          const total = Array.from(found.data.slice(head * 64, (head + 1) * 64)).reduce((a, b) => a + b, 0);
          expect(total).toBeCloseTo(scores[(head * 5 + query) * 5 + key]!, 4);
        }
      }
    });
  }

  test("static interactions have mean 0 and deviation 1 in each head; offsets matter where positions turn, alone", () => {
    const turning = staticInteractions(randomDecomposition(transformer(rotary("halves")), 6), 0, {
      offsets: [0, 1, 2],
    });
    expect(turning.raw.shape).toEqual([4, 3, 6, 6]);
    const size = 3 * 36;
    for (let head = 0; head < 4; head++) {
      const own = Array.from(turning.standardised.data.slice(head * size, (head + 1) * size));
      expect(own.reduce((a, b) => a + b) / size).toBeCloseTo(0, 5);
      expect(own.reduce((a, b) => a + b * b, 0) / size).toBeCloseTo(1, 4);
    }
    expect(turning.raw.data[36]).not.toBeCloseTo(turning.raw.data[0]!, 3);
    const still = staticInteractions(randomDecomposition(transformer(toy), 6), 0, { offsets: [0, 3] });
    expect(still.raw.data[36]).toBe(still.raw.data[0]);
    const [first, second] = strongestPairs(turning, 2).map(({ standardised }) => Math.abs(standardised));
    expect(first!).toBeGreaterThanOrEqual(second!);
    expect(first!).toBeCloseTo(Math.max(...turning.standardised.data.map(Math.abs)), 6);
  });

  test("the strongest pairs on an input are those of every interaction with the keys up to it", async () => {
    const subject = randomDecomposition(transformer(rotary("halves")), 5);
    const { passed } = await observe(subject, tokens, { device: "float64" });
    const found = strongestAt(subject, 0, passed, 3);
    let [n, total] = [0, 0];
    for (let key = 0; key <= 3; key++) {
      const { data } = interactionsAt(subject, 0, passed, { query: 3, key });
      n += data.filter((score) => score !== 0).length;
      total += Array.from(data).reduce((sum, score) => sum + score, 0);
    }
    expect(found.length).toBe(n);
    expect(found.reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(total, 5);
    const sizes = found.map(({ score }) => Math.abs(score));
    expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
    expect(() => strongestAt(subject, 0, passed, 5)).toThrow("a position from 0 to 4, got 5");
    const some = strongestPairs(staticInteractions(subject, 0), 100, { query: [1, 4], key: [2] });
    expect(some.map(({ query, key }) => `${query} ${key}`).sort()).toEqual([
      ...Array.from({ length: 4 }, () => "1 2"),
      ...Array.from({ length: 4 }, () => "4 2"),
    ]);
  });

  test("signs turn what they are told to, and refusals say why", () => {
    const subject = randomDecomposition(transformer(toy), 2);
    const signs = { "blocks.0.attn.W_Q": values("C", [2], [1, -1]) };
    const [plain, turned] = [staticInteractions(subject, 0), staticInteractions(subject, 0, { signs })];
    plain.raw.data.forEach((v, i) => expect(turned.raw.data[i]!).toBeCloseTo(Math.floor(i / 2) % 2 === 0 ? v : -v, 6));
    expect(() => staticInteractions(subject, 1)).toThrow("a layer from 0 to 0, got 1");
    const other = randomDecomposition(mlp({ features: 2, hidden: [], outputs: 2, activation: "none", bias: false }), 2);
    expect(() => staticInteractions(other, 0)).toThrow("expected a transformer");
  });
});

describe("heads' values", () => {
  test("random heads are as alike as the baseline says", () => {
    const [dModel, dHead] = [40, 8];
    const draw = (i: number): Float64Array[] => {
      const numbers = randomNormal(foldIn(keyFromSeed(5), i), dModel * dHead);
      return Array.from({ length: dModel }, (_, row) =>
        Float64Array.from(numbers.slice(row * dHead, (row + 1) * dHead)),
      );
    };
    const cosines = Array.from({ length: 60 }, (_, i) => gramCosine(draw(2 * i), draw(2 * i + 1)));
    const mean = cosines.reduce((a, b) => a + b) / 60;
    expect(Math.abs(mean - randomGramCosine(dModel, dHead))).toBeLessThan(0.01);
    expect(gramCosine(draw(0), draw(0))).toBeCloseTo(1, 12);
    // The published baseline, of heads of 128 in a stream of 768.
    expect(randomGramCosine(768, 128)).toBeCloseTo(0.1427, 4);
  });

  test("heads that read and write the same are at 1, and components of no weight do not count", () => {
    const subject = exactly(toy);
    const { reads, writes, random } = headOverlap(subject, 0);
    for (const { data, shape } of [reads, writes]) {
      expect(shape).toEqual([4, 4]);
      for (let head = 0; head < 4; head++) expect(data[head * 5]).toBeCloseTo(1, 6);
    }
    expect(random).toBeCloseTo(4 / 13, 10);
    // With one component left, every head reads along that one direction.
    const only = { "blocks.0.attn.W_V": values("C", [8], [1, 0, 0, 0, 0, 0, 0, 0]) };
    for (const v of headOverlap(subject, 0, only).reads.data) expect(v).toBeCloseTo(1, 6);
  });
});

describe("over data", () => {
  const linear = mlp({ features: 4, hidden: [5], outputs: 3, activation: "none", bias: false });
  const subject = randomDecomposition(linear, 6);
  const data = { x: uniform("data", "batch feature", { batch: 16, feature: 4 }), batches: 3 };

  test("a linear network's sources and inputs add up to its targets", async () => {
    const targets = [
      { site: "unembed.W_U", component: 2 },
      { site: "output", component: 1 },
      { site: "blocks.0.mlp.W_in", component: 0 },
    ];
    const found = await datasetAttribution(subject, data, targets, { device: "float64" });
    expect([found.n, found.examples]).toEqual([48, 48]);
    for (const { total, inputs, sources } of found.targets) {
      expect(inputs + sources.reduce((sum, { attribution }) => sum + attribution, 0)).toBeCloseTo(total, 4);
    }
    expect(found.targets[2]!.sources).toEqual([]);
    expect(found.targets[0]!.sources.length).toBeGreaterThan(1);
    // Of |target| the contributions add up to the sum of |target|, which is at least |sum|.
    const [first] = found.targets;
    expect(first!.sources.reduce((sum, { absolute }) => sum + absolute, 0)).toBeGreaterThanOrEqual(
      Math.abs(first!.total) - 1e-4,
    );
  });

  test("normalised attributions do not depend on how much data there was", async () => {
    const targets = [{ site: "output", component: 0 }];
    const [few, many] = [
      await datasetAttribution(subject, { ...data, batches: 60 }, targets),
      await datasetAttribution(subject, { ...data, batches: 120, seed: 1 }, targets),
    ];
    const by = new Map(many.targets[0]!.sources.map((source) => [source.address, source.normalised!]));
    for (const { address, normalised } of few.targets[0]!.sources.slice(0, 3)) {
      expect(Math.abs(by.get(address)! / normalised! - 1)).toBeLessThan(0.1);
    }
    expect(Math.abs(many.targets[0]!.sources[0]!.attribution)).toBeGreaterThan(
      1.5 * Math.abs(few.targets[0]!.sources[0]!.attribution),
    );
  });

  test("means over data are those of importances, and signs those of what is passed on", async () => {
    const { n, importance, signs } = await dataMeans(subject, data, { device: "float64" });
    expect(n).toBe(48);
    const { targets } = await datasetAttribution(subject, data, [{ site: "output", component: 0 }], {
      device: "float64",
    });
    // Normalised attributions hold the same importances: A / Â / RMS is their sum.
    for (const { address, attribution, normalised } of targets[0]!.sources.slice(0, 4)) {
      const [site, component] = address.split(":") as [string, string];
      const mean = importance[site]!.data[Number(component)]!;
      expect(attribution / normalised! / targets[0]!.rms / 48).toBeCloseTo(mean, 5);
    }
    for (const { data: each } of Object.values(signs)) for (const sign of each) expect(Math.abs(sign)).toBe(1);
    const alive = aliveOnData({ importance: { site: values("C", [4], [0, 0.2, 1e-7, 0.5]) } }, "site");
    expect(alive).toEqual([3, 1]);
  });

  test("what can act on a site is what comes before it", () => {
    expect(actingOn(subject, data.x, "blocks.0.mlp.W_in")).toEqual([]);
    expect(actingOn(subject, data.x, "unembed.W_U")).toEqual(["blocks.0.mlp.W_in"]);
    expect(actingOn(subject, data.x, "output")).toContain("unembed.W_U");
  });

  test("refuses targets that there are not", async () => {
    const ask = (site: string, component: number | "remainder"): Promise<unknown> =>
      datasetAttribution(subject, data, [{ site, component }]);
    await expect(ask("unembed.W_U", 6)).rejects.toThrow("a component from 0 to 5, got 6");
    await expect(ask("output", 3)).rejects.toThrow("an output from 0 to 2, got 3");
    await expect(ask("unembed.W", 0)).rejects.toThrow("site: expected one of");
    await expect(ask("unembed.W_U", "remainder")).rejects.toThrow("got its remainder");
  });
});
