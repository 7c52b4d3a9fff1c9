/**
 * Graphs in the attribution-graph JSON that circuit-tracer, Neuronpedia and Anthropic's viewer open (Ameisen et al. 2025; Neuronpedia's
 * `graph-schema.json`, 1.0.0). Sites are layers in the order they are met; a component is a feature of type `parameter component`.
 *
 * What the viewers make of a file decides some details. A feature that stands at more than two thirds of the tokens is dropped, so there are
 * at least two tokens. Rows are counted up to the nodes of type `logit`, so that values are of that type too, and their label, which is read for
 * a probability, says that they have none. Without a `node_threshold` Neuronpedia hides what is past 0.6 of the influence. Links are drawn of the
 * node that is clicked, so one is, and with `linkType` `both` only between pinned nodes, of which there are none. Neuronpedia refuses a graph
 * whose highest layer is 0, so a lone layer is 1.
 */
import type { GraphNode, PrunedGraph } from "./graph.ts";

export interface GraphJsonNode {
  readonly node_id: string;
  readonly feature: number;
  readonly layer: string;
  readonly ctx_idx: number;
  readonly feature_type: string;
  readonly token_prob: number;
  readonly is_target_logit: boolean;
  readonly run_idx: number;
  readonly reverse_ctx_idx: number;
  readonly jsNodeId: string;
  readonly clerp: string;
  readonly influence: number | null;
  readonly activation: number | null;
}

export interface GraphJson {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly qParams: Readonly<Record<string, unknown>>;
  readonly nodes: readonly GraphJsonNode[];
  readonly links: readonly { readonly source: string; readonly target: string; readonly weight: number }[];
}

export interface GraphJsonOptions {
  /** A short name without spaces. */
  readonly slug: string;
  /** What network it is. */
  readonly scan: string;
  /** The text of each token, in order; of a network of features their names. */
  readonly tokens: readonly string[];
  readonly prompt: string;
  /** The text of an output. */
  readonly outputName: (component: number) => string;
  readonly generator: { readonly name: string; readonly version: string };
  /** Milliseconds since 1970. */
  readonly createdAt: number;
}

/** Pairs two natural numbers in one (Cantor), as the viewers take layer and feature apart again. */
export function cantorPair(x: number, y: number): number {
  return ((x + y) * (x + y + 1)) / 2 + y;
}

/** What arrives along no edge that is drawn, at a position. */
const UNDRAWN = -1;
const POSITION = -2;

/** The document. */
export function graphJson(graph: PrunedGraph, options: GraphJsonOptions): GraphJson {
  const tokens = options.tokens.length < 2 ? [...options.tokens, ""] : [...options.tokens];
  const sites = graph.layers.filter((layer) => graph.nodes.some(isInside(layer)));
  const place = placing(sites, tokens.length);
  const isOutput = graph.nodes.map(({ kind }) => kind === "output");
  const cumulative = cumulativeInfluence(graph.influence.nodes.map((influence, i) => (isOutput[i] ? 0 : influence)));
  const nodes = graph.nodes.map((node, i) => jsonNode(node, place(node), options, cumulative[i]!));
  const clicked = nodes.find((_, i) => isOutput[i])?.node_id ?? "";
  const undrawn = undrawnOf(graph, nodes);
  return {
    metadata: {
      slug: options.slug,
      scan: options.scan,
      transcoder_list: [],
      prompt_tokens: tokens,
      prompt: options.prompt,
      schema_version: 1,
      node_threshold: 1,
      info: {
        description: description(graph),
        generator: options.generator,
        create_time_ms: options.createdAt,
      },
      generation_settings: { importance_threshold: graph.threshold, targets: graph.targets },
      pruning_settings: { edges: graph.edges.length },
      mechanist: {
        layers: sites,
        edges: { shown: graph.edges.length, all: graph.all.edges },
        nodes: { shown: graph.nodes.length, all: graph.all.nodes },
        importantComponents: graph.important,
        divergence: graph.divergence,
      },
    },
    qParams: { pinnedIds: [], supernodes: [], linkType: "either", clickedId: clicked, sg_pos: "" },
    nodes: [...nodes, ...undrawn.nodes],
    links: [
      ...graph.edges.map(({ from, to, weight }) => ({
        source: nodes[from]!.node_id,
        target: nodes[to]!.node_id,
        weight,
      })),
      ...undrawn.links,
    ],
  };
}

const isInside =
  (layer: string) =>
  ({ site, kind }: GraphNode): boolean =>
    site === layer && (kind === "component" || kind === "remainder");

