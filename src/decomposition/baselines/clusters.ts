/**
 * K-means: every row is its cluster's centre (Lloyd 1982), started by k-means++ (Arthur & Vassilvitskii 2007). Spherical, clusters are of directions, and a row
 * is as long along its cluster's as it reaches (Dhillon & Modha 2001). Of an input one component alone is active: what a sparse dictionary finds beyond that
 * is more than clustering.
 */
import { compile, type NamedValues, values } from "../../engine/index.ts";
import type { WeightSpec } from "../../network/network.ts";
import {
  broadcast,
  cast,
  constant,
  einsum,
  equal,
  foldIn,
  input,
  type Key,
  mul,
  randomUniform,
  relu,
  reshape,
  sizesOf,
  square,
  sub,
  sum,
  type Tensor,
  topK,
} from "../../tensor/index.ts";
import type { Coder } from "../activation/coder.ts";
import type { Fitting } from "./fitting.ts";
import { directionBits, type LinearShape, writesDirections } from "./linear-coder.ts";
import { chunksOf, type SampledRows } from "./sample.ts";

export interface Clusters {
  /** `count d`, row-major; of length 1 where clusters are of directions. */
  readonly centres: Float32Array;
  /**
   * Mean squared distance of a row from its centre in each iteration; of directions, that of the row at length 1. It never rises but by rounding of the
   * centres to float32.
   */
  readonly errors: readonly number[];
}

export interface KmeansOptions {
  readonly count: number;
  readonly spherical: boolean;
  readonly steps: number;
  readonly restarts: number;
}

/** Numbers of one table of scores, at most. */
const SCORES = 2 ** 22;

/** The best of several fits. */
export async function clusters(
  rows: SampledRows,
  { count, spherical, steps, restarts }: KmeansOptions,
  key: Key,
  fitting: Fitting,
): Promise<Clusters> {
  const data = spherical ? unitRows(rows) : rows;
  const size = Math.max(1, Math.min(4096, Math.floor(SCORES / count)));
  const program = await compile({ chosen: nearest(size, count, rows.width, spherical) }, fitting.placed);
  const assigned = async (centres: Float32Array): Promise<Int32Array> => {
    const out = new Int32Array(data.count);
    const table = values("C d_in", [count, rows.width], centres);
    for (const { from, rows: chunk } of chunksOf(data, size)) {
      const { chosen } = await program.run({ x: values("row d_in", [size, rows.width], chunk), centres: table });
      out.set((chosen.data as Int32Array).subarray(0, Math.min(size, data.count - from)), from);
    }
    return out;
  };
  let best: Clusters | undefined;
  try {
    for (let restart = 0; restart < restarts; restart++) {
      let centres = plusPlus(data, count, foldIn(key, restart));
      const errors: number[] = [];
      let last: Int32Array | undefined;
      for (let step = 0; step < steps; step++) {
        await fitting.at("decompose", restart * steps + step, restarts * steps, { error: errors.at(-1) ?? NaN });
        const now = await assigned(centres);
        errors.push(meanError(data, centres, now));
        if (last !== undefined && now.every((c, i) => c === last![i])) break;
        last = now;
        centres = centresOf(data, centres, now, spherical);
      }
      // The centres after the last assignment are at least as good as those it was made with.
      if (best === undefined || errors.at(-1)! < best.errors.at(-1)!) best = { centres, errors };
    }
  } finally {
    await program.dispose();
  }
  return best!;
}

function unitRows(rows: SampledRows): SampledRows {
  const data = Float32Array.from(rows.data);
  for (let i = 0; i < rows.count; i++) {
    const row = data.subarray(i * rows.width, (i + 1) * rows.width);
    const length = Math.sqrt(row.reduce((total, x) => total + x * x, 0));
    // A row without length has no direction.
    if (length > 0) row.forEach((x, k) => (row[k] = x / length));
  }
  return { ...rows, data };
}

/** Which centre is nearest to each row, the first of those as near. */
function nearest(rows: number, count: number, width: number, spherical: boolean): Tensor<"row"> {
  const x = input("x", "row d_in", { row: rows, d_in: width }) as Tensor<"row d_in">;
  const centres = input("centres", "C d_in", { C: count, d_in: width }) as Tensor<"C d_in">;
  return indexOfLargest(scores(x, centres, spherical));
}

function indexOfLargest(all: Tensor<"row C">): Tensor<"row"> {
  return reshape(topK(all, "C", 1, "k").indices, "row", { row: all.shape[0]! });
}

/** Largest where a centre is nearest: `2 x · c - ‖c‖²`, or `x · c` of directions. */
function scores(x: Tensor<"row d_in">, centres: Tensor<"C d_in">, spherical: boolean): Tensor<"row C"> {
  const along = einsum("row d_in, C d_in -> row C", x, centres);
  return spherical ? along : sub(mul(along, 2), sum(square(centres), "d_in") as Tensor<"C">);
}

