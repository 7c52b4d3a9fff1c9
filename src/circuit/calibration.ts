/**
 * What attributions predict, held against what removing the part really does: a gradient is exact for a linear path and only a guess for
 * any other.
 *
 * - An edge's weight is what it says the target would lose if the source passed nothing on while every other component passed on what it
 *   did before. That is done, and the target read.
 * - A node's attribution to an output, `∂y/∂m · m` through everything, is what the output would lose if its mask became 0 and all
 *   behind it followed. That is done, too.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { pearson } from "../intervention/agreement.ts";
import {
  axisSize,
  broadcast,
  cast,
  constant,
  equal,
  gradients,
  input,
  mul,
  reshape,
  sub,
  sum,
  type Tensor,
} from "../tensor/index.ts";
import type { AttributionGraph, GraphNode } from "./graph.ts";
import { cutRun } from "./masked-run.ts";
import { observe, type ObserveOptions, type Observed } from "./observed.ts";
import { computed, prepare, type WorkOptions } from "./program.ts";
import {
  componentCount,
  inputLike,
  maskFeeds,
  positionsOf,
  type RankOneDecomposition,
  repeated,
  sharedMasks,
  writeNorms,
} from "./subject.ts";
import { chosenOutput } from "./targets.ts";

/** What was said of one part, and what came of removing it, in one unit. */
export interface CalibrationRow {
  readonly from: string;
  readonly to: string;
  readonly predicted: number;
  readonly measured: number;
}

export interface Calibration {
  readonly rows: readonly CalibrationRow[];
  readonly n: number;
  /** Pearson's; `null` where one side is constant. */
  readonly correlation: number | null;
  /** Of the least-squares line through the origin of what was measured over what was predicted: 1 is right, less than 1 overclaims. */
  readonly slope: number | null;
  /** The fraction of rows in which both have one sign, 0 being no sign. */
  readonly signAgreement: number;
  readonly largestDifference: number;
}

/** How well predictions agree with measurements. */
export function calibrationOf(rows: readonly CalibrationRow[]): Calibration {
  const [predicted, measured] = [rows.map((row) => row.predicted), rows.map((row) => row.measured)];
  const correlation = pearson(predicted, measured);
  const squares = predicted.reduce((total, x) => total + x * x, 0);
  const products = predicted.reduce((total, x, i) => total + x * measured[i]!, 0);
  const alike = rows.filter((row) => Math.sign(row.predicted) === Math.sign(row.measured)).length;
  return {
    rows,
    n: rows.length,
    correlation: Number.isFinite(correlation) ? correlation : null,
    slope: squares > 0 ? products / squares : null,
    signAgreement: rows.length === 0 ? 1 : alike / rows.length,
    largestDifference: Math.max(0, ...rows.map((row) => Math.abs(row.predicted - row.measured))),
  };
}

export interface CalibrationOptions extends Omit<ObserveOptions, "masks">, WorkOptions {
  /** Ablations in one run. */
  readonly batch?: number;
}

const BATCH = 16;

/** The edges of a graph that start at a component: what each says, and what removing its source does. */
export async function calibrateEdges(
  subject: RankOneDecomposition,
  x: Values,
  graph: Pick<AttributionGraph, "nodes" | "edges">,
  options: CalibrationOptions = {},
): Promise<Calibration> {
  const seen = await observe(subject, x, options);
  const { nodes, edges } = graph;
  const sources = [...new Set(edges.map(({ from }) => from))].filter((i) => nodes[i]!.kind === "component");
  const norms = new Map(seen.order.map((site) => [site, writeNorms(subject, site)]));
  const rows: CalibrationRow[] = [];
  await withoutEach(
    subject,
    seen,
    sources.map((i) => nodes[i]!),
    { ...options, frozen: true },
    (row, change) => {
      const from = sources[row]!;
      for (const edge of edges.filter((e) => e.from === from)) {
        const to = nodes[edge.to]!;
        const scale = to.kind === "output" ? 1 : norms.get(to.site)![to.component as number]!;
        const lost = -change(to) * scale;
        rows.push({ from: nodes[from]!.address, to: to.address, predicted: edge.weight, measured: lost });
      }
    },
  );
  return calibrationOf(rows);
}

