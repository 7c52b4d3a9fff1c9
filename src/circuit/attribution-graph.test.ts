/** Attribution on networks where the truth is known: linear ones add up, paths that nobody reads carry nothing. */
import { describe, expect, test } from "vitest";
import { scalarGates } from "../decomposition/parameter/importance/scalar-gate.ts";
import { ParameterDecomposition } from "../decomposition/parameter/parameter-decomposition.ts";
import { type NamedValues, values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { residualMlp } from "../network/residual-mlp.ts";
import { tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { randomDecomposition } from "../../test/circuit/random-decomposition.ts";
import { attributionGraph } from "./attribution-graph.ts";
import { calibrateEdges, calibrateNodes } from "./calibration.ts";
import { influenceOf, pruned } from "./graph.ts";

const gates = scalarGates(3);

const linear = mlp({ features: 5, hidden: [4, 6], outputs: 3, activation: "none", bias: false });
const x = values("batch feature", [1, 5], [0.4, 0, -0.7, 1, 0.2]);
const exact = { device: "float64" } as const;

describe("a linear network", () => {
  test("adds up: what every source contributes is what arrives, at each component and output", async () => {
    for (const seed of [1, 2, 3]) {
      const graph = await attributionGraph(randomDecomposition(linear, 7, seed), x, { ...exact, threshold: -1 });
      const targets = graph.nodes.filter(({ incoming }) => incoming !== undefined);
      expect(targets.length).toBe(3 * 7 + 3);
      for (const { value, incoming } of targets) {
        expect(incoming!.rest).toBeCloseTo(0, 12);
        expect(incoming!.others).toBe(0);
        expect(incoming!.drawn).toBeCloseTo(value!, 12);
      }
    }
  });

  test("still adds up where most components are no nodes: they are told together", async () => {
    const graph = await attributionGraph(randomDecomposition(linear, 7), x, { ...exact, mostNodes: 4, threshold: 0 });
    expect(graph.important).toBeGreaterThan(4);
    const targets = graph.nodes.filter(({ incoming }) => incoming !== undefined);
    expect(targets.some(({ incoming }) => Math.abs(incoming!.others) > 1e-3)).toBe(true);
    for (const { incoming } of targets) expect(incoming!.rest).toBeCloseTo(0, 12);
  });

  test("with the remainder as a source adds up to what the network itself computes", async () => {
    const subject = randomDecomposition(linear, 3);
    const whole = Object.fromEntries(linear.sites.map(({ name }) => [name, values("C batch", [3, 1], [1, 1, 1])]));
    const graph = await attributionGraph(subject, x, { ...exact, masks: whole, remainder: true, outputs: 3 });
    expect(graph.divergence).toBeCloseTo(0, 20);
    const outputs = graph.nodes.filter(({ kind }) => kind === "output");
    expect(outputs.length).toBe(3);
    for (const { incoming } of outputs) expect(incoming!.rest).toBeCloseTo(0, 12);
  });

  test("does what its edges say, each of them", async () => {
    const subject = randomDecomposition(linear, 6);
    const graph = await attributionGraph(subject, x, { ...exact, outputs: 3 });
    const { n, correlation, slope, largestDifference } = await calibrateEdges(subject, x, graph, exact);
    expect(n).toBeGreaterThan(20);
    expect(largestDifference).toBeLessThan(1e-12);
    expect(correlation).toBeCloseTo(1, 10);
    expect(slope).toBeCloseTo(1, 10);
  });

  test("loses with each component what the gradient through everything says, at every output", async () => {
    const subject = randomDecomposition(linear, 6);
    const graph = await attributionGraph(subject, x, { ...exact, outputs: 3 });
    for (const output of graph.nodes.filter(({ kind }) => kind === "output")) {
      const { n, rows, slope } = await calibrateNodes(subject, x, graph, output, exact);
      expect(n).toBe(graph.important);
      expect(slope).toBeCloseTo(1, 10);
      for (const { predicted, measured } of rows) expect(measured).toBeCloseTo(predicted, 12);
    }
  });

  test("is told alike however length is shared between what a component reads with and what it writes", async () => {
    const subject = randomDecomposition(linear, 5);
    const scaled: Record<string, NamedValues[string]> = { ...subject.values };
    for (const { name } of linear.sites) {
      const [V, U] = [scaled[`${name}.V`]!, scaled[`${name}.U`]!];
      scaled[`${name}.V`] = { ...V, data: V.data.map((v) => v * 4) };
      scaled[`${name}.U`] = { ...U, data: U.data.map((v) => v / 4) };
    }
    const masks = Object.fromEntries(
      linear.sites.map(({ name }) => [name, values("C batch", [5, 1], [1, 0.5, 1, 0, 1])]),
    );
    const one = await attributionGraph(subject, x, { ...exact, masks });
    const other = await attributionGraph(new ParameterDecomposition(linear, scaled, scaled, gates), x, {
      ...exact,
      masks,
    });
    one.edges.forEach(({ weight }, i) => expect(other.edges[i]!.weight).toBeCloseTo(weight, 12));
  });
});

describe("a residual network with ReLU", () => {
  const network = residualMlp({ features: 4, dModel: 6, dMlp: 5, layers: 2 });
  const subject = randomDecomposition(network, 6, 5);
  const input = values("batch feature", [1, 4], [0.5, 0.9, 0, -0.3]);

  test("has no edge from a component that writes where nobody reads", async () => {
    // Component 0 of the first W_out writes along a direction that is orthogonal to the second W_in's reading and to the embedding.
    const given: Record<string, NamedValues[string]> = { ...subject.values };
    for (const name of ["embed.W_E", "blocks.1.mlp.W_in.V"]) {
      const V = given[name]!;
      const data = Float32Array.from(V.data);
      const [rows, columns] = V.shape as [number, number];
      // The last dimension of the stream.
      for (let i = 0; i < rows * columns; i++) {
        const dimension = name === "embed.W_E" ? i % columns : Math.floor(i / columns);
        if (dimension === 5) data[i] = 0;
      }
      given[name] = { ...V, data };
    }
    const U = given["blocks.0.mlp.W_out.U"]!;
    given["blocks.0.mlp.W_out.U"] = { ...U, data: U.data.map((u, i) => (i < 6 ? (i === 5 ? 1 : 0) : u)) };
    const made = new ParameterDecomposition(network, given, given, gates);
    const graph = await attributionGraph(made, input, { ...exact, threshold: -1 });
    const from = graph.nodes.findIndex(({ address }) => address === "blocks.0.mlp.W_out:0");
    expect(Math.abs(graph.nodes[from]!.value!)).toBeGreaterThan(1e-3);
    expect(graph.edges.filter((edge) => edge.from === from)).toEqual([]);
  });

  test("has edges past components in between: the stream carries them", async () => {
    const graph = await attributionGraph(subject, input, { ...exact, threshold: -1 });
    const between = (from: string, to: string): number =>
      graph.edges.filter((e) => graph.nodes[e.from]!.site === from && graph.nodes[e.to]!.site === to).length;
    expect(between("blocks.0.mlp.W_out", "output")).toBeGreaterThan(0);
    expect(between("blocks.0.mlp.W_out", "blocks.1.mlp.W_in")).toBeGreaterThan(0);
    // The hidden layer stands between: from W_in there is no way around W_out.
    expect(between("blocks.0.mlp.W_in", "blocks.1.mlp.W_in")).toBe(0);
    expect(between("blocks.1.mlp.W_in", "blocks.0.mlp.W_out")).toBe(0);
  });
});

describe("a transformer", () => {
  const network = transformer(
    toyTransformer({ vocab: 7, context: 6, layers: 2, dModel: 8, heads: 2, dMlp: 10, norm: "rms", activation: "gelu" }),
  );
  const subject = randomDecomposition(network, 5, 11);
  const tokens = tokenValues([[1, 4, 2, 6]]);

  test("one pass for many targets finds what one pass for each finds", async () => {
    const options = { outputs: 3, leastProbability: 0, threshold: 0.2 };
    const [many, one] = [
      await attributionGraph(subject, tokens, options),
      await attributionGraph(subject, tokens, { ...options, memoryBytes: 1, device: "float64" }),
    ];
    expect(many.edges.length).toBeGreaterThan(200);
    const told = new Map(many.edges.map((e) => [`${e.from} ${e.to}`, e.weight]));
    for (const { from, to, weight } of one.edges.slice(0, 2000)) {
      expect(Math.abs((told.get(`${from} ${to}`) ?? 0) - weight)).toBeLessThan(1e-4);
    }
  });

  test("acts on no earlier position, and across positions only through keys and values", async () => {
    const graph = await attributionGraph(subject, tokens, { outputs: 3, leastProbability: 0, threshold: 0.2 });
    for (const { from, to } of graph.edges) {
      const [a, b] = [graph.nodes[from]!, graph.nodes[to]!];
      expect(a.position!).toBeLessThanOrEqual(b.position!);
      if (a.position! < b.position! && a.kind === "component") expect(a.site).toMatch(/W_[KV]$/);
    }
  });

  test("an edge is the slope of its target as its source alone is let through", async () => {
    const graph = await attributionGraph(subject, tokens, { ...exact, outputs: 2, threshold: 0.3 });
    const { rows } = await calibrateEdges(subject, tokens, graph, exact);
    // Through a norm and attention an edge is an estimate; into W_O, from values, with the pattern held still, it is exact.
    const linearOnes = rows.filter(({ from, to }) => /W_V:/.test(from) && /W_O:/.test(to));
    expect(linearOnes.length).toBeGreaterThan(4);
    for (const { predicted, measured } of linearOnes) expect(measured).toBeCloseTo(predicted, 10);
    expect(rows.some(({ predicted, measured }) => Math.abs(predicted - measured) > 1e-3)).toBe(true);
  });

  test("influence: outputs hold all of it, and it passes back without being made", async () => {
    const graph = await attributionGraph(subject, tokens, { outputs: 3, leastProbability: 0, threshold: 0.2 });
    const { nodes, edges } = influenceOf(graph);
    const outputs = graph.nodes.flatMap(({ kind }, i) => (kind === "output" ? [nodes[i]!] : []));
    expect(outputs.reduce((a, b) => a + b)).toBeCloseTo(1, 10);
    const inputs = graph.nodes.flatMap(({ kind }, i) => (kind === "input" ? [nodes[i]!] : []));
    expect(inputs.reduce((a, b) => a + b)).toBeLessThanOrEqual(1);
    const few = pruned(graph, 25);
    expect(few.all).toEqual({ nodes: graph.nodes.length, edges: graph.edges.length });
    expect(few.edges.length).toBe(25);
    expect(Math.min(...few.influence.edges)).toBe([...edges].sort((a, b) => b - a)[24]);
    for (const { value, incoming } of few.nodes) {
      if (incoming === undefined) continue;
      expect(incoming.drawn + incoming.others + incoming.rest).toBeCloseTo(value!, 5);
    }
    // What is drawn into a node is the sum of its edges.
    few.nodes.forEach(({ incoming }, i) => {
      const sum = few.edges.filter(({ to }) => to === i).reduce((total, { weight }) => total + weight, 0);
      if (incoming !== undefined) expect(incoming.drawn).toBeCloseTo(sum, 5);
    });
  });
});
