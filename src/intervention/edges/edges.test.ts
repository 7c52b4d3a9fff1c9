import { describe, expect, test } from "vitest";
import { isTrue, openInduction, repeated } from "../../../test/intervention/induction.ts";
import { type NamedValues, values } from "../../engine/index.ts";
import { RunnableNetwork, tokenValues } from "../../network/run.ts";
import { type ToyShape, toyTransformer } from "../../network/transformer/config.ts";
import { transformer } from "../../network/transformer/transformer.ts";
import { add, constant, contract, foldIn, input, keyFromSeed, randomNormal, type Tensor } from "../../tensor/index.ts";
import { areaUnderCurve, pearson } from "../agreement.ts";
import { attribute, attributionSweep } from "../attribution.ts";
import { captured, measured } from "../capture.ts";
import { effectsOf } from "../effects.ts";
import { answerAccuracy, divergenceFrom, logitDifference, logProbability } from "../metrics.ts";
import type { Source } from "../sources.ts";
import { patchingSweep } from "../sweeps.ts";
import { compileProgram } from "../../network/compiled/compile-program.ts";
import { withWholeMlps } from "../../network/compiled/circuit.ts";
import { encode } from "../../network/compiled/vocabulary.ts";
import { circuitAlone } from "./circuit-alone.ts";
import { edgeAttribution } from "./edge-attribution.ts";
import { edgeEffects, type EdgeTable } from "./edge-effects.ts";
import { type Edge, edgeGraph, edgeName } from "./graph.ts";
import { pruneEdges } from "./prune.ts";

const sizes = ({ rows }: EdgeTable): number[] => rows.map(({ mean }) => Math.abs(mean));
const means = ({ rows }: EdgeTable): number[] => rows.map(({ mean }) => mean);

describe("on an induction circuit written by hand", () => {
  const cleanRows = repeated(4, 1);
  const corruptRows = repeated(4, 2);
  const clean = { name: "clean", x: tokenValues(cleanRows) };
  const corrupt = { name: "corrupt", x: tokenValues(corruptRows) };
  const metric = logProbability({ answer: cleanRows.map((row) => row[0]!) });
  const truth = edgeGraph(openInduction(1)).edges.map(isTrue);
  const other = { kind: "patch", source: corrupt } as const;
  const detected = (table: EdgeTable): string => {
    const found = sizes(table).map((size) => size > 0.01);
    const count = (t: boolean, f: boolean): number => truth.filter((is, i) => is === t && found[i] === f).length;
    return `TP ${count(true, true)} FP ${count(false, true)} FN ${count(true, false)}`;
  };

  test("there are 52 edges, 7 of them true", () => {
    expect(truth).toHaveLength(52);
    expect(truth.filter(Boolean)).toHaveLength(7);
  });

  test("zero ablation finds all, another example's values all but the two that carry positions alone", async () => {
    const runnable = openInduction(20);
    const zero = await edgeEffects(runnable, clean, { cut: { kind: "zero" }, metric });
    const patched = await edgeEffects(runnable, clean, { cut: other, metric });
    expect(areaUnderCurve(sizes(zero), truth)).toBe(1);
    expect(areaUnderCurve(sizes(patched), truth)).toBeCloseTo(6 / 7, 10);
    expect([detected(zero), detected(patched)]).toEqual(["TP 7 FP 0 FN 0", "TP 5 FP 0 FN 2"]);
    const seen = truth.map((is, i) => is && sizes(patched)[i]! > 0.01);
    expect(areaUnderCurve(sizes(patched), seen)).toBe(1);
    expect(zero.granularity).toContain("52 edges between 7 writers and 19 readers");
  });

  test("attribution finds what patching finds while attention is undecided, and the result says when it is not", async () => {
    const table = async (beta: number) => {
      const runnable = openInduction(beta);
      const exact = await edgeEffects(runnable, clean, { cut: other, metric });
      const one = await edgeAttribution(runnable, clean, { cut: other, metric });
      const ten = await edgeAttribution(runnable, clean, { cut: other, metric, steps: 10 });
      for (const estimate of [one, ten]) expect(areaUnderCurve(sizes(estimate), truth)).toBeCloseTo(6 / 7, 10);
      return { agreement: pearson(means(one), means(exact)), regime: one.regime! };
    };
    const undecided = await table(1);
    const decided = await table(20);
    expect(undecided.agreement).toBeGreaterThan(0.95);
    expect(decided.agreement).toBeLessThan(0.7);
    expect(undecided.regime.meanMaxAttention).toBeLessThan(0.35);
    expect(decided.regime.byHead[0]![0]).toBeGreaterThan(0.99);
  });

  test("pruning keeps the circuit", async () => {
    const runnable = openInduction(20);
    const divergence = await divergenceFrom(runnable, clean);
    for (const [cut, missed] of [
      [{ kind: "zero" }, 0],
      [other, 2],
    ] as const) {
      const { kept, cut: gone } = await pruneEdges(runnable, clean, { cut, metric: divergence, threshold: 0.01 });
      expect(kept.filter(isTrue)).toHaveLength(7 - missed);
      expect(kept.filter((edge) => !isTrue(edge))).toEqual([]);
      expect(kept.length + gone.length).toBe(52);
    }
  });
});