/** The components of a graph and one of its outputs: what the gradient through everything says of each, and what removing it does. */
export async function calibrateNodes(
  subject: RankOneDecomposition,
  x: Values,
  graph: Pick<AttributionGraph, "nodes">,
  output: GraphNode,
  options: CalibrationOptions = {},
): Promise<Calibration> {
  const seen = await observe(subject, x, options);
  const { positions } = seen;
  const slopes = await totalAttributions(subject, seen, output, options);
  const sources = graph.nodes.filter(({ kind }) => kind === "component");
  const rows: CalibrationRow[] = [];
  await withoutEach(subject, seen, sources, { ...options, frozen: false }, (row, change) => {
    const { site, component, position = 0, address } = sources[row]!;
    const predicted = slopes[site]!.data[(component as number) * positions + position]!;
    rows.push({ from: address, to: output.address, predicted, measured: -change(output) });
  });
  return calibrationOf(rows);
}

/** What each component adds to an output by the gradient through everything, `C batch` by site. */
async function totalAttributions(
  subject: RankOneDecomposition,
  { x, positions, importances }: Observed,
  { component, position = 0 }: GraphNode,
  options: CalibrationOptions,
): Promise<NamedValues> {
  const masks = sharedMasks(subject, 1, positions);
  const sites = Object.keys(masks);
  const output = subject.masked(inputLike(x, 1), masks, keptRemainder(subject, positions, options.remainder));
  const at = Float32Array.from({ length: positions }, (_, p) => (p === position ? 1 : 0));
  const chosen = chosenOutput(subject.network, output);
  const loss = sum(mul(chosen, constant("batch pos", { batch: 1, pos: positions }, at)));
  const found = gradients(
    loss,
    sites.map((site) => masks[site]!),
  );
  return computed(
    Object.fromEntries(sites.map((site, i) => [site, mul(found[i]!, masks[site]!)])),
    {
      ...subject.values,
      ...maskFeeds(importances),
      x,
      "target/component": { axes: "batch", shape: [1], dtype: "i32", data: Int32Array.of(Number(component)) },
    },
    options,
  );
}

function keptRemainder(
  { sites }: RankOneDecomposition,
  rows: number,
  keep: boolean | undefined,
): Record<string, Tensor<"batch">> {
  return keep ? Object.fromEntries(sites.map(({ name }) => [name, constant("batch", { batch: rows }, 1)])) : {};
}

/**
 * Removes each component alone and tells what changes.
 *
 * @param frozen whether all others pass on what they did before
 * @param tell   of the source's place, and how much the inner activation of a node, or an output, changed
 */
async function withoutEach(
  subject: RankOneDecomposition,
  seen: Observed,
  sources: readonly GraphNode[],
  options: CalibrationOptions & { readonly frozen: boolean },
  tell: (source: number, change: (of: GraphNode) => number) => void,
): Promise<void> {
  const { x, positions } = seen;
  const used = Math.min(options.batch ?? BATCH, sources.length);
  if (used === 0) return;
  // One row more, in which nothing is removed: changes are told from the same program.
  const batch = used + 1;
  const program = await prepare(removal(subject, x, batch, options), options);
  const held = Object.fromEntries([
    ...Object.entries(seen.passed).map(([site, q]) => [`held/${site}`, { ...q, axes: "C pos" }] as const),
    ...Object.entries(seen.remainder).map(([site, y]) => [`left/${site}`, { ...y, axes: "pos d_out" }] as const),
  ]);
  try {
    for (let from = 0; from < sources.length; from += used) {
      options.signal?.throwIfAborted();
      const some = sources.slice(from, from + used);
      const found: NamedValues = await program.run({
        ...subject.values,
        ...maskFeeds(seen.importances),
        ...held,
        ...removed(subject, some, batch, positions),
        x: repeated(x, batch),
      });
      some.forEach((_, row) => tell(from + row, (of) => valueOf(found, of, row) - valueOf(found, of, used)));
      options.onProgress?.(from + some.length, sources.length);
    }
  } finally {
    await program.dispose();
  }

  function valueOf(found: NamedValues, { kind, site, component, position = 0 }: GraphNode, row: number): number {
    if (kind !== "output") {
      const { data, shape } = found[`inner/${site}`]!;
      return data[(component as number) * shape[1]! + row * positions + position]!;
    }
    const { data, axes } = found.output!;
    const size = found.output!.shape.at(-1)!;
    const count = axes.includes("pos") ? positions : 1;
    const start = (row * count + position) * size;
    const value = data[start + (component as number)]!;
    if (subject.network.logits === undefined) return value;
    let total = 0;
    for (let i = 0; i < size; i++) total += data[start + i]!;
    return value - total / size;
  }
}

