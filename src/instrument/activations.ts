/** Activations at a hook point as rows of numbers, one for each example and position: what probes, similarities and directions are made of. */
import { MechanistError } from "../error.ts";
import { captured, type WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { axisNames } from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";

/** Rows of activations, with where each comes from. Padding has no rows. */
export interface ActivationRows extends Rows {
  readonly point: string;
  /** For each row its example. */
  readonly example: Int32Array;
  /** For each row its position; 0 where the point has none. */
  readonly position: Int32Array;
  /** For each row the token there; absent where the network reads none. */
  readonly token?: Int32Array;
}

/** How many rows there are. */
export const rowCount = ({ data, columns }: Rows): number => data.length / columns;

/**
 * Runs the network and takes the values at a point. All axes but `batch` and `pos` lie side by side in a row: `head d_head` for instance.
 *
 * @throws `BadArgument` for a point whose values are no rows, an attention pattern for instance
 */
export async function activationRows(
  runnable: RunnableNetwork,
  examples: Examples,
  point: string,
  options: WorkOptions = {},
): Promise<ActivationRows> {
  const { name, axes } = runnable.point(point);
  const names = axisNames(axes);
  if (names.includes("query") || names.length < 2) {
    throw new MechanistError("BadArgument", `${name}: expected a point with a vector at each position, got "${axes}"`);
  }
  const values = (await captured(runnable, examples, [name], options))[name]!;
  const positions = names[1] === "pos" ? values.shape[1]! : 1;
  const total = values.shape[0]! * positions;
  const columns = values.data.length / total;
  const skipped = (row: number): boolean => row % positions < (examples.padding?.[Math.floor(row / positions)] ?? 0);
  const rows = Array.from({ length: total }, (_, row) => row).filter((row) => positions === 1 || !skipped(row));
  return {
    point: name,
    columns,
    data: rows.length === total ? values.data : pickedRows({ columns, data: values.data }, rows).data,
    example: Int32Array.from(rows, (row) => Math.floor(row / positions)),
    position: Int32Array.from(rows, (row) => row % positions),
    ...(examples.x.dtype === "i32" &&
      positions > 1 && { token: Int32Array.from(rows, (row) => examples.x.data[row]!) }),
  };
}

/** Some rows, in the order asked for. */
export function pickedRows({ columns, data }: Rows, rows: readonly number[]): Rows {
  const picked = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    for (let j = 0; j < columns; j++) picked[i * columns + j] = data[row * columns + j]!;
  });
  return { columns, data: picked };
}

/** The mean of each column. */
export function columnMeans({ columns, data }: Rows): Float64Array {
  const means = new Float64Array(columns);
  for (let i = 0; i < data.length; i++) means[i % columns]! += data[i]!;
  return means.map((total) => (total * columns) / data.length);
}

/** Rows less the mean of each column. */
export function centred(rows: Rows): Rows {
  const means = columnMeans(rows);
  return { columns: rows.columns, data: Float64Array.from(rows.data, (x, i) => x - means[i % rows.columns]!) };
}

/** Refuses two sets of rows that are not of the same inputs. */
export function expectPaired(where: string, a: Rows, b: Rows): number {
  const [n, other] = [rowCount(a), rowCount(b)];
  if (n === other) return n;
  throw new MechanistError("ShapeMismatch", `${where}: expected as many rows in both, got ${n} and ${other}`);
}