/** Squared distance of a row from a centre. */
function distance({ data, width }: SampledRows, row: number, centres: Float32Array, c: number): number {
  let total = 0;
  for (let k = 0; k < width; k++) total += (data[row * width + k]! - centres[c * width + k]!) ** 2;
  return total;
}

/** Rows as first centres: each drawn with a probability in proportion to its squared distance from those before. */
function plusPlus(rows: SampledRows, count: number, key: Key): Float32Array {
  const { data, count: n, width } = rows;
  const centres = new Float32Array(count * width);
  const draws = randomUniform(key, count);
  const left = new Float64Array(n).fill(1);
  for (let c = 0; c < count; c++) {
    const total = left.reduce((sum, x) => sum + x, 0);
    let [at, rest] = [0, draws[c]! * total];
    while (at < n - 1 && rest >= left[at]!) rest -= left[at++]!;
    centres.set(data.subarray(at * width, (at + 1) * width), c * width);
    for (let i = 0; i < n; i++) {
      const own = distance(rows, i, centres, c);
      left[i] = c === 0 ? own : Math.min(left[i]!, own);
    }
  }
  return centres;
}

function meanError(rows: SampledRows, centres: Float32Array, assigned: Int32Array): number {
  let total = 0;
  for (let i = 0; i < rows.count; i++) total += distance(rows, i, centres, assigned[i]!);
  return total / rows.count;
}

/** The means of clusters; one that is empty moves to the row that is farthest from its own centre. */
function centresOf(rows: SampledRows, before: Float32Array, assigned: Int32Array, spherical: boolean): Float32Array {
  const { data, count: n, width } = rows;
  const count = before.length / width;
  const sums = new Float64Array(before.length);
  const sizes = new Int32Array(count);
  for (let i = 0; i < n; i++) {
    sizes[assigned[i]!]! += 1;
    for (let k = 0; k < width; k++) sums[assigned[i]! * width + k]! += data[i * width + k]!;
  }
  const out = new Float32Array(before.length);
  const taken = new Set<number>();
  for (let c = 0; c < count; c++) {
    const own = sums.subarray(c * width, (c + 1) * width);
    const length = spherical ? Math.sqrt(own.reduce((total, x) => total + x * x, 0)) : sizes[c]!;
    if (length > 0) {
      out.set(
        own.map((x) => x / length),
        c * width,
      );
      continue;
    }
    const from = farthest(rows, before, assigned, taken);
    taken.add(from);
    out.set(data.subarray(from * width, (from + 1) * width), c * width);
  }
  return out;
}

function farthest(rows: SampledRows, centres: Float32Array, assigned: Int32Array, taken: ReadonlySet<number>): number {
  let [at, most] = [0, -1];
  for (let i = 0; i < rows.count; i++) {
    const own = taken.has(i) ? -1 : distance(rows, i, centres, assigned[i]!);
    if (own > most) [at, most] = [i, own];
  }
  return at;
}

/** The weights of a code: the centres. */
export function centreWeights({ point, width, count }: LinearShape): WeightSpec[] {
  return [{ name: `${point}.W_dec`, axes: "C m d_out", shape: [count, 1, width] }];
}

export function centreValues({ point, width, count }: LinearShape, centres: Float32Array): NamedValues {
  return { [`${point}.W_dec`]: values("C m d_out", [count, 1, width], centres) };
}

/** The code: the nearest cluster's component carries 1, or the length of the row along it, and all others nothing. A component costs its centre. */
export function clusterCoder(shape: LinearShape, spherical: boolean): Coder {
  const { point, width, count } = shape;
  return {
    ...writesDirections(shape),
    bits: directionBits(width),
    encode: (tensors, read) => {
      const x = reshape(read[point]!, "row d_in", { row: sizesOf(read[point]!).batch!, d_in: width });
      const table = reshape(tensors[`${point}.W_dec`]!, "C d_in", { C: count, d_in: width });
      const all = scores(x, table, spherical);
      const batch = sizesOf(x).row!;
      const chosen = broadcast(indexOfLargest(all), "C row", { C: count, row: batch });
      const places = constant(
        "C",
        { C: count },
        Array.from({ length: count }, (_, c) => c),
        "i32",
      );
      const isChosen = cast(equal(chosen, places as Tensor) as Tensor, "f32") as Tensor<"C row">;
      const along = einsum("C d_in, row d_in -> C row", table, x);
      const own = spherical ? mul(isChosen, relu(along)) : isChosen;
      return reshape(own, "C m batch", { C: count, m: 1, batch });
    },
  };
}
