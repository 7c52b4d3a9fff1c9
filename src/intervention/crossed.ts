/**
 * Every example with each of some variants of a run, in batches: a row of a batch is one example with one variant. What is known of each
 * example is given once, as a table; the program takes from it the row of the example that each row of the batch is.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { gather, input, type Tensor } from "../tensor/index.ts";
import { expectGoingOn, type WorkOptions } from "./capture.ts";
import { batchesOf, countOf, type Examples, pickedRun } from "./examples.ts";

/** One batch; its last rows may be there only to fill it. */
export interface CrossedBatch {
  /** The example of each row. */
  readonly examples: readonly number[];
  /** The variant of each row. */
  readonly variants: readonly number[];
  /** How many rows count. */
  readonly used: number;
  /** What a run takes. */
  readonly run: { readonly x: Values; readonly padding?: readonly number[] };
  /** Which example each row is, for `rowsOfExamples`. */
  readonly feeds: NamedValues;
}

const EXAMPLE = "crossed:example";

/**
 * All examples with the first variant, then all with the next.
 *
 * @param variants how many
 * @param most     rows of a batch, at most
 */
export function* crossed(
  base: Examples,
  variants: number,
  most: number,
  { signal, onProgress }: WorkOptions,
): Generator<CrossedBatch> {
  const n = countOf(base);
  let done = 0;
  for (const { rows, used } of batchesOf(variants * n, most)) {
    expectGoingOn(signal);
    const examples = rows.map((row) => row % n);
    yield {
      examples,
      variants: rows.map((row) => Math.floor(row / n)),
      used,
      run: pickedRun(base, examples),
      feeds: { [EXAMPLE]: { axes: "batch", shape: [rows.length], dtype: "i32", data: Int32Array.from(examples) } },
    };
    done += used;
    onProgress?.(done, variants * n);
  }
}

/** Values of all examples, as a table that rows are taken from. */
export const asTable = (values: Values): Values => ({ ...values, axes: tableAxes(values.axes) });

const tableAxes = (axes: string): string => axes.replace(/^batch\b/, "example");

/** An input that is such a table of `n` examples, with the row of each row of the batch: `batch …`. */
export function tableInput(name: string, axes: string, sizes: Readonly<Record<string, number>>, n: number): Tensor {
  return rowsOfExamples(input(name, tableAxes(axes), { ...sizes, example: n } as never) as Tensor, sizes.batch!);
}

/** Of a table `example …`, the row of each row of the batch. */
export function rowsOfExamples(table: Tensor, batch: number): Tensor {
  return gather(table, input(EXAMPLE, "batch", { batch }, "i32"), "example" as never);
}
