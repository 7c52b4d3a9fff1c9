/** Automatic circuit discovery: from the output backwards, every edge is cut that can be (Conmy et al. 2023, algorithm 1). */
import type { RunnableNetwork } from "../../network/run.ts";
import type { Question } from "../ablation.ts";
import { meanOfNumbers } from "../bootstrap.ts";
import { expectAnswers } from "../capture.ts";
import type { Examples } from "../examples.ts";
import { type CutWith, cutSource } from "./edge-effects.ts";
import { measuredWithout } from "./edge-run.ts";
import { type Edge, edgeGraph, type GraphOptions, senderPoints } from "./graph.ts";
import { standInStack } from "./stack.ts";

export interface PrunedEdges {
  readonly kept: readonly Edge[];
  readonly cut: readonly Edge[];
  readonly threshold: number;
  readonly granularity: string;
  /** The mean metric with no edge cut, and with all of `cut`. */
  readonly before: number;
  readonly after: number;
}

/**
 * Cuts, one after the other, each edge without which the mean metric moves by less than the threshold from where it was.
 *
 * @param threshold in the metric's unit; the paper takes divergences
 */
export async function pruneEdges(
  runnable: RunnableNetwork,
  base: Examples,
  {
    cut: cutWith,
    threshold,
    metric,
    splitEmbeddings,
    onProgress,
    ...options
  }: Question & GraphOptions & { readonly cut: CutWith; readonly threshold: number },
): Promise<PrunedEdges> {
  expectAnswers(metric, base);
  const graph = edgeGraph(runnable, splitEmbeddings === undefined ? {} : { splitEmbeddings });
  const source = cutSource(cutWith, base);
  const standIn = standInStack(graph, await source.standIns(runnable, base, senderPoints(graph), options));
  const meanWithout = async (cut: readonly Edge[]): Promise<number> =>
    meanOfNumbers((await measuredWithout(runnable, graph, { base, cuts: [cut], standIn, metric }, options))[0]!);
  const before = await meanWithout([]);
  let after = before;
  let cut: Edge[] = [];
  const kept: Edge[] = [];
  // Edges are listed reader by reader, writers in their order: backwards, the latest reader and writer come first.
  for (const [i, edge] of graph.edges.toReversed().entries()) {
    const moved = await meanWithout([...cut, edge]);
    if (Math.abs(moved - after) < threshold) {
      cut = [...cut, edge];
      after = moved;
    } else kept.unshift(edge);
    onProgress?.(i + 1, graph.edges.length);
  }
  return { kept, cut, threshold, granularity: graph.granularity, before, after };
}
