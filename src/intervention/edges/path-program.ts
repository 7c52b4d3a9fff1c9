/** The traced run of path patching: receivers read what they read in the unchanged run, and the senders' change. */
import type { RunnableNetwork, Traced } from "../../network/run.ts";
import {
  add,
  axisSize,
  constant,
  contract,
  div,
  greater,
  input,
  mean,
  mul,
  sizesOf,
  slice,
  sub,
  type Tensor,
  type Tensors,
  where,
} from "../../tensor/index.ts";
import { tableInput } from "../crossed.ts";
import type { Readout } from "../metrics.ts";
import { Programs, readoutId } from "../programs.ts";
import type { EdgeGraph, Receiver } from "./graph.ts";

/** Whether a receiver's norm divides by the size of its new input, or by that of the unchanged run. */
export type Norms = "frozen" | "recomputed";

interface PathQuestion {
  readonly reading: readonly Receiver[];
  readonly norms: Norms;
  readonly readout: Readout;
  readonly n: number;
  readonly padded: boolean;
}

const blockOf = (point: string): string => /^blocks\.\d+/.exec(point)![0];
const isHead = ({ into }: Receiver): boolean => into !== "in";

/** Where a receiver's new value is put, and where the size that its norm divides by is seen. */
function placesOf(graph: EdgeGraph, receiver: Receiver, norms: Norms): { at: string; scale?: string } {
  const normed = graph.network.config.norm.kind !== "none";
  const block = blockOf(receiver.point);
  if (isHead(receiver)) {
    if (norms === "recomputed") return { at: receiver.point };
    return { at: `${block}.attn.hook_${receiver.into}`, ...(normed && { scale: `${block}.ln1.hook_scale` }) };
  }
  const norm = receiver.address === "unembed" ? "ln_final" : `${block}.ln2`;
  return { at: receiver.point, ...(normed && norms === "frozen" && { scale: `${norm}.hook_scale` }) };
}

/** What of the unchanged run has to be known. */
export function pathPoints(graph: EdgeGraph, reading: readonly Receiver[], norms: Norms): string[] {
  const points = reading.flatMap((receiver) => {
    const { at, scale } = placesOf(graph, receiver, norms);
    // The inputs of heads are the residual stream, once for each head.
    const seen = isHead(receiver) && norms === "recomputed" ? `${blockOf(at)}.hook_resid_pre` : at;
    return scale === undefined ? [seen] : [seen, scale];
  });
  return [...new Set([startOf(graph, reading), ...points].filter((point) => point !== undefined))];
}

/** The residual stream before the first receiver's block; none where only the unembedding receives. */
function startOf(graph: EdgeGraph, reading: readonly Receiver[]): string | undefined {
  const blocks = reading.filter(({ address }) => address !== "unembed").map(({ point }) => blockOf(point));
  const order = graph.network.points.map(({ name }) => name);
  return blocks.map((block) => `${block}.hook_resid_pre`).sort((a, b) => order.indexOf(a) - order.indexOf(b))[0];
}

const PROGRAMS = new Programs<RunnableNetwork, (traced: Traced) => { measure: Tensor }>();

/** What a run computes; the same function for the same question, so that it is compiled once. */
export function pathProgram(
  runnable: RunnableNetwork,
  graph: EdgeGraph,
  question: PathQuestion,
): (traced: Traced) => { measure: Tensor } {
  const { reading, norms, readout, n, padded } = question;
  const receivers = reading.map(({ address, into }) => `${address} ${into}`).join();
  const key = `${receivers} | ${norms} ${readoutId(readout)} ${n} ${padded} ${graph.senders.length}`;
  return PROGRAMS.of(runnable, key, () => traced(runnable, graph, question));
}

