/** Weights as pictures: every tensor of a checkpoint as a matrix that a screen has room for. */
import type { NamedValues, Values } from "../../engine/values.ts";

/** A weight as a matrix. */
export interface Matrix {
  readonly name: string;
  readonly axes: string;
  readonly shape: readonly number[];
  /** Of the picture; a large weight is shown by every so many rows and columns. */
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
  /** How many rows and columns one of the picture stands for. */
  readonly every: readonly [number, number];
  /** The root of the mean of squares of all its numbers. */
  readonly rms: number;
  readonly largest: number;
}

/** Rows and columns of a picture, at most. */
const MOST = 160;

/** Every weight, the optimiser's state left out. */
export function matricesOf(tensors: NamedValues): Matrix[] {
  return Object.entries(tensors)
    .filter(([name, { dtype }]) => !name.includes("/") && dtype === "f32")
    .map(([name, tensor]) => matrixOf(name, tensor));
}

/** Where several axes could be rows, as many are as make the matrix nearest to a square: heads lie side by side. */
function rowsOf(shape: readonly number[]): number {
  const sizes = shape.slice(0, -1).map((_, i) => shape.slice(0, i + 1).reduce((a, b) => a * b, 1));
  const all = shape.reduce((a, b) => a * b, 1);
  const oblong = (rows: number): number => Math.abs(Math.log((rows * rows) / all));
  return sizes.reduce((best, rows) => (oblong(rows) < oblong(best) ? rows : best), sizes[0] ?? 1);
}

function matrixOf(name: string, { axes, shape, data }: Values): Matrix {
  const allRows = rowsOf(shape);
  const allColumns = allRows === 0 ? 0 : data.length / allRows;
  const every: [number, number] = [Math.ceil(allRows / MOST) || 1, Math.ceil(allColumns / MOST) || 1];
  const [rows, columns] = [Math.ceil(allRows / every[0]), Math.ceil(allColumns / every[1])];
  const values = new Float64Array(rows * columns);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) values[r * columns + c] = data[r * every[0] * allColumns + c * every[1]]!;
  }
  let [squares, largest] = [0, 0];
  for (const x of data) {
    squares += x * x;
    largest = Math.max(largest, Math.abs(x));
  }
  const rms = Math.sqrt(squares / Math.max(1, data.length));
  return { name, axes, shape, rows, columns, values, every, rms, largest };
}
