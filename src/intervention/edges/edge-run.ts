/**
 * A run in which some edges carry something else: each reader sees the residual stream plus, for each edge that is cut, what stands in for
 * its writer less what the writer writes in this very run. Cut edges upstream therefore change what edges downstream carry, as they
 * do in ACDC (Conmy et al. 2023) and in measures of a circuit's faithfulness.
 */
import type { NamedValues, Values } from "../../engine/index.ts";
import type { RunHook, RunnableNetwork } from "../../network/run.ts";
import { add, contract, input, neg, sizesOf, slice, sub, type Tensor } from "../../tensor/index.ts";
import { measureOf, type WorkOptions } from "../capture.ts";
import { crossed, rowsOfExamples } from "../crossed.ts";
import { countOf, DEFAULT_MEMORY, type Examples, pointSizes, rowsWithin } from "../examples.ts";
import type { Metric } from "../metrics.ts";
import { Programs } from "../programs.ts";
import { type Edge, type EdgeGraph, edgeName, type Receiver, senderAt, senderPoints } from "./graph.ts";
import { SenderStack } from "./stack.ts";

const HOOKS = new Programs<EdgeGraph, readonly RunHook[]>();

/** The hooks that cut what masks say; the same ones for the same kind of question. */
function cuttingHooks(graph: EdgeGraph, standIn: Values | 0, n: number): readonly RunHook[] {
  return HOOKS.of(graph, `${n} ${standIn === 0 ? 0 : standIn.axes}`, made);

  function made(): readonly RunHook[] {
    const written = new SenderStack(graph);
    const senders = senderPoints(graph).map((point): RunHook => ({
      point,
      replace: (value) => {
        written.see(point, value);
        // What heads write is computed for the stack anyway: the stream takes it from there.
        return value;
      },
    }));
    const readers = receiverGroups(graph).map(({ point, sees }): RunHook => ({
      point,
      replace: (value) => {
        const current = written.all();
        const sizes = { ...sizesOf(current), ...sizesOf(value), sender: sees, example: n, all: graph.senders.length };
        const seen = sizes.sender < sizesOf(current).sender! ? slice(current, "sender", 0, sees) : current;
        const headAxis = value.axes.split(" ").find((axis) => axis.endsWith("head"));
        const axes = headAxis === undefined ? "batch sender" : `batch sender ${headAxis}`;
        const mask = input(maskName(point), axes, sizes as never) as Tensor;
        return add(value, contract(difference(standIn, seen, graph, n), mask, value.axes));
      },
    }));
    // A reader at a sender's point, the stream after the last block is none, sees the senders first.
    return [...senders, ...readers];
  }
}

/** What stands in less what is written, `batch pos sender d_model`. */
function difference(standIn: Values | 0, seen: Tensor, graph: EdgeGraph, n: number): Tensor {
  if (standIn === 0) return neg(seen);
  const sizes = { ...sizesOf(seen), example: n, sender: graph.senders.length };
  const given = input("edges:stand-in", standIn.axes, sizes as never) as Tensor;
  const rows = standIn.axes.startsWith("example ") ? rowsOfExamples(given, sizesOf(seen).batch!) : given;
  return sub(slice(rows, "sender", 0, sizesOf(seen).sender!), seen) as Tensor;
}

const maskName = (point: string): string => `edges:mask:${point}`;

/** The points at which receivers read, with how many heads read there. */
function receiverGroups({ receivers }: EdgeGraph): { point: string; sees: number; heads: number }[] {
  const groups = new Map<string, { point: string; sees: number; heads: number }>();
  for (const { point, sees } of receivers) {
    const { heads } = groups.get(point) ?? { heads: 0 };
    groups.set(point, { point, sees, heads: heads + 1 });
  }
  return [...groups.values()];
}

/** Which edges each row of a batch cuts, as masks by input name. */
function masksOf(
  graph: EdgeGraph,
  rows: readonly (readonly Edge[])[],
  found: ReadonlyMap<string, Receiver>,
): NamedValues {
  const masks = new Map(
    receiverGroups(graph).map(({ point, sees, heads }) => {
      const plain = graph.receivers.find((receiver) => receiver.point === point)!.head === undefined;
      const headAxis = graph.network.points.find(({ name }) => name === point)!.axes.split(" ")[2]!;
      const mask: Values = {
        axes: plain ? "batch sender" : `batch sender ${headAxis}`,
        shape: plain ? [rows.length, sees] : [rows.length, sees, heads],
        dtype: "f32",
        data: new Float32Array(rows.length * sees * heads),
      };
      return [point, mask] as const;
    }),
  );
  rows.forEach((edges, row) => {
    for (const edge of edges) {
      const { point, head = 0 } = found.get(edgeName({ ...edge, from: "" }))!;
      const { shape, data } = masks.get(point)!;
      const heads = shape[2] ?? 1;
      data[(row * shape[1]! + senderAt(graph, edge.from)) * heads + head] = 1;
    }
  });
  return Object.fromEntries([...masks].map(([point, mask]) => [maskName(point), mask]));
}

/** The metric of each example for each set of edges that is cut. */
export async function measuredWithout(
  runnable: RunnableNetwork,
  graph: EdgeGraph,
  {
    base,
    cuts,
    standIn,
    metric,
  }: {
    readonly base: Examples;
    readonly cuts: readonly (readonly Edge[])[];
    /** `example pos sender d_model`, `pos sender d_model`, or 0 for nothing. */
    readonly standIn: Values | 0;
    readonly metric: Metric;
  },
  options: WorkOptions = {},
): Promise<number[][]> {
  const n = countOf(base);
  const hooks = cuttingHooks(graph, standIn, n);
  const found = new Map(graph.receivers.map((r) => [edgeName({ from: "", to: r.address, into: r.into }), r]));
  const changed: number[][] = cuts.map(() => []);
  const { memoryBytes = DEFAULT_MEMORY } = options;
  const most = rowsWithin(pointSizes(runnable, base.x), memoryBytes, metric.readsAll);
  for (const batch of crossed(base, cuts.length, most, options)) {
    const { x, ...rest } = batch.run;
    const { measure } = await runnable.compute(x, measureOf(metric.readout), {
      ...rest,
      hooks,
      feeds: {
        ...masksOf(
          graph,
          batch.variants.map((v) => cuts[v]!),
          found,
        ),
        ...metric.feeds(batch.examples),
        ...(standIn !== 0 && { "edges:stand-in": standIn }),
        ...batch.feeds,
      },
    });
    for (let i = 0; i < batch.used; i++) changed[batch.variants[i]!]!.push(measure.data[i]!);
  }
  return changed;
}