describe("a circuit alone", () => {
  test("of a compiled program is the program", async () => {
    const { config, weights, circuit, program, vocabulary } = compileProgram("reverse", { length: 4, noise: 2 });
    const runnable = new RunnableNetwork(transformer(config), weights);
    const words = program.vocabulary;
    const inputs = [0, 1, 2, 3, 4].map((i) => [0, 1, 2, 3].map((p) => words[(i * (p + 1) + p) % words.length]!));
    const examples = {
      name: "inputs",
      x: tokenValues(inputs.map((input) => encode(vocabulary, input))),
    };
    const metric = await divergenceFrom(
      runnable,
      examples,
      inputs.map(() => 1),
    );
    const ask = (edges: readonly Edge[]) =>
      circuitAlone(runnable, examples, { circuit: edges, cut: { kind: "zero" }, metric, splitEmbeddings: true });
    const edges = withWholeMlps(circuit.edges);
    expect(Math.max(...(await ask(edges)).alone)).toBeLessThan(1e-4);
    const broken = await ask(edges.filter(({ to }) => to !== "unembed"));
    expect(broken.mean).toBeGreaterThan(0.1);
    expect(broken.interval![0]).toBeGreaterThan(0);
  });

  test("is held against no circuit at all", async () => {
    const runnable = openInduction(20);
    const rows = repeated(4, 1);
    const examples = { name: "clean", x: tokenValues(rows) };
    const metric = logProbability({ answer: rows.map((row) => row[0]!) });
    const circuit = edgeGraph(runnable).edges.filter(isTrue);
    const found = await circuitAlone(runnable, examples, { circuit, cut: { kind: "zero" }, metric });
    expect(found.faithfulness).toBeCloseTo(1, 4);
    expect([found.kept, found.cut]).toEqual([7, 45]);
    const none = await circuitAlone(runnable, examples, { circuit: [], cut: { kind: "zero" }, metric });
    expect(none.faithfulness).toBeCloseTo(0, 10);
    const stranger = [{ from: "embed", to: "blocks.2.attn:0", into: "q" as const }];
    await expect(
      circuitAlone(runnable, examples, { circuit: stranger, cut: { kind: "zero" }, metric }),
    ).rejects.toThrow("got embed -> blocks.2.attn:0 q");
  });
});

const clean = {
  name: "clean",
  x: tokenValues([
    [1, 2, 3, 4],
    [5, 6, 0, 1],
  ]),
};
const corrupt = {
  name: "corrupt",
  x: tokenValues([
    [1, 5, 3, 4],
    [0, 6, 2, 1],
  ]),
};
const metric = logitDifference({ answer: [0, 1], against: [3, 4] });
const patched = { kind: "patch", source: corrupt } as const;

function open(shape: Partial<ToyShape>, change: (name: string, x: number) => number = (_, v) => v): RunnableNetwork {
  const network = transformer(toyTransformer({ vocab: 7, context: 6, layers: 2, dModel: 8, heads: 2, ...shape }));
  const weights: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape: sizes }) => {
      const count = sizes.reduce((product, n) => product * n, 1);
      const draws = randomNormal(foldIn(keyFromSeed(7), name), count);
      return [
        name,
        values(
          axes,
          sizes,
          draws.map((v) => change(name, v)),
        ),
      ];
    }),
  );
  return new RunnableNetwork(network, weights, { device: "float64" });
}

