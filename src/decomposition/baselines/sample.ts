/** The rows that a baseline is fitted to: activations of the network on its own data, read in one pass. */
import { compile } from "../../engine/index.ts";
import { contract, foldIn, input, type Key, type Tensor } from "../../tensor/index.ts";
import type { ActivationSource, RowPoint } from "../dictionary/rows.ts";
import { RowReader } from "../dictionary/store.ts";
import { dense, type Dense } from "./linear-algebra.ts";
import type { Fitting } from "./fitting.ts";

/** Rows of one point, row-major. */
export interface SampledRows {
  readonly data: Float32Array;
  readonly count: number;
  readonly width: number;
}

/** The first `samples` rows there are at each of some points. */
export async function sampledRows(
  source: ActivationSource,
  points: readonly RowPoint[],
  samples: number,
  key: Key,
  fitting: Fitting,
): Promise<Readonly<Record<string, SampledRows>>> {
  const found = points.map(({ name, width }) => ({
    name,
    rows: { data: new Float32Array(samples * width), count: samples, width },
  }));
  const reader = await RowReader.open(source, points, fitting.placed);
  try {
    for (let filled = 0, run = 0; filled < samples; run++) {
      await fitting.at("collect", filled, samples);
      const read = await reader.read(foldIn(key, run));
      const count = Math.min(samples - filled, read[points[0]!.name]!.shape[0]!);
      for (const { name, rows } of found) {
        rows.data.set(read[name]!.data.subarray(0, count * rows.width) as Float32Array, filled * rows.width);
      }
      filled += count;
    }
  } finally {
    await reader.dispose();
  }
  return Object.fromEntries(found.map(({ name, rows }) => [name, rows]));
}

/** The mean row, rounded to float32 as it will be kept. */
export function meanRow({ data, count, width }: SampledRows): Float32Array {
  const total = new Float64Array(width);
  for (let i = 0; i < count; i++) for (let k = 0; k < width; k++) total[k]! += data[i * width + k]!;
  return Float32Array.from(total, (x) => x / count);
}

/** The same rows without their mean. */
export function centredRows(rows: SampledRows, mean: ArrayLike<number>): SampledRows {
  return { ...rows, data: rows.data.map((x, i) => x - mean[i % rows.width]!) };
}

/** Rows that one run of a program takes. */
const CHUNK = 1024;

/** Runs of rows, each as long as the others: what the last lacks is zero. */
export function* chunksOf(
  { data, count, width }: SampledRows,
  size = CHUNK,
): Generator<{ from: number; rows: Float32Array }> {
  for (let from = 0; from < count; from += size) {
    const rows = new Float32Array(size * width);
    rows.set(data.subarray(from * width, Math.min(count, from + size) * width));
    yield { from, rows };
  }
}

/** `Σ rows xᵀ y / n` of the rows of two tables that belong together: products in float32 over a few thousand rows, their sum in float64. */
export async function meanProduct(a: SampledRows, b: SampledRows, fitting: Fitting): Promise<Dense> {
  const table = (name: string, axis: string, { width }: SampledRows): Tensor =>
    input(name, `row ${axis}`, { row: CHUNK, [axis]: width });
  const program = await compile({ sum: contract(table("a", "i", a), table("b", "j", b), "i j") }, fitting.placed);
  const total = new Float64Array(a.width * b.width);
  try {
    const others = chunksOf(b);
    for (const { rows } of chunksOf(a)) {
      const other = others.next().value as { readonly rows: Float32Array };
      const { sum } = await program.run({
        a: { axes: "row i", shape: [CHUNK, a.width], dtype: "f32", data: rows },
        b: { axes: "row j", shape: [CHUNK, b.width], dtype: "f32", data: other.rows },
      });
      sum.data.forEach((x, i) => (total[i]! += x));
    }
  } finally {
    await program.dispose();
  }
  return dense(
    a.width,
    b.width,
    total.map((x) => x / a.count),
  );
}
