/**
 * Attribution between components on one input (Bushnaq et al. 2026, VPD, "prompt-level attribution"):
 *
 *   attr(c' → c) = ∂h_c/∂q_c' · q_c',   q_c' = h_c' g_c'
 *
 * in a run masked by importances g, with gradients stopped at every component. The paper writes `(∂h_c/∂h_c') h_c' g_c'`; with the
 * derivative by what a component passes on, q, the importance is counted once, and in a linear network the contributions of all sources
 * add up to h_c exactly. What a target is told in is `h_c ‖U_c‖`, so that it does not matter how length is shared between V_c and U_c.
 *
 * A gradient is a statement about the neighbourhood of one input: `calibration.ts` measures how far it holds.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { axisNames, gradients, input, mul, sum, type Tensor } from "../tensor/index.ts";
import { type AttributionGraph, type GraphEdge, type GraphNode } from "./graph.ts";
import { grouped } from "./grouped.ts";
import { chosenNodes, type NodeOptions } from "./nodes.ts";
import { cutRun } from "./masked-run.ts";
import { numbersPerExample, observe, type ObserveOptions, type Observed } from "./observed.ts";
import { prefixed, prepare, type WorkOptions } from "./program.ts";
import { maskFeeds, type RankOneDecomposition, repeated, sharedMasks, inputLike, writeNorms } from "./subject.ts";
import { chosenActivation, chosenOutput, contribution } from "./targets.ts";

export interface AttributionOptions extends NodeOptions, ObserveOptions, WorkOptions {
  /** About how much a run may hold, in bytes. */
  readonly memoryBytes?: number;
}

const DEFAULT_MEMORY = 2 ** 28;
const BYTES = 4;
/** Activations, gradients and products of each. */
const COPIES = 6;
const MOST_ROWS = 64;

/** The graph of one input, `batch` 1. Edges that are exactly 0 are left out. */
export async function attributionGraph(
  subject: RankOneDecomposition,
  x: Values,
  options: AttributionOptions = {},
): Promise<AttributionGraph> {
  const seen = await observe(subject, x, options);
  const { nodes, important, threshold } = chosenNodes(subject, seen, options);
  const rows = rowsPerRun(subject, x, options.memoryBytes ?? DEFAULT_MEMORY);
  const targets = grouped(nodes.keys(), (i) =>
    nodes[i]!.kind === "output" ? "output" : nodes[i]!.kind === "component" ? nodes[i]!.site : "",
  );
  targets.delete("");
  const all = [...targets.values()].reduce((count, list) => count + list.length, 0);
  const edges: GraphEdge[] = [];
  const found = [...nodes];
  const placed = placesOf(nodes, seen.positions);
  let done = 0;
  for (const [site, list] of targets) {
    const program = await prepare(targetProgram(subject, x, Math.min(rows, list.length), site, options), options);
    try {
      const norms = site === "output" ? undefined : writeNorms(subject, site);
      for (let at = 0; at < list.length; at += rows) {
        options.signal?.throwIfAborted();
        const some = list.slice(at, at + rows);
        const scores: NamedValues = await program.run(
          feedsFor(
            subject,
            seen,
            some.map((i) => nodes[i]!),
            Math.min(rows, list.length),
          ),
        );
        some.forEach((to, row) => {
          const { component } = nodes[to]!;
          const scale = norms === undefined ? 1 : norms[component as number]!;
          const { arriving, others, drawn } = arrivals(scores, placed, row, scale);
          for (const [from, weight] of arriving) edges.push({ from, to, weight });
          const rest = nodes[to]!.value! - drawn - others;
          found[to] = { ...nodes[to]!, incoming: { drawn, others, rest } };
        });
        done += some.length;
        options.onProgress?.(done, all);
      }
    } finally {
      await program.dispose();
    }
  }
  return {
    layers: [...new Set(nodes.filter(({ kind }) => kind === "input").map(({ site }) => site)), ...seen.order, "output"],
    positions: seen.positions,
    nodes: found,
    important,
    edges,
    threshold,
    divergence: seen.divergence,
    targets: all,
  };
}

function rowsPerRun(subject: RankOneDecomposition, x: Values, memoryBytes: number): number {
  const each = numbersPerExample(subject, x) * BYTES * COPIES;
  return Math.max(1, Math.min(MOST_ROWS, Math.floor(memoryBytes / each)));
}