function traced(
  runnable: RunnableNetwork,
  graph: EdgeGraph,
  question: PathQuestion,
): (traced: Traced) => { measure: Tensor } {
  const { reading, norms, readout, n, padded } = question;
  const start = startOf(graph, reading);
  const places = reading.map((receiver) => ({ receiver, ...placesOf(graph, receiver, norms) }));
  for (const { at, scale } of places) for (const point of [at, scale ?? at]) runnable.point(point);
  return ({ weights, x }) => {
    const batch = axisSize(x, "batch");
    const padding = padded ? (input("padding", "batch", { batch }, "i32") as Tensor<"batch">) : undefined;
    const rows = (point: string, axes: string, sizes: Readonly<Record<string, number>>): Tensor =>
      tableInput(`path:${point}`, axes, { ...sizes, batch }, n);
    const output = graph.network.forward(
      weights,
      x,
      {
        at: (point, value) => {
          const sizes = sizesOf(value);
          const here = places.filter(({ at }) => at === point);
          if (here.length > 0) return received(graph, here, { value, weights, norms, n, rows });
          if (places.some(({ scale, receiver }) => scale === point && !isHead(receiver))) {
            return rows(point, value.axes, sizes);
          }
          return point === start ? rows(point, value.axes, sizes) : undefined;
        },
      },
      padding,
    );
    return { measure: readout(output) };
  };
}

interface Here {
  readonly receiver: Receiver;
  readonly scale?: string;
}

/** The value at a receivers' point: theirs is the unchanged run's with the change added, the others' is what it is. */
function received(
  graph: EdgeGraph,
  here: readonly Here[],
  run: {
    readonly value: Tensor;
    readonly weights: Tensors;
    readonly norms: Norms;
    readonly n: number;
    readonly rows: (point: string, axes: string, sizes: Readonly<Record<string, number>>) => Tensor;
  },
): Tensor {
  const { value, weights, norms, n, rows } = run;
  const sizes = sizesOf(value);
  const [{ receiver, scale }] = here as [Here];
  const { point, into, sees } = receiver;
  const stream = "batch pos d_model";
  const d_model = graph.network.config.dModel;
  const change = changeOf(graph, n, { ...sizes, d_model }, sees);
  if (!isHead(receiver)) return add(rows(point, value.axes, sizes), change);
  const axis = value.axes.split(" ")[2]!;
  const count = sizes[axis]!;
  const chosen = Array.from({ length: count }, (_, head) => (here.some(({ receiver: r }) => r.head === head) ? 1 : 0));
  const heads = constant(axis, { [axis]: count } as never, chosen) as Tensor;
  const every = constant(axis, { [axis]: count } as never, 1) as Tensor;
  const block = blockOf(point);
  let replaced: Tensor;
  if (norms === "recomputed") {
    const before = rows(`${block}.hook_resid_pre`, stream, { pos: sizes.pos!, d_model });
    replaced = contract(add(before, change), every, value.axes);
  } else {
    const W = weights[`${block}.attn.W_${into.toUpperCase()}`]!;
    const normalized = normalizedBy(graph, weights, `${block}.ln1`, change, () =>
      rows(scale!, "batch pos", { pos: sizes.pos! }),
    );
    replaced = add(rows(`${block}.attn.hook_${into}`, value.axes, sizes), contract(normalized, W, value.axes));
  }
  return where(greater(heads, 0) as Tensor, replaced, value) as Tensor;
}

/** What a norm makes of a change where it divides by a size that is given: a linear map. */
function normalizedBy(graph: EdgeGraph, weights: Tensors, name: string, change: Tensor, scale: () => Tensor): Tensor {
  const { kind, unitOffset } = graph.network.config.norm;
  if (kind === "none") return change;
  const centred = kind === "layer" ? sub(change, mean(change, "d_model") as Tensor) : change;
  const weight = weights[`${name}.w`]!;
  return mul(div(centred, scale()), unitOffset ? add(weight, 1) : weight);
}

/** The senders' change, added up: `batch pos d_model`. */
function changeOf(graph: EdgeGraph, n: number, sizes: Readonly<Record<string, number>>, sees: number): Tensor {
  const sender = graph.senders.length;
  const { batch, pos } = sizes as { batch: number; pos: number };
  const all = tableInput("path:change", "batch pos sender d_model", { ...sizes, sender }, n);
  const senders = input("path:senders", "batch pos sender", { batch, pos, sender }) as Tensor;
  return contract(slice(all, "sender", 0, sees), slice(senders, "sender", 0, sees), "batch pos d_model");
}
