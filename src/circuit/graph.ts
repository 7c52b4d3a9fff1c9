/**
 * The graph of how components act on one another on one input: a node is a component at a position, an edge is what one contributes to
 * another directly.
 */
import { formatAddress } from "../decomposition/address.ts";
import { grouped } from "./grouped.ts";

export type NodeKind = "input" | "component" | "remainder" | "output";

/** Where what arrives at a node comes from, in the unit of its value: `drawn + others + rest = value`. */
export interface Incoming {
  /** The sum of its edges. */
  readonly drawn: number;
  /** What components and inputs contribute that are no nodes. */
  readonly others: number;
  /** What no source accounts for: biases, and the curvature of non-linearities. 0 in a linear network without biases. */
  readonly rest: number;
}

export interface GraphNode {
  /** `blocks.0.mlp.W_in:12@7`; `embed:262@7` a token, `pos_embed:7@7`, `input:3` a feature; `output:262@7`, a logit or a value. */
  readonly address: string;
  readonly kind: NodeKind;
  readonly site: string;
  /** Of inputs and outputs the token or feature. */
  readonly component: number | "remainder";
  /** Absent where the network has no positions. */
  readonly position?: number;
  /** Of components. */
  readonly importance?: number;
  /**
   * Of components `h_c ‖U_c‖`, how much they would write if they were kept whole; of outputs the value, or the logit less the mean of all
   * logits there; of inputs and remainders nothing.
   */
  readonly value?: number;
  /** Of outputs that are logits, in the masked run. */
  readonly probability?: number;
  /** Absent for nodes that nothing acts on. */
  readonly incoming?: Incoming;
}

/** What `from` contributes to `to`, in the unit of the value of `to`; places among the nodes. */
export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly weight: number;
}

export interface AttributionGraph {
  /** Sites from the first to the last, with `input`s before and `output` behind them. */
  readonly layers: readonly string[];
  /** 1 where the network has none. */
  readonly positions: number;
  readonly nodes: readonly GraphNode[];
  /** How many components were important enough, nodes or not. */
  readonly important: number;
  readonly edges: readonly GraphEdge[];
  readonly threshold: number;
  /** What the masked run, on which all this is measured, gets wrong against the network: nats, or squared error. */
  readonly divergence: number;
  /** Backward passes that it took: targets, not runs. */
  readonly targets: number;
}

/** Addresses in a graph; `site:component@position`, as everywhere. */
export function nodeAddress(site: string, component: number | "remainder", position: number | undefined): string {
  return formatAddress({ site, component, ...(position !== undefined && { position }) });
}

/** How much each node and each edge matters for the outputs. */
export interface Influence {
  /** One a node, from 0 to 1 for outputs, in the order of the nodes. */
  readonly nodes: readonly number[];
  /** One an edge: its share of all that arrives where it goes, times the influence of that node. */
  readonly edges: readonly number[];
}

/**
 * Influence on the outputs, by absolute shares: an output has its probability (or 1 over their number), and passes it back along its edges
 * in proportion to their absolute weights, `others` and `rest` taking their part (circuit-tracer, "influence"; here the graph has no
 * cycles, so one walk from the end is exact).
 */
export function influenceOf({ nodes, edges, layers }: AttributionGraph): Influence {
  const depth = new Map(layers.map((layer, i) => [layer, i]));
  const outputs = nodes.filter(({ kind }) => kind === "output");
  const total = outputs.reduce((sum, { probability }) => sum + (probability ?? 1), 0);
  const influence = nodes.map(({ kind, probability }) => (kind === "output" ? (probability ?? 1) / total : 0));
  const into = grouped(edges.keys(), (e) => edges[e]!.to);
  const found = edges.map(() => 0);
  const order = [...nodes.keys()].sort((a, b) => depth.get(nodes[b]!.site)! - depth.get(nodes[a]!.site)!);
  for (const to of order) {
    const arriving = into.get(to) ?? [];
    const { others = 0, rest = 0 } = nodes[to]!.incoming ?? {};
    const all = arriving.reduce((sum, e) => sum + Math.abs(edges[e]!.weight), Math.abs(others) + Math.abs(rest));
    if (all === 0) continue;
    for (const e of arriving) {
      found[e] = (Math.abs(edges[e]!.weight) / all) * influence[to]!;
      influence[edges[e]!.from]! += found[e]!;
    }
  }
  return { nodes: influence, edges: found };
}

/** A part of a graph, with how much it was. */
export interface PrunedGraph extends AttributionGraph {
  readonly influence: Influence;
  /** How many there were before. */
  readonly all: { readonly nodes: number; readonly edges: number };
}

/**
 * The edges of the largest influence, with the nodes they join and all outputs. What arrives at a node along edges that were left out is
 * counted among `others`, so that sums still hold.
 *
 * @param top how many edges at most
 */
export function pruned(graph: AttributionGraph, top: number): PrunedGraph {
  const influence = influenceOf(graph);
  const order = [...graph.edges.keys()].sort((a, b) => influence.edges[b]! - influence.edges[a]! || a - b);
  const kept = order.slice(0, top);
  const dropped = new Map<number, number>();
  for (const e of order.slice(top)) {
    const { to, weight } = graph.edges[e]!;
    dropped.set(to, (dropped.get(to) ?? 0) + weight);
  }
  const used = new Set(kept.flatMap((e) => [graph.edges[e]!.from, graph.edges[e]!.to]));
  const left = [...graph.nodes.keys()].filter((i) => used.has(i) || graph.nodes[i]!.kind === "output");
  const place = new Map(left.map((old, now) => [old, now]));
  return {
    ...graph,
    nodes: left.map((i) => {
      const node = graph.nodes[i]!;
      const lost = dropped.get(i) ?? 0;
      if (node.incoming === undefined) return node;
      const { drawn, others, rest } = node.incoming;
      return { ...node, incoming: { drawn: drawn - lost, others: others + lost, rest } };
    }),
    edges: kept.map((e) => {
      const { from, to, weight } = graph.edges[e]!;
      return { from: place.get(from)!, to: place.get(to)!, weight };
    }),
    influence: { nodes: left.map((i) => influence.nodes[i]!), edges: kept.map((e) => influence.edges[e]!) },
    all: { nodes: graph.nodes.length, edges: graph.edges.length },
  };
}
