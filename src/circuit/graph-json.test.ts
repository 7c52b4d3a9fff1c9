/** Graph documents as the viewers read them: every rule here is one that a viewer holds files to. */
import { describe, expect, test } from "vitest";
import { randomDecomposition } from "../../test/circuit/random-decomposition.ts";
import { values } from "../engine/index.ts";
import { mlp } from "../network/mlp.ts";
import { residualMlp } from "../network/residual-mlp.ts";
import { tokenValues } from "../network/run.ts";
import { toyTransformer } from "../network/transformer/config.ts";
import { transformer } from "../network/transformer/transformer.ts";
import { attributionGraph } from "./attribution-graph.ts";
import { pruned } from "./graph.ts";
import { cantorPair, type GraphJson, graphJson } from "./graph-json.ts";

async function ofTokens(top: number): Promise<GraphJson> {
  const network = transformer(toyTransformer({ vocab: 7, context: 6, layers: 1, dModel: 8, heads: 2, dMlp: 6 }));
  const x = tokenValues([[1, 4, 2]]);
  const graph = await attributionGraph(randomDecomposition(network, 4), x, {
    remainder: true,
    outputs: 2,
    threshold: -1,
  });
  return graphJson(pruned(graph, top), {
    slug: "a-test",
    scan: "toy",
    tokens: ["b", "e", "c"],
    prompt: "bec",
    outputName: (token) => "abcdefg"[token]!,
    generator: { name: "mechanist", version: "0.0.0" },
    createdAt: 0,
  });
}

async function ofFeatures(): Promise<GraphJson> {
  const network = residualMlp({ features: 3, dModel: 5, dMlp: 4, layers: 1 });
  const graph = await attributionGraph(randomDecomposition(network, 4), values("batch feature", [1, 3], [0, 1, 0]), {
    threshold: -1,
    outputs: 2,
  });
  return graphJson(pruned(graph, 1000), {
    slug: "features",
    scan: "residual MLP",
    tokens: ["feature 0", "feature 1", "feature 2"],
    prompt: "feature 1 = 1",
    outputName: (i) => `feature ${i}`,
    generator: { name: "mechanist", version: "0.0.0" },
    createdAt: 0,
  });
}

describe("a graph document", () => {
  for (const [name, make] of [
    ["of tokens", () => ofTokens(60)],
    ["of features", ofFeatures],
  ] as const) {
    test(`${name} has what the schema requires, and no viewer drops any of it`, async () => {
      const { metadata, qParams, nodes, links } = await make();
      expect(Object.keys(metadata)).toEqual(expect.arrayContaining(["slug", "scan", "prompt_tokens", "prompt"]));
      expect(qParams).toMatchObject({ pinnedIds: [], supernodes: [] });
      const ids = new Set(nodes.map(({ node_id }) => node_id));
      expect(ids.size).toBe(nodes.length);
      for (const { source, target } of links) expect([ids.has(source), ids.has(target)]).toEqual([true, true]);
      // Something is clicked, and links are drawn of what is.
      expect(nodes.find(({ node_id }) => node_id === qParams.clickedId)?.feature_type).toBe("logit");
      expect(qParams.linkType).toBe("either");
      expect(nodes.some(({ layer }) => Number(layer) > 0)).toBe(true);
      const tokens = (metadata.prompt_tokens as string[]).length;
      const counts = new Map<string, number>();
      for (const node of nodes) {
        expect(Number.isInteger(node.feature)).toBe(true);
        expect(node.ctx_idx).toBeLessThan(tokens);
        // The label is taken apart at these marks, and rows end where `logit` nodes are.
        if (node.feature_type === "logit") expect(node.clerp).toMatch(/^Output ".*" (= \S+ )?\(p=(\d\.\d{3}|none)\)$/);
        expect(node.is_target_logit).toBe(node.feature_type === "logit");
        // Hidden otherwise: viewers keep what has none, or at most the threshold.
        if (node.influence !== null) expect(node.influence).toBeLessThanOrEqual(metadata.node_threshold as number);
        if (node.feature_type.includes("error")) continue;
        const feature = `${node.layer}_${node.feature}_${node.ctx_idx}`;
        counts.set(feature, (counts.get(feature) ?? 0) + 1);
      }
      expect(Math.max(...counts.values())).toBeLessThanOrEqual((tokens * 2) / 3);
    });
  }

  test("of a lone site has a layer above 0, without which it is refused", async () => {
    const network = mlp({ features: 3, hidden: [], outputs: 2, activation: "none", bias: false });
    const x = values("batch feature", [1, 3], [0.5, 1, 0]);
    const graph = await attributionGraph(randomDecomposition(network, 4), x, { threshold: -1, outputs: 2 });
    const { nodes, links } = graphJson(pruned(graph, 1000), {
      slug: "lone",
      scan: "linear",
      tokens: ["a", "b", "c"],
      prompt: "a",
      outputName: String,
      generator: { name: "mechanist", version: "0.0.0" },
      createdAt: 0,
    });
    const layerOf = new Map(nodes.map(({ node_id, layer }) => [node_id, layer]));
    expect(new Set(layerOf.values())).toEqual(new Set(["E", "1", "2"]));
    expect(links.some(({ source, target }) => layerOf.get(source) === "1" && layerOf.get(target) === "2")).toBe(true);
  });

  test("adds up at every target: what is not drawn comes from a node of its own", async () => {
    const { nodes, links } = await ofTokens(60);
    expect(links.length).toBeGreaterThan(60);
    for (const { node_id, activation } of nodes) {
      const arriving = links.filter(({ target }) => target === node_id);
      if (arriving.length === 0) continue;
      expect(arriving.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(activation!, 4);
    }
  });

  test("says how much of the graph it is", async () => {
    const { metadata } = await ofTokens(60);
    const { edges, nodes } = metadata.mechanist as Record<"edges" | "nodes", { shown: number; all: number }>;
    expect(edges.shown).toBe(60);
    expect(edges.all).toBeGreaterThan(200);
    expect(nodes.shown).toBeLessThan(nodes.all);
    expect((metadata.info as { description: string }).description).toContain(`60 of ${edges.all} edges`);
  });

  test("pairs layer and feature so that they can be had back", () => {
    const seen = new Set<number>();
    for (let layer = 0; layer < 40; layer++) for (let c = 0; c < 40; c++) seen.add(cantorPair(layer, c));
    expect(seen.size).toBe(1600);
    expect(cantorPair(2, 3)).toBe(18);
  });
});
