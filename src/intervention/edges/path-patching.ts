/**
 * Path patching: what one part tells another directly (Wang et al. 2022, section 3.1; Goldowsky-Dill et al. 2023). What the senders write is
 * taken from the other run and reaches the receivers' inputs straight through the residual stream, while everything between them stays
 * as it is in the run that is changed; from the receivers on, the network runs as usual.
 */
import type { Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { RunnableNetwork } from "../../network/run.ts";
import type { Question } from "../ablation.ts";
import { captured, expectAnswers, measured } from "../capture.ts";
import { asTable, crossed } from "../crossed.ts";
import { countOf, DEFAULT_MEMORY, expectAlike, pointSizes, rowsWithin } from "../examples.ts";
import { type Contrast, runsOf } from "../patching.ts";
import { fromRun } from "../sources.ts";
import { type EffectRow, type EffectTable, effectTable } from "../table.ts";
import {
  type Edge,
  type EdgeGraph,
  edgeGraph,
  type GraphOptions,
  type Receiver,
  receiverAt,
  senderAt,
  senderPoints,
} from "./graph.ts";
import { type Norms, pathProgram, pathPoints } from "./path-program.ts";
import { stackOf } from "./stack.ts";

/** A part whose writings are taken from the other run, everywhere or at some positions. */
export interface PathSender {
  readonly from: string;
  readonly positions?: readonly number[];
}

/** Where they are read: `{ to: "blocks.1.attn:0", into: "k" }`, `{ to: "unembed", into: "in" }`. */
export type PathReceiver = Pick<Edge, "to" | "into">;

export interface PathRow extends Omit<EffectRow, "selections"> {
  /** Patched at once. */
  readonly senders: readonly PathSender[];
}

export interface PathTable extends Omit<EffectTable, "rows"> {
  readonly receivers: readonly PathReceiver[];
  readonly norms: Norms;
  readonly granularity: string;
  readonly rows: readonly PathRow[];
}

/**
 * Patches the direct paths from each list of senders to all the receivers.
 *
 * @param senders lists, patched one after the other; `each` is every part alone that a receiver can see
 * @param norms   `recomputed`: a receiver's norm is that of its new input, as in the paper; `frozen`: it divides by what it divides by in
 *   the unchanged run, so that the effects on a receiver's query, key, value or logits add up
 * @throws `BadArgument` where no receiver sees a sender, or the unembedding is a receiver among others
 */
export async function pathPatch(
  runnable: RunnableNetwork,
  contrast: Contrast,
  {
    senders,
    receivers,
    norms,
    metric,
    key,
    splitEmbeddings,
    ...options
  }: Question &
    GraphOptions & {
      readonly senders: "each" | readonly (readonly PathSender[])[];
      readonly receivers: readonly PathReceiver[];
      readonly norms: Norms;
    },
): Promise<PathTable> {
  const { base, source: other } = runsOf(contrast);
  expectAlike("path patching", base, other);
  expectAnswers(metric, base);
  const { memoryBytes = DEFAULT_MEMORY } = options;
  const graph = edgeGraph(runnable, splitEmbeddings === undefined ? {} : { splitEmbeddings });
  const reading = receiversOf(graph, receivers);
  const lists = senders === "each" ? everySender(graph, reading) : senders;
  const sizes = pointSizes(runnable, base.x);
  const pos = base.x.shape[1]!;
  for (const list of lists) expectSeen(graph, list, reading, pos);

  const written = senderPoints(graph);
  const [own, others] = [
    stackOf(graph, await captured(runnable, base, written, options)),
    stackOf(graph, await captured(runnable, other, written, options)),
  ];
  const change = { ...own, data: others.data.map((x, i) => x - own.data[i]!) as Values["data"] };
  const points = pathPoints(graph, reading, norms);
  const kept = await captured(runnable, base, points, options);
  const baseline = await measured(runnable, base, metric, options);
  const target = await measured(runnable, other, metric, options);

  const n = countOf(base);
  const program = pathProgram(runnable, graph, {
    reading,
    norms,
    readout: metric.readout,
    n,
    padded: base.padding !== undefined,
  });
  const changed: number[][] = lists.map(() => []);
  for (const batch of crossed(base, lists.length, rowsWithin(sizes, memoryBytes, metric.readsAll), options)) {
    const chosen = batch.variants.map((v) => lists[v]!);
    const { x, ...rest } = batch.run;
    const { measure } = await runnable.compute(x, program, {
      ...rest,
      feeds: {
        ...metric.feeds(batch.examples),
        ...Object.fromEntries(points.map((point) => [`path:${point}`, asTable(kept[point]!)])),
        "path:change": change,
        "path:senders": maskOf(graph, chosen, pos),
        ...batch.feeds,
      },
    });
    for (let i = 0; i < batch.used; i++) changed[batch.variants[i]!]!.push(measure.data[i]!);
  }
  const table = effectTable({
    source: fromRun(other),
    examples: base.name,
    metric,
    baseline,
    changed,
    target,
    direction: contrast.direction,
    variants: lists.map(() => []),
    key,
  });
  return {
    ...table,
    description: `direct paths, ${norms} norms: ${table.description}`,
    receivers,
    norms,
    granularity: graph.granularity,
    rows: table.rows.map(({ selections: _, ...row }, i) => ({ ...row, senders: lists[i]! })),
  };
}

function receiversOf(graph: EdgeGraph, receivers: readonly PathReceiver[]): Receiver[] {
  if (receivers.length === 0) throw new MechanistError("BadArgument", "path patching: expected receivers, got none");
  const found = receivers.map(({ to, into }) => receiverAt(graph, to, into));
  if (found.length > 1 && found.some(({ address }) => address === "unembed")) {
    throw new MechanistError(
      "BadArgument",
      `path patching: expected unembed as the only receiver, got ${found.length}; what the others change would not reach it`,
    );
  }
  return found;
}

function everySender(graph: EdgeGraph, reading: readonly Receiver[]): PathSender[][] {
  const sees = Math.max(...reading.map((receiver) => receiver.sees));
  return graph.senders.slice(0, sees).map(({ address: from }) => [{ from }]);
}

function expectSeen(graph: EdgeGraph, list: readonly PathSender[], reading: readonly Receiver[], pos: number): void {
  const sees = Math.max(...reading.map((receiver) => receiver.sees));
  for (const { from, positions = [] } of list) {
    if (senderAt(graph, from) >= sees) {
      const names = reading.map(({ address }) => address).join(", ");
      throw new MechanistError("BadArgument", `path patching: expected a sender before ${names}, got ${from}`);
    }
    const bad = positions.find((p) => !Number.isInteger(p) || p < 0 || p >= pos);
    if (bad === undefined) continue;
    throw new MechanistError(
      "BadArgument",
      `path patching ${from}: expected positions from 0 to ${pos - 1}, got ${bad}`,
    );
  }
}

/** Whose writings are changed where, for each row of a batch: `batch pos sender`. */
function maskOf(graph: EdgeGraph, rows: readonly (readonly PathSender[])[], pos: number): Values {
  const count = graph.senders.length;
  const data = new Float32Array(rows.length * pos * count);
  rows.forEach((list, row) => {
    for (const { from, positions } of list) {
      const sender = senderAt(graph, from);
      for (const p of positions ?? Array.from({ length: pos }, (_, i) => i)) data[(row * pos + p) * count + sender] = 1;
    }
  });
  return { axes: "batch pos sender", shape: [rows.length, pos, count], dtype: "f32", data };
}