function description({ edges, nodes, all, important, divergence }: PrunedGraph): string {
  const many = (x: number): string => x.toLocaleString("en-US");
  return (
    `Attribution between components of weights. ${many(edges.length)} of ${many(all.edges)} edges and ${many(nodes.length)} of ` +
    `${many(all.nodes)} nodes, those of the largest influence on the outputs; ${many(important)} components matter here. What arrives along ` +
    `edges that are not drawn comes from nodes of type "undrawn error". The masked run differs from the network by ${divergence.toPrecision(3)}.`
  );
}

interface Place {
  readonly layer: string;
  readonly feature: number;
  readonly id: number;
  readonly ctx: number;
}

function placing(
  sites: readonly string[],
  tokens: number,
): (node: Pick<GraphNode, "kind" | "site" | "component" | "position">) => Place {
  const lowest = sites.length === 1 ? 1 : 0;
  return ({ kind, site, component, position }) => {
    // Without positions a feature stands at its own token, everything else at the last.
    const ctx = position ?? (kind === "input" && typeof component === "number" ? component : tokens - 1);
    if (kind === "input") {
      const id = site === "pos_embed" ? POSITION : (component as number);
      return { layer: "E", feature: site === "pos_embed" ? tokens + ctx : ctx, id, ctx };
    }
    if (kind === "output") {
      return { layer: String(sites.length + 1), feature: component as number, id: component as number, ctx };
    }
    const layer = lowest + sites.indexOf(site);
    if (component === "remainder") return { layer: String(layer), feature: UNDRAWN, id: UNDRAWN, ctx };
    return { layer: String(layer), feature: cantorPair(layer, component), id: component, ctx };
  };
}

function jsonNode(
  node: GraphNode,
  { layer, feature, id, ctx }: Place,
  { outputName }: GraphJsonOptions,
  influence: number,
): GraphJsonNode {
  const { kind, address, component, probability, value } = node;
  const types = { input: "embedding", component: "parameter component", remainder: "remainder error" } as const;
  const isLogit = probability !== undefined;
  const label = (): string => {
    if (kind !== "output") return address;
    const name = `Output "${outputName(component as number)}"`;
    return `${name} ${isLogit ? "" : `= ${value!.toPrecision(3)} `}(p=${isLogit ? probability.toFixed(3) : "none"})`;
  };
  return {
    node_id: `${layer}_${id}_${ctx}`,
    feature,
    layer,
    ctx_idx: ctx,
    feature_type: kind === "output" ? "logit" : types[kind],
    token_prob: probability ?? 0,
    is_target_logit: kind === "output",
    run_idx: 0,
    reverse_ctx_idx: 0,
    jsNodeId: `${kind === "output" ? "L" : layer}_${id}-${kind === "component" ? 0 : ctx}`,
    clerp: label(),
    influence: kind === "output" ? null : influence,
    activation: value ?? null,
  };
}

/** For each position a node from which comes what arrives there along no edge that is drawn. */
function undrawnOf(
  graph: PrunedGraph,
  nodes: readonly GraphJsonNode[],
): { nodes: GraphJsonNode[]; links: GraphJson["links"] } {
  const links = graph.nodes.flatMap(({ incoming }, i) => {
    const weight = incoming === undefined ? 0 : incoming.others + incoming.rest;
    const { node_id, ctx_idx } = nodes[i]!;
    return weight === 0 ? [] : [{ source: `E_${UNDRAWN}_${ctx_idx}`, target: node_id, weight, ctx: ctx_idx }];
  });
  const at = [...new Set(links.map(({ ctx }) => ctx))];
  return {
    nodes: at.map((ctx) => ({
      node_id: `E_${UNDRAWN}_${ctx}`,
      feature: UNDRAWN,
      layer: "E",
      ctx_idx: ctx,
      feature_type: "undrawn error",
      token_prob: 0,
      is_target_logit: false,
      run_idx: 0,
      reverse_ctx_idx: 0,
      jsNodeId: `E_${UNDRAWN}-${ctx}`,
      clerp: "what arrives along no edge that is drawn: other sources, biases, curvature",
      influence: null,
      activation: null,
    })),
    links: links.map(({ source, target, weight }) => ({ source, target, weight })),
  };
}

/** For each node the share of all influence that it and the more influential ones hold; viewers keep those up to a threshold, and outputs. */
function cumulativeInfluence(influence: readonly number[]): number[] {
  const total = influence.reduce((a, b) => a + b, 0);
  const order = [...influence.keys()].sort((a, b) => influence[b]! - influence[a]!);
  const found = influence.map(() => 0);
  let sofar = 0;
  for (const i of order) {
    sofar += influence[i]!;
    // Rounding must not take the last one past the threshold of 1.
    found[i] = total === 0 ? 1 : Math.min(1, sofar / total);
  }
  return found;
}