/** A run in which each row is without one component at one position. */
function removal(
  subject: RankOneDecomposition,
  x: Values,
  batch: number,
  { frozen, remainder = false }: { readonly frozen: boolean; readonly remainder?: boolean },
): Readonly<Record<string, Tensor>> {
  const pos = positionsOf(x);
  const keep = (site: string): Tensor<"C batch"> => {
    const C = componentCount(subject, site);
    const component = input("remove/component", "batch", { batch }, "i32") as Tensor;
    const each = constant(
      "C",
      { C },
      Array.from({ length: C }, (_, c) => c),
      "i32",
    ) as Tensor;
    const is = cast(equal(broadcast(each, "C batch", { C, batch }), component), "f32");
    const at = input(`remove/${site}`, "batch pos", { batch, pos }) as Tensor;
    const here = mul(broadcast(is, "C batch pos", { C, batch, pos }), at);
    return reshape(sub(1, here), "C batch", { C, batch: batch * pos });
  };
  const shared = sharedMasks(subject, batch, pos);
  const masks = frozen
    ? shared
    : Object.fromEntries(Object.entries(shared).map(([site, mask]) => [site, mul(mask, keep(site))]));
  const hold = (site: string): Tensor<"C batch"> => {
    const C = componentCount(subject, site);
    const given = input(`held/${site}`, "C pos", { C, pos }) as Tensor;
    const all = broadcast(given, "C batch pos", { C, batch, pos });
    return mul(reshape(all, "C batch", { C, batch: batch * pos }), keep(site));
  };
  const left = (site: string, written: Tensor<"batch d_out">): Tensor<"batch d_out"> => {
    const d_out = axisSize(written, "d_out");
    const given = input(`left/${site}`, "pos d_out", { pos, d_out }) as Tensor;
    return reshape(broadcast(given, "batch pos d_out", { batch, pos, d_out }), "batch d_out", {
      batch: batch * pos,
      d_out,
    });
  };
  const held = frozen && { passing: hold, leaving: left };
  const run = cutRun(subject, inputLike(x, batch), masks, { remainder, ...held });
  return {
    output: run.output,
    ...Object.fromEntries(Object.entries(run.inner).map(([site, h]) => [`inner/${site}`, h])),
  };
}

function removed(
  { sites }: RankOneDecomposition,
  sources: readonly GraphNode[],
  batch: number,
  pos: number,
): NamedValues {
  const component = Int32Array.from({ length: batch }, (_, row) => Number(sources[row]?.component ?? 0));
  const at = sites.map(({ name }) => {
    const data = new Float32Array(batch * pos);
    sources.forEach(({ site, position = 0 }, row) => {
      if (site === name) data[row * pos + position] = 1;
    });
    return [`remove/${name}`, { axes: "batch pos", shape: [batch, pos], dtype: "f32" as const, data }] as const;
  });
  return {
    "remove/component": { axes: "batch", shape: [batch], dtype: "i32", data: component },
    ...Object.fromEntries(at),
  };
}
