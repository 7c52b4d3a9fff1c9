/** The figure of a graph: everything that is drawn, and how much is not. */
import { describe, expect, test } from "vitest";
import { type AttributionGraph, pruned } from "../circuit/graph.ts";
import { promptGraph } from "./prompt-graph.ts";

const graph: AttributionGraph = {
  layers: ["embed", "blocks.0.mlp.W_in", "output"],
  positions: 2,
  nodes: [
    { address: "embed:4@0", kind: "input", site: "embed", component: 4, position: 0 },
    { address: "embed:7@1", kind: "input", site: "embed", component: 7, position: 1 },
    {
      address: "blocks.0.mlp.W_in:3@1",
      kind: "component",
      site: "blocks.0.mlp.W_in",
      component: 3,
      position: 1,
      importance: 0.5,
      value: 2,
      incoming: { drawn: 1, others: 0, rest: 1 },
    },
    {
      address: "output:5@1",
      kind: "output",
      site: "output",
      component: 5,
      position: 1,
      value: 3,
      probability: 0.75,
      incoming: { drawn: 3, others: 0, rest: 0 },
    },
  ],
  important: 1234,
  edges: [
    { from: 1, to: 2, weight: 1 },
    { from: 2, to: 3, weight: 4 },
    { from: 0, to: 3, weight: -1 },
  ],
  threshold: 0,
  divergence: 0.125,
  targets: 2,
};

const draw = (top: number): string =>
  promptGraph({
    title: "a <graph>",
    graph: pruned(graph, top),
    tokens: ["a & b", " the"],
    outputName: (token) => `"${token}"`,
    inputName: (token) => `token ${token}`,
  });

describe("the figure", () => {
  test("has a circle for each node, a line for each edge with its sign, and a ring for what is not drawn", () => {
    const svg = draw(10);
    expect(svg.match(/<circle class="(input|component|output)"/g)).toHaveLength(4);
    expect(svg.match(/<path class="adds"/g)).toHaveLength(2);
    expect(svg.match(/<path class="takes"/g)).toHaveLength(1);
    expect(svg.match(/<circle class="ring"/g)).toHaveLength(1);
  });

  test("says how much of the graph it is, and of how many components", () => {
    expect(draw(1)).toContain("1 of 3 edges, 2 of 4 nodes; 1,234 components of importance above 0");
    expect(draw(10)).toContain("masked run is 0.125 from the network");
  });

  test("holds texts as texts, and nothing but numbers where numbers belong", () => {
    const svg = draw(10);
    expect(svg).toContain("a &lt;graph&gt;");
    expect(svg).toContain("a &amp; b");
    expect(svg).toContain("␣the");
    expect(svg).toContain("&quot;5&quot; 0.750");
    expect(svg).not.toMatch(/NaN|undefined|Infinity/);
  });
});
