/**
 * Activations to train on: run through the network, shuffled by a key, and given out in tables that a training step draws its rows from. Positions of
 * one sequence are alike, so that steps of neighbouring ones would learn from few things at a time; shuffled rows have nothing to do with one another.
 *
 * What a table holds depends on the key and the table's number alone, so that a run that goes on from a checkpoint sees the same rows.
 */
import { compile, type CompileOptions, type Executable, type NamedValues, values } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { foldIn, type Key, reshape, sizeOf, type Tensor } from "../../tensor/index.ts";
import { permuted } from "./permuted.ts";
import { type ActivationSource, rowsAt, rowsAnExample, type RowPoint } from "./rows.ts";

export interface StoreOptions extends CompileOptions {
  readonly signal?: AbortSignal;
}

/** So many numbers are computed in one run of the network, at most, at all points together. */
const NUMBERS = 2 ** 22;
const FEWEST = 8;

/** Runs the network and answers with rows of activations as they come, those of padding left out. */
export class RowReader {
  readonly #source: ActivationSource;
  readonly #points: readonly RowPoint[];
  readonly #program: Executable<Record<string, Tensor>>;

  private constructor(
    source: ActivationSource,
    points: readonly RowPoint[],
    program: Executable<Record<string, Tensor>>,
  ) {
    this.#source = source;
    this.#points = points;
    this.#program = program;
  }

  static async open(
    source: ActivationSource,
    points: readonly RowPoint[],
    options: StoreOptions = {},
  ): Promise<RowReader> {
    const widest = points.reduce((sum, { width }) => sum + width, 0) * rowsAnExample(source);
    const x = source.batch(Math.max(FEWEST, Math.min(4096, Math.floor(NUMBERS / widest))));
    const rows = rowsAt(
      source.network,
      weightInputs(source.network.weights),
      x,
      points.map(({ name }) => name),
    );
    const ids = source.padding === undefined ? {} : { tokens: reshape(x, "row", { row: sizeOf(x.shape) }) };
    return new RowReader(source, points, await compile({ ...rows, ...ids }, options));
  }

  /** The rows of one run of the network, by point: `row d`. */
  async read(key: Key): Promise<NamedValues> {
    const { weights, tables, padding } = this.#source;
    const { tokens, ...found } = (await this.#program.run({ ...tables, ...weights }, key)) as NamedValues;
    if (tokens === undefined) return found;
    const kept = Array.from(tokens.data.keys()).filter((row) => tokens.data[row] !== padding);
    return Object.fromEntries(
      this.#points.map(({ name, width }) => {
        const data = new Float32Array(kept.length * width);
        kept.forEach((row, i) =>
          data.set(found[name]!.data.subarray(row * width, (row + 1) * width) as Float32Array, i * width),
        );
        return [name, values("row d", [kept.length, width], data)];
      }),
    );
  }

  async dispose(): Promise<void> {
    await this.#program.dispose();
  }
}

/** Tables of shuffled rows. */
export interface RowTables {
  /** Rows in each table. */
  readonly rows: number;
  /** Table `index`, by point: `row d`. */
  table(index: number): Promise<NamedValues>;
  dispose(): Promise<void>;
}

/** Tables that are made anew each time, in memory. */
export async function memoryTables(
  source: ActivationSource,
  points: readonly RowPoint[],
  rows: number,
  key: Key,
  options: StoreOptions = {},
): Promise<RowTables> {
  const reader = await RowReader.open(source, points, options);
  return {
    rows,
    table: async (index) => {
      const own = foldIn(key, index);
      const tables = points.map(({ name, width }) => ({ name, width, data: new Float32Array(rows * width) }));
      const order = foldIn(own, "order");
      for (let filled = 0, run = 0; filled < rows; run++) {
        options.signal?.throwIfAborted();
        const found = await reader.read(foldIn(foldIn(own, "rows"), run));
        const count = Math.min(rows - filled, found[points[0]!.name]!.shape[0]!);
        for (let i = 0; i < count; i++) {
          const at = permuted(order, filled + i, rows);
          for (const { name, width, data } of tables) {
            data.set(found[name]!.data.subarray(i * width, (i + 1) * width) as Float32Array, at * width);
          }
        }
        filled += count;
      }
      return Object.fromEntries(tables.map(({ name, width, data }) => [name, values("row d", [rows, width], data)]));
    },
    dispose: () => reader.dispose(),
  };
}

/** The first rows there are, for what is to be known before training: scales and where biases start. */
export async function sampleRows(
  source: ActivationSource,
  points: readonly RowPoint[],
  rows: number,
  key: Key,
  options: StoreOptions = {},
): Promise<NamedValues> {
  const tables = await memoryTables(source, points, rows, key, options);
  try {
    return await tables.table(0);
  } finally {
    await tables.dispose();
  }
}
