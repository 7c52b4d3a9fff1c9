/** Examples that interventions are made on, picked row by row and run in batches of one size. */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { weightInputs } from "../network/network.ts";
import { axisNames, input, sizesOf } from "../tensor/index.ts";

/** Inputs with a name that results can state. */
export interface Examples {
  readonly name: string;
  /** One row an example. */
  readonly x: Values;
  /** How many positions at the start of each row are no part of it. */
  readonly padding?: readonly number[];
}

/** How many examples there are. */
export function countOf({ x }: Examples): number {
  return x.shape[0]!;
}

/** Some rows of values along their first axis, in the order asked for. */
export function picked(values: Values, rows: readonly number[]): Values {
  const size = values.data.length / (values.shape[0] || 1);
  const data = new (values.data.constructor as new (length: number) => Float64Array)(rows.length * size);
  rows.forEach((row, i) => data.set(values.data.subarray(row * size, (row + 1) * size) as Float64Array, i * size));
  return { ...values, shape: [rows.length, ...values.shape.slice(1)], data };
}

/** The first rows of values. */
export function firstRows(values: Values, count: number): Values {
  return count === values.shape[0]
    ? values
    : picked(
        values,
        Array.from({ length: count }, (_, i) => i),
      );
}

/** Rows of several values, one after the other. */
export function joinedRows(parts: readonly Values[]): Values {
  const [first] = parts as [Values];
  if (parts.length === 1) return first;
  const length = parts.reduce((total, { data }) => total + data.length, 0);
  const data = new (first.data.constructor as new (length: number) => Float64Array)(length);
  let at = 0;
  for (const part of parts) {
    data.set(part.data as Float64Array, at);
    at += part.data.length;
  }
  const rows = parts.reduce((total, { shape }) => total + shape[0]!, 0);
  return { ...first, shape: [rows, ...first.shape.slice(1)], data };
}

/** What a run takes for some rows of examples. */
export function pickedRun({ x, padding }: Examples, rows: readonly number[]): { x: Values; padding?: number[] } {
  return { x: picked(x, rows), ...(padding !== undefined && { padding: rows.map((row) => padding[row]!) }) };
}

/** Refuses two sets of examples that cannot be put side by side, row for row. */
export function expectAlike(where: string, a: Examples, b: Examples): void {
  if (a.x.shape.join("×") === b.x.shape.join("×")) return;
  throw new MechanistError(
    "ShapeMismatch",
    `${where}: expected ${a.x.shape.join("×")} as in ${a.name}, got ${b.x.shape.join("×")} in ${b.name}`,
  );
}

/** Whether a row of one set is the same as a row of another. */
export function sameRow(a: Values, row: number, b: Values, other: number): boolean {
  const [size, otherSize] = [a.data.length / a.shape[0]!, b.data.length / b.shape[0]!];
  if (size !== otherSize) return false;
  for (let i = 0; i < size; i++) if (a.data[row * size + i] !== b.data[other * size + i]) return false;
  return true;
}

/** The sizes of the value at each hook point, but for the batch, for inputs like `x`. */
export type PointSizes = ReadonlyMap<string, Readonly<Record<string, number>>>;

/** Finds the sizes by tracing the network; nothing is computed. */
export function pointSizes({ network }: RunnableNetwork, x: Values): PointSizes {
  const found = new Map<string, Readonly<Record<string, number>>>();
  const sizes = Object.fromEntries(axisNames(x.axes).map((axis, i) => [axis, i === 0 ? 1 : x.shape[i]!]));
  const given = input("x", x.axes, sizes, x.dtype);
  network.forward(weightInputs(network.weights), given, {
    at: (point, value) => {
      found.set(point, sizesOf(value));
      return undefined;
    },
  });
  return found;
}

/** What activations of a run may take unless a caller says otherwise, in bytes. */
export const DEFAULT_MEMORY: number = 2 ** 28;

/**
 * A run holds about this many of the largest activation at once. On the transformer of `bench/patching.ts` memory then rises by 0.9 to 1.2
 * times what is allowed, weights and what is kept apart.
 */
const HELD_AT_ONCE = 6;
const BYTES = 4;

/**
 * How many rows a batch may have so that a run's activations take about `memoryBytes`; at least one.
 *
 * @param readsAll whether the output is needed at every position; where it is not, it is not computed there
 */
export function rowsWithin(sizes: PointSizes, memoryBytes: number, readsAll = true): number {
  const counted = [...sizes.values()].filter((s) => readsAll || !("vocab" in s));
  const largest = Math.max(1, ...counted.map((s) => Object.values(s).reduce((a, b) => a * b, 1)));
  return Math.max(1, Math.floor(memoryBytes / (HELD_AT_ONCE * BYTES * largest)));
}

/** Rows to run together. All batches are equally long, so that one program serves; the last repeats its last row. */
export interface Batch {
  readonly rows: readonly number[];
  /** How many of them count. */
  readonly used: number;
}

/** The rows from 0 to `total` in as few batches of at most `most` as there can be, as equal as they can be. */
export function batchesOf(total: number, most: number): Batch[] {
  const count = Math.ceil(total / most);
  const size = Math.ceil(total / count);
  return Array.from({ length: count }, (_, b) => ({
    rows: Array.from({ length: size }, (_, i) => Math.min(b * size + i, total - 1)),
    used: Math.min(size, total - b * size),
  }));
}