/** What every source adds to the targets at one site, one target a row: by source, `batch pos` and the axes of its parts. */
function targetProgram(
  subject: RankOneDecomposition,
  x: Values,
  batch: number,
  site: string,
  { remainder = false }: AttributionOptions,
): Readonly<Record<string, Tensor>> {
  const pos = x.axes.includes("pos") ? x.shape[1]! : 1;
  const run = cutRun(subject, inputLike(x, batch), sharedMasks(subject, batch, pos), { remainder });
  const chosen = site === "output" ? chosenOutput(subject.network, run.output) : chosenActivation(subject, run, site);
  const loss = sum(mul(chosen, input("target/at", "batch pos", { batch, pos })));
  const sources: Record<string, Tensor> = {
    ...prefixed("component", run.passed),
    ...prefixed("remainder", run.remainder),
    ...prefixed("entering", run.entering),
  };
  const names = Object.keys(sources);
  const slopes = gradients(
    loss,
    names.map((name) => sources[name]!),
  );
  return Object.fromEntries(
    names.flatMap((name, i) => {
      const slope = slopes[i]!;
      // A source that cannot reach the target has a gradient that is a constant zero.
      if (slope.op === "constant") return [];
      return [[name, contribution(slope, sources[name]!, "C batch pos feature")]];
    }),
  );
}

function feedsFor(
  subject: RankOneDecomposition,
  { x, positions, importances }: Observed,
  targets: readonly GraphNode[],
  batch: number,
): NamedValues {
  const at = new Float32Array(batch * positions);
  targets.forEach(({ position = 0 }, row) => (at[row * positions + position] = 1));
  const component = Int32Array.from({ length: batch }, (_, row) => Number(targets[row]?.component ?? 0));
  return {
    ...subject.values,
    ...maskFeeds(importances),
    x: repeated(x, batch),
    "target/component": { axes: "batch", shape: [batch], dtype: "i32", data: component },
    "target/at": { axes: "batch pos", shape: [batch, positions], dtype: "f32", data: at },
  };
}

/** Where a source's numbers lie among the nodes: by component or feature and position. */
interface Places {
  readonly positions: number;
  readonly at: ReadonlyMap<string, number>;
}

function placesOf(nodes: readonly GraphNode[], positions: number): Places {
  const at = new Map<string, number>();
  nodes.forEach(({ kind, site, component, position = 0 }, i) => {
    if (kind === "output") return;
    const prefix = kind === "input" ? "entering" : kind;
    // A token is the one thing that enters at its position.
    const part = kind === "component" || site === "input" ? component : 0;
    at.set(`${prefix}/${site} ${part} ${position}`, i);
  });
  return { positions, at };
}

function arrivals(
  scores: NamedValues,
  { positions, at }: Places,
  row: number,
  scale: number,
): { arriving: (readonly [number, number])[]; others: number; drawn: number } {
  const arriving: (readonly [number, number])[] = [];
  let [others, drawn] = [0, 0];
  for (const [name, { axes, shape, data }] of Object.entries(scores)) {
    for (const { part, position, index } of partsOf(axes, shape, positions, row)) {
      const weight = data[index]! * scale;
      if (weight === 0) continue;
      const from = at.get(`${name} ${part} ${position}`);
      if (from === undefined) {
        others += weight;
        continue;
      }
      drawn += weight;
      arriving.push([from, weight]);
    }
  }
  return { arriving, others, drawn };
}

/** The numbers of one row of a batch among those of a source. */
function* partsOf(
  axes: string,
  shape: readonly number[],
  positions: number,
  row: number,
): Generator<{ part: number; position: number; index: number }> {
  const names = axisNames(axes);
  const size = (axis: string): number => shape[names.indexOf(axis)] ?? 1;
  if (axes === "C batch") {
    const rows = size("batch");
    for (let part = 0; part < size("C"); part++) {
      for (let position = 0; position < positions; position++) {
        yield { part, position, index: part * rows + row * positions + position };
      }
    }
  } else if (axes === "batch" || axes === "batch pos" || axes === "batch feature" || axes === "batch pos feature") {
    const features = size("feature");
    for (let position = 0; position < positions; position++) {
      for (let part = 0; part < features; part++) {
        yield { part, position, index: (row * positions + position) * features + part };
      }
    }
  } else {
    throw new MechanistError("Internal", `attribution: expected axes of a source, got "${axes}"`);
  }
}
