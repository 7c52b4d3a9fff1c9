/** What is left of a network when everything outside a circuit is cut: whether the circuit is enough. */
import { MechanistError } from "../../error.ts";
import type { RunnableNetwork } from "../../network/run.ts";
import type { Question } from "../ablation.ts";
import { bootstrap, type Interval, meanOfNumbers } from "../bootstrap.ts";
import { expectAnswers, measured } from "../capture.ts";
import type { Examples } from "../examples.ts";
import { recoveredFraction } from "../metrics.ts";
import type { Reference, SourceKind } from "../sources.ts";
import { INTERVAL_KEY, INTERVAL_METHOD } from "../table.ts";
import { type CutWith, cutSource } from "./edge-effects.ts";
import { measuredWithout } from "./edge-run.ts";
import { type Edge, edgeGraph, edgeName, type GraphOptions, senderPoints } from "./graph.ts";
import { standInStack } from "./stack.ts";

export interface CircuitAlone {
  readonly kind: SourceKind;
  readonly reference: Reference | null;
  readonly description: string;
  readonly granularity: string;
  readonly examples: string;
  readonly n: number;
  readonly metric: Pick<Question["metric"], "name" | "unit" | "meaning">;
  readonly kept: number;
  readonly cut: number;
  /** The metric of each example in the whole network, in the circuit alone, and with every edge cut. */
  readonly whole: readonly number[];
  readonly alone: readonly number[];
  readonly nothing: readonly number[];
  /** The mean of `alone`, less that of `whole`. */
  readonly mean: number;
  readonly interval: Interval | null;
  readonly intervalMethod: string;
  /** How far the circuit gets from every edge cut, 0, to the whole network, 1; none where these do not differ. */
  readonly faithfulness: number | null;
}

/**
 * Cuts every edge that is not of the circuit.
 *
 * @throws `BadArgument` for an edge that the network's graph lacks, at this granularity
 */
export async function circuitAlone(
  runnable: RunnableNetwork,
  base: Examples,
  {
    circuit,
    cut,
    metric,
    key,
    splitEmbeddings,
    ...options
  }: Question & GraphOptions & { readonly circuit: readonly Edge[]; readonly cut: CutWith },
): Promise<CircuitAlone> {
  expectAnswers(metric, base);
  const graph = edgeGraph(runnable, splitEmbeddings === undefined ? {} : { splitEmbeddings });
  const names = new Set(graph.edges.map(edgeName));
  const stranger = circuit.find((edge) => !names.has(edgeName(edge)));
  if (stranger !== undefined) {
    throw new MechanistError(
      "BadArgument",
      `circuit: expected edges of ${graph.granularity}, got ${edgeName(stranger)}`,
    );
  }
  const kept = new Set(circuit.map(edgeName));
  const outside = graph.edges.filter((edge) => !kept.has(edgeName(edge)));
  const source = cutSource(cut, base);
  const standIn = standInStack(graph, await source.standIns(runnable, base, senderPoints(graph), options));
  const whole = await measured(runnable, base, metric, options);
  const cuts = [outside, graph.edges];
  const [alone, nothing] = await measuredWithout(runnable, graph, { base, cuts, standIn, metric }, options);
  const changes = alone!.map((x, i) => x - whole[i]!);
  const [full, least] = [meanOfNumbers(whole), meanOfNumbers(nothing!)];
  return {
    kind: source.kind,
    reference: source.reference,
    description: source.description,
    granularity: graph.granularity,
    examples: base.name,
    n: whole.length,
    metric: { name: metric.name, unit: metric.unit, meaning: metric.meaning },
    kept: kept.size,
    cut: outside.length,
    whole,
    alone: alone!,
    nothing: nothing!,
    mean: meanOfNumbers(changes),
    interval: bootstrap(key ?? INTERVAL_KEY, whole.length)(changes),
    intervalMethod: INTERVAL_METHOD,
    faithfulness: recoveredFraction(meanOfNumbers(alone!), least, full),
  };
}
