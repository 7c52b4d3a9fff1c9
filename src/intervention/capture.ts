/** Values at hook points, and measures of the output, for many examples: in batches, so that memory stays bounded but for what is kept. */
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { RunnableNetwork, Traced } from "../network/run.ts";
import type { Tensor } from "../tensor/index.ts";
import {
  batchesOf,
  countOf,
  DEFAULT_MEMORY,
  type Examples,
  firstRows,
  joinedRows,
  pickedRun,
  pointSizes,
  rowsWithin,
} from "./examples.ts";
import type { Metric, Readout } from "./metrics.ts";

/** How long work is held together. */
export interface WorkOptions {
  readonly signal?: AbortSignal;
  /** Called after each batch with how many of the runs are done. */
  readonly onProgress?: (done: number, total: number) => void;
  /** What the activations of a batch may take, in bytes; 256 MiB unless given. Fewer rows run at once where it is less. */
  readonly memoryBytes?: number;
}

/** Refuses to go on where somebody asked for a stop. */
export function expectGoingOn(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new MechanistError("Cancelled", "stopped");
}

/** The values at some points, one row an example. */
export async function captured(
  runnable: RunnableNetwork,
  examples: Examples,
  points: readonly string[],
  { signal, memoryBytes = DEFAULT_MEMORY }: WorkOptions = {},
): Promise<NamedValues> {
  if (points.length === 0) return {};
  const most = rowsWithin(pointSizes(runnable, examples.x), memoryBytes);
  const last = runnable.points(points).at(-1)!.name;
  const parts: NamedValues[] = [];
  const order = runnable.network.points.map(({ name }) => name);
  const stopAt = order.indexOf(last) < order.length - 1 ? { stopAt: last } : {};
  for (const { rows, used } of batchesOf(countOf(examples), most)) {
    expectGoingOn(signal);
    const { cache } = await runnable.run(pickedRun(examples, rows).x, {
      ...pickedRun(examples, rows),
      ...stopAt,
      cache: points,
    });
    parts.push(Object.fromEntries(points.map((point) => [point, firstRows(cache[point]!, used)])));
  }
  return Object.fromEntries(points.map((point) => [point, joinedRows(parts.map((part) => part[point]!))]));
}

const MEASURES = new WeakMap<Readout, (traced: Traced) => { measure: Tensor }>();

/** A readout as what a run computes; the same function for the same readout. */
export function measureOf(readout: Readout): (traced: Traced) => { measure: Tensor } {
  const known = MEASURES.get(readout);
  if (known !== undefined) return known;
  const made = ({ output }: Traced): { measure: Tensor } => ({ measure: readout(output) });
  MEASURES.set(readout, made);
  return made;
}

/** The metric of each example, without any intervention. */
export async function measured(
  runnable: RunnableNetwork,
  examples: Examples,
  metric: Metric,
  { signal, memoryBytes = DEFAULT_MEMORY }: WorkOptions = {},
): Promise<number[]> {
  expectAnswers(metric, examples);
  const most = rowsWithin(pointSizes(runnable, examples.x), memoryBytes, metric.readsAll);
  const found: number[] = [];
  for (const { rows, used } of batchesOf(countOf(examples), most)) {
    expectGoingOn(signal);
    const { x, ...rest } = pickedRun(examples, rows);
    const { measure } = await runnable.compute(x, measureOf(metric.readout), { ...rest, feeds: metric.feeds(rows) });
    found.push(...numbers(measure).slice(0, used));
  }
  return found;
}

/** Refuses a metric that knows the answers of another number of examples. */
export function expectAnswers({ name, n }: Metric, examples: Examples): void {
  if (n !== countOf(examples)) {
    throw new MechanistError("BadArgument", `${name}: expected answers for ${countOf(examples)} examples, got ${n}`);
  }
}

/** Numbers as a plain list. */
function numbers({ data }: Values): number[] {
  return Array.from(data);
}
