/** Exact effects of edges: each cut by itself, and what that does to the output. What attribution of edges is an estimate of. */
import type { RunnableNetwork } from "../../network/run.ts";
import { sourceOf, type Ablation, type Question } from "../ablation.ts";
import { bootstrap, type Interval, meanOfNumbers } from "../bootstrap.ts";
import { expectAnswers, measured } from "../capture.ts";
import type { Examples } from "../examples.ts";
import { fromRun, type Reference, type Source, type SourceKind } from "../sources.ts";
import { INTERVAL_KEY, INTERVAL_METHOD } from "../table.ts";
import { measuredWithout } from "./edge-run.ts";
import { type Edge, type EdgeGraph, edgeGraph, type GraphOptions, senderPoints } from "./graph.ts";
import { standInStack } from "./stack.ts";

/** What a cut edge carries: what an ablation says, or what its writer writes in another run, row for row. */
export type CutWith = Ablation | { readonly kind: "patch"; readonly source: Examples };

export interface EdgeRow {
  readonly edge: Edge;
  readonly n: number;
  /** The mean change of the metric, or the estimate of it. */
  readonly mean: number;
  readonly interval: Interval | null;
  readonly perExample: readonly number[];
}

export interface EdgeTable {
  readonly kind: SourceKind;
  readonly reference: Reference | null;
  readonly description: string;
  /** `exact`, or how the effects are estimated. */
  readonly method: string;
  readonly granularity: string;
  readonly examples: string;
  readonly n: number;
  readonly metric: Pick<Question["metric"], "name" | "unit" | "meaning">;
  readonly interval: string;
  /** The metric of each example with no edge cut. */
  readonly baseline: readonly number[];
  readonly rows: readonly EdgeRow[];
}

/** Cuts each edge by itself, on every example. */
export async function edgeEffects(
  runnable: RunnableNetwork,
  base: Examples,
  { cut, metric, key, splitEmbeddings, ...options }: Question & GraphOptions & { readonly cut: CutWith },
): Promise<EdgeTable> {
  expectAnswers(metric, base);
  const graph = edgeGraph(runnable, splitEmbeddings === undefined ? {} : { splitEmbeddings });
  const source = cutSource(cut, base);
  const standIn = standInStack(graph, await source.standIns(runnable, base, senderPoints(graph), options));
  const baseline = await measured(runnable, base, metric, options);
  const cuts = graph.edges.map((edge) => [edge]);
  const changed = await measuredWithout(runnable, graph, { base, cuts, standIn, metric }, options);
  const perExample = changed.map((numbers) => numbers.map((x, i) => x - baseline[i]!));
  return edgeTable({ graph, source, method: "exact", base, metric, baseline, perExample, ...(key && { key }) });
}

/** Where a cut edge's stand-ins come from. */
export function cutSource(cut: CutWith, base: Examples): Source {
  return cut.kind === "patch" ? fromRun(cut.source) : sourceOf(cut, base);
}

/** One table from each edge's effects. */
export function edgeTable(what: {
  readonly graph: EdgeGraph;
  readonly source: Source;
  readonly method: string;
  readonly base: Examples;
  readonly metric: Question["metric"];
  readonly baseline: readonly number[];
  readonly perExample: readonly (readonly number[])[];
  readonly key?: Question["key"];
}): EdgeTable {
  const { graph, source, metric, baseline } = what;
  const n = baseline.length;
  const intervalOf = bootstrap(what.key ?? INTERVAL_KEY, n);
  return {
    kind: source.kind,
    reference: source.reference,
    description: source.description,
    method: what.method,
    granularity: graph.granularity,
    examples: what.base.name,
    n,
    metric: { name: metric.name, unit: metric.unit, meaning: metric.meaning },
    interval: INTERVAL_METHOD,
    baseline,
    rows: graph.edges.map((edge, i) => {
      const perExample = what.perExample[i]!;
      return { edge, n, mean: meanOfNumbers(perExample), interval: intervalOf(perExample), perExample };
    }),
  };
}