test("an edge that is cut is what a plain hook at its reader does", async () => {
  const runnable = open({ dMlp: 12, norm: "layer", bias: true });
  const table = await edgeEffects(runnable, clean, { cut: patched, metric });
  const point = "blocks.0.attn.hook_result";
  const [own, others] = [await captured(runnable, clean, [point]), await captured(runnable, corrupt, [point])];
  // What head 1 writes, in the one run less in the other.
  const data = Float64Array.from({ length: 2 * 4 * 8 }, (_, i) => {
    const at = (Math.floor(i / 8) * 2 + 1) * 8 + (i % 8);
    return others[point]!.data[at]! - own[point]!.data[at]!;
  });
  const change = { axes: "batch pos d_model", shape: [2, 4, 8], dtype: "f32" as const, data };
  for (const [name, reader, heads] of [
    ["blocks.0.attn:1 -> blocks.1.attn:1 k", "blocks.1.hook_k_input", [0, 1]],
    ["blocks.0.attn:1 -> blocks.1.attn:0 q", "blocks.1.hook_q_input", [1, 0]],
    ["blocks.0.attn:1 -> blocks.0.mlp", "blocks.0.hook_mlp_in", undefined],
    ["blocks.0.attn:1 -> unembed", "blocks.1.hook_resid_post", undefined],
  ] as const) {
    const hook = {
      point: reader,
      replace: (value: Tensor): Tensor => {
        const given: Tensor = input("change", "batch pos d_model", { batch: 2, pos: 4, d_model: 8 });
        if (heads === undefined) return add(value, given);
        return add(value, contract(given, constant("head", { head: 2 }, heads), value.axes));
      },
    };
    const { measure } = await runnable.compute(clean.x, ({ output }) => ({ measure: metric.readout(output) }), {
      hooks: [hook],
      feeds: { change, ...metric.feeds([0, 1]) },
    });
    const row = table.rows.find(({ edge }) => edgeName(edge) === name)!;
    row.perExample.forEach((effect, i) => expect(effect).toBeCloseTo(measure.data[i]! - table.baseline[i]!, 10));
  }
});

test("edges cut all together are the other run", async () => {
  const runnable = open({ dMlp: 12, norm: "rms" });
  const { before, after, kept } = await pruneEdges(runnable, clean, { cut: patched, metric, threshold: 1e9 });
  expect(kept).toEqual([]);
  expect(before).not.toBeCloseTo(after, 3);
  const whole = (await measured(runnable, corrupt, metric)).reduce((a, b) => a + b, 0) / 2;
  expect(after).toBeCloseTo(whole, 10);
});

test("heads that share keys and values are one reader of these", async () => {
  const config = toyTransformer({
    vocab: 7,
    context: 6,
    layers: 2,
    dModel: 8,
    heads: 4,
    dHead: 2,
    dMlp: 6,
    norm: "rms",
  });
  const network = transformer({ ...config, parallel: true, attention: { ...config.attention, kvHeads: 2 } });
  const weights = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const count = shape.reduce((product, n) => product * n, 1);
      return [name, values(axes, shape, randomNormal(foldIn(keyFromSeed(8), name), count))];
    }),
  );
  const runnable = new RunnableNetwork(network, weights, { device: "float64" });
  const { edges } = edgeGraph(runnable);
  expect(edges).toContainEqual({ from: "blocks.0.attn:3", to: "blocks.1.attn.kv:1", into: "v" });
  // Attention and MLP of a block read the same stream.
  expect(edges).not.toContainEqual({ from: "blocks.0.attn:3", to: "blocks.0.mlp", into: "in" });
  const whole = await measured(runnable, corrupt, metric);
  const alone = await circuitAlone(runnable, clean, { circuit: [], cut: patched, metric });
  alone.nothing.forEach((x, i) => expect(x).toBeCloseTo(whole[i]!, 10));
  const estimate = await edgeAttribution(runnable, clean, { cut: patched, metric });
  expect(estimate.rows).toHaveLength(edges.length);
});

