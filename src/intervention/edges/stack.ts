/** What every sender writes, side by side: `… pos sender d_model`. */
import type { NamedValues, Values } from "../../engine/index.ts";
import { add, concat, reshape, sizesOf, type Tensor } from "../../tensor/index.ts";
import type { StandIn } from "../sources.ts";
import type { EdgeGraph } from "./graph.ts";

/**
 * Values at the senders' points as one stack.
 *
 * @param values at each point, `batch pos (head) d_model`, or without `batch`
 * @returns `example pos sender d_model`, or `pos sender d_model`
 */
export function stackOf({ senders, network }: EdgeGraph, values: NamedValues): Values {
  const [first] = Object.values(values) as [Values];
  const rows = first.axes.startsWith("batch ") ? first.shape[0]! : undefined;
  const pos = first.shape[rows === undefined ? 0 : 1]!;
  const { dModel } = network.config;
  const count = (rows ?? 1) * pos;
  const data = new (first.data.constructor as new (length: number) => Float64Array)(count * senders.length * dModel);
  senders.forEach(({ points, head }, s) => {
    for (const point of points) {
      const { data: from, shape } = values[point]!;
      const stride = head === undefined ? dModel : shape.at(-2)! * dModel;
      const start = (head ?? 0) * dModel;
      for (let i = 0; i < count; i++) {
        const to = (i * senders.length + s) * dModel;
        for (let d = 0; d < dModel; d++) data[to + d]! += from[i * stride + start + d]!;
      }
    }
  });
  const shape = [...(rows === undefined ? [] : [rows]), pos, senders.length, dModel];
  return { axes: `${rows === undefined ? "" : "example "}pos sender d_model`, shape, dtype: "f32", data };
}

/** The stack of what stands in, or 0 where nothing does. */
export function standInStack(graph: EdgeGraph, standIns: Readonly<Record<string, StandIn>>): Values | 0 {
  const values = Object.fromEntries(
    Object.entries(standIns).flatMap(([point, { values }]) => (values === 0 ? [] : [[point, values]])),
  );
  return Object.keys(values).length === 0 ? 0 : stackOf(graph, values);
}

/** Collects what senders write while a network is traced. */
export class SenderStack {
  readonly #pointOf: ReadonlyMap<string, "starts" | "joins" | "follows">;
  #parts: Tensor[] = [];

  constructor({ senders }: EdgeGraph) {
    const points = senders.flatMap((sender) => sender.points.map((point, i) => [point, i > 0] as const));
    this.#pointOf = new Map(
      points.map(([point, joins], i) => [point, i === 0 ? "starts" : joins ? "joins" : "follows"]),
    );
  }

  /** Takes note of the value at a sender's point. */
  see(point: string, value: Tensor): void {
    const { batch, pos, d_model } = sizesOf(value) as { batch: number; pos: number; d_model: number };
    const sender = sizesOf(value).head ?? 1;
    const part = reshape(value, "batch pos sender d_model", { batch, pos, sender, d_model });
    const how = this.#pointOf.get(point);
    if (how === "starts") this.#parts = [part];
    else if (how === "joins") this.#parts.push(add(this.#parts.pop()!, part) as Tensor);
    else this.#parts.push(part);
  }

  /** All that was written so far, `batch pos sender d_model`. */
  all(): Tensor {
    return concat([...this.#parts], "sender");
  }
}
