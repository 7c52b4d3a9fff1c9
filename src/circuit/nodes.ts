/** Which components, inputs and outputs of one run are nodes of its graph. */
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import { axisNames } from "../tensor/index.ts";
import { type GraphNode, nodeAddress } from "./graph.ts";
import type { Observed } from "./observed.ts";
import { componentCount, hasPositions, type RankOneDecomposition, writeNorms } from "./subject.ts";

export interface NodeOptions {
  /** A component is a node at a position where its importance exceeds this. */
  readonly threshold?: number;
  /** At most so many components, those that write most in the masked run; the others count among what is not drawn. */
  readonly mostNodes?: number;
  /** At which positions outputs are targets; the last unless given. */
  readonly outputsAt?: readonly number[];
  /** At most so many outputs a position: the most probable, or the largest. */
  readonly outputs?: number;
  /** Logits only of a probability of at least this. */
  readonly leastProbability?: number;
}

const DEFAULTS = { threshold: 0, mostNodes: 2000, outputs: 5, leastProbability: 0.01 } as const;

/** The nodes, in the order of layers and positions. */
export function chosenNodes(
  subject: RankOneDecomposition,
  seen: Observed,
  options: NodeOptions & { readonly remainder?: boolean },
): { nodes: GraphNode[]; important: number; threshold: number } {
  const { threshold = DEFAULTS.threshold, mostNodes = DEFAULTS.mostNodes } = options;
  const components = importantNodes(subject, seen, threshold);
  const kept =
    components.length <= mostNodes
      ? components
      : new Set([...components].sort((a, b) => b.written - a.written).slice(0, mostNodes));
  const order = new Map(seen.order.map((site, i) => [site, i]));
  const chosen = [...kept].sort((a, b) => order.get(a.node.site)! - order.get(b.node.site)!).map(({ node }) => node);
  return {
    nodes: [
      ...inputNodes(subject, seen),
      ...chosen,
      ...(options.remainder ? remainderNodes(subject, seen) : []),
      ...outputNodes(subject, seen, options),
    ],
    important: components.length,
    threshold,
  };
}

interface Candidate {
  readonly node: GraphNode;
  /** How much it writes in the masked run. */
  readonly written: number;
}

function importantNodes(subject: RankOneDecomposition, seen: Observed, threshold: number): Candidate[] {
  const { positions, importances, inner, passed } = seen;
  const named = hasPositions(subject);
  return seen.order.flatMap((site) => {
    const norms = writeNorms(subject, site);
    const found: Candidate[] = [];
    for (let component = 0; component < componentCount(subject, site); component++) {
      for (let position = 0; position < positions; position++) {
        const at = component * positions + position;
        const importance = importances[site]!.data[at]!;
        if (!(importance > threshold)) continue;
        const place = named ? position : undefined;
        found.push({
          node: {
            address: nodeAddress(site, component, place),
            kind: "component",
            site,
            component,
            ...(named && { position }),
            importance,
            value: inner[site]!.data[at]! * norms[component]!,
          },
          written: Math.abs(passed[site]!.data[at]! * norms[component]!),
        });
      }
    }
    return found;
  });
}

/** Each token and each position vector; or each feature that is not 0. */
function inputNodes({ network }: RankOneDecomposition, { x, positions }: Observed): GraphNode[] {
  const named = axisNames(network.input.axes).includes("pos");
  const at = Array.from({ length: positions }, (_, position) => position);
  const node = (site: string, component: number, position: number): GraphNode => ({
    address: nodeAddress(site, component, named ? position : undefined),
    kind: "input",
    site,
    component,
    ...(named && { position }),
  });
  if (x.dtype === "f32") {
    const features = x.data.length / positions;
    return at.flatMap((position) =>
      Array.from({ length: features }, (_, feature) => feature)
        .filter((feature) => x.data[position * features + feature] !== 0)
        .map((feature) => node("input", feature, position)),
    );
  }
  const points = new Set(network.points.map(({ name }) => name));
  return [
    ...(points.has("hook_embed") ? at.map((position) => node("embed", x.data[position]!, position)) : []),
    ...(points.has("hook_pos_embed") ? at.map((position) => node("pos_embed", position, position)) : []),
  ];
}

function remainderNodes(subject: RankOneDecomposition, { order, positions }: Observed): GraphNode[] {
  const named = hasPositions(subject);
  return order.flatMap((site) =>
    Array.from({ length: positions }, (_, position) => ({
      address: nodeAddress(site, "remainder", named ? position : undefined),
      kind: "remainder" as const,
      site,
      component: "remainder" as const,
      ...(named && { position }),
    })),
  );
}

function outputNodes(
  subject: RankOneDecomposition,
  { output, positions }: Observed,
  options: NodeOptions,
): GraphNode[] {
  const { outputs = DEFAULTS.outputs, leastProbability = DEFAULTS.leastProbability } = options;
  const { logits } = subject.network;
  // Some networks of sequences answer once for each of them.
  const perPosition = axisNames(output.axes).includes("pos");
  const [count, size] = [perPosition ? positions : 1, output.shape.at(-1)!];
  return (options.outputsAt ?? [count - 1])
    .filter((position) => position < count)
    .flatMap((position) => {
      const row = Array.from({ length: size }, (_, i) => output.data[position * size + i]!);
      const mean = logits === undefined ? 0 : meanOfNumbers(row);
      const probabilities = logits === undefined ? undefined : softmax(row);
      const rank = (i: number): number => probabilities?.[i] ?? Math.abs(row[i]!);
      return Array.from({ length: size }, (_, i) => i)
        .filter((i) => rank(i) >= (probabilities === undefined ? Number.MIN_VALUE : leastProbability))
        .sort((a, b) => rank(b) - rank(a))
        .slice(0, outputs)
        .map((component) => ({
          address: nodeAddress("output", component, perPosition ? position : undefined),
          kind: "output" as const,
          site: "output",
          component,
          ...(perPosition && { position }),
          value: row[component]! - mean,
          ...(probabilities && { probability: probabilities[component]! }),
        }));
    });
}

/** Logits as probabilities. */
function softmax(logits: readonly number[]): number[] {
  const most = Math.max(...logits);
  const powers = logits.map((x) => Math.exp(x - most));
  const total = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / total);
}