describe("attribution", () => {
  const sweeps = ["layer-position", "head-position", "query-key-value"];
  const contrast = { clean, corrupt, direction: "noise" as const };

  // Without queries, every position is looked at alike: what is left is a sum of products of matrices.
  const linear = (): RunnableNetwork => open({}, (name, v) => (name.endsWith("W_Q") ? 0 : v));

  test("is patching, exactly, where the network is linear", async () => {
    const runnable = linear();
    for (const steps of [1, 3]) {
      const [exact, estimate] = [
        await edgeEffects(runnable, clean, { cut: patched, metric }),
        await edgeAttribution(runnable, clean, { cut: patched, metric, steps }),
      ];
      expect(Math.max(...sizes(exact))).toBeGreaterThan(0.1);
      exact.rows.forEach(({ perExample }, i) =>
        perExample.forEach((x, e) => expect(estimate.rows[i]!.perExample[e]).toBeCloseTo(x, 10)),
      );
      for (const sweep of sweeps.slice(0, 2)) {
        const nodes = await patchingSweep(runnable, contrast, { metric, sweep });
        const estimates = await attributionSweep(runnable, contrast, { metric, sweep, steps });
        nodes.rows.forEach(({ perExample }, i) =>
          perExample.forEach((x, e) => expect(estimates.rows[i]!.perExample[e]).toBeCloseTo(x, 10)),
        );
      }
      expect(estimate.regime!.meanMaxAttention).toBeCloseTo(estimate.regime!.undecided, 10);
    }
  });

  test("is the slope of what a small part of the patch does, where it is not", async () => {
    const runnable = open({ dMlp: 12, norm: "layer", bias: true, activation: "gelu" });
    for (const sweep of [...sweeps, "neurons", "pattern"]) {
      const estimates = await attributionSweep(runnable, contrast, { metric, sweep });
      const chosen = estimates.rows.filter((_, i) => i % 5 === 2);
      const variants = chosen.map((row) => row.selections);
      const changedBy = async (part: number) =>
        (await effectsOf(runnable, { base: clean, variants, metric, source: partly(part) })).rows.map(
          (row) => row.perExample,
        );
      const [up, down] = [await changedBy(1e-4), await changedBy(-1e-4)];
      chosen.forEach(({ perExample }, v) =>
        perExample.forEach((x, e) => expect((up[v]![e]! - down[v]![e]!) / 2e-4).toBeCloseTo(x, 5)),
      );
    }
  });

  test("in many steps adds up to what the whole input does", async () => {
    const runnable = open({ dMlp: 12, norm: "layer", bias: true, activation: "gelu" }, (_, v) => v / 2);
    const miss = async (steps: number): Promise<number> => {
      const { rows, source, baseline } = await attribute(runnable, contrast, {
        metric,
        steps,
        variants: [{ point: "hook_embed" }],
      });
      return Math.max(...rows[0]!.perExample.map((x, e) => Math.abs(x - (source![e]! - baseline[e]!))));
    };
    const [few, many] = [await miss(8), await miss(64)];
    expect(many).toBeLessThan(few / 5);
  });

  test("needs a metric with a gradient, steps, and values to go to", async () => {
    const runnable = open({});
    const accuracy = answerAccuracy({ answer: [0, 1] });
    const variants = [{ point: "hook_embed" }];
    await expect(attribute(runnable, contrast, { metric: accuracy, variants })).rejects.toThrow(
      "attribution: expected a metric that has a gradient, got accuracy",
    );
    await expect(attribute(runnable, contrast, { metric, variants, steps: 0 })).rejects.toThrow(
      "attribution: expected a whole number of steps from 1, got 0",
    );
    const noise = { kind: "noise", reference: corrupt, scale: 1, key: keyFromSeed(1) } as const;
    await expect(edgeAttribution(runnable, clean, { cut: noise, metric })).rejects.toThrow(
      "edge attribution: expected zero, mean, resample or patch, got noise",
    );
  });

  /** A part of the way to the other run. */
  function partly(part: number): Source {
    return {
      kind: "patch",
      reference: null,
      description: "part of a patch",
      standIns: async (runnable, base, points) => {
        const [own, others] = [await captured(runnable, base, points), await captured(runnable, corrupt, points)];
        const between = (point: string) =>
          own[point]!.data.map((x, i) => x + part * (others[point]!.data[i]! - x)) as Float64Array;
        return Object.fromEntries(
          points.map((point) => [point, { how: "replace", values: { ...own[point]!, data: between(point) } }]),
        );
      },
    };
  }
});

test("a network whose heads do not simply add up is refused", () => {
  const config = toyTransformer({ vocab: 7, context: 6, layers: 1, dModel: 8, heads: 2, norm: "rms" });
  const network = transformer({ ...config, norm: { ...config.norm, post: true } });
  const weights = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const count = shape.reduce((product, n) => product * n, 1);
      return [name, values(axes, shape, new Float32Array(count))];
    }),
  );
  expect(() => edgeGraph(new RunnableNetwork(network, weights))).toThrow("a norm after each block's part");
});
