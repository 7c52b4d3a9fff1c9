/**
 * Independent components: directions along which whitened data is least Gaussian, all at once, by FastICA with the contrast log cosh (Hyvärinen 1999, "Fast and
 * robust fixed-point algorithms for independent component analysis"; symmetric orthogonalisation by its iteration, Hyvärinen & Oja 2000, section 6.2).
 *
 *   W ← E[g(W z) zᵀ] - diag(E[g'(W z)]) W,   W ← (W Wᵀ)^-½ W,   g = tanh
 *
 * What it does not say: Gaussian data has no such directions, and any rotation is as good as another; then iterations do not settle.
 */
import { compile, values } from "../../engine/index.ts";
import {
  div,
  einsum,
  input,
  type Key,
  mean,
  mul,
  rename,
  sqrt,
  square,
  sub,
  sum,
  tanh,
  type Tensor,
} from "../../tensor/index.ts";
import type { Fitting } from "./fitting.ts";
import {
  dense,
  type Dense,
  dot,
  nearestOrthonormal,
  product,
  randomOrthonormalRows,
  scaledRows,
  transposed,
} from "./linear-algebra.ts";
import { principalComponents } from "./principal-components.ts";
import { centredRows, type SampledRows } from "./sample.ts";

export interface IndependentComponents {
  readonly mean: Float32Array;
  /** What reads each, `d count`: on the sample what is read has variance 1. */
  readonly encoder: Dense;
  /** What each writes, `count d`. */
  readonly decoder: Dense;
  readonly iterations: number;
  /** Largest turn of a direction in the last iteration, 1 - |cosine|. */
  readonly turn: number;
}

export interface IcaOptions {
  readonly count: number;
  readonly steps: number;
  readonly tolerance: number;
}

/** Variances below this part of the largest are no dimensions to whiten: a covariance whose products are in float32 is known to about a hundred-millionth of it. */
const NOTHING = 1e-7;

/** @param key of the first directions */
export async function independentComponents(
  rows: SampledRows,
  { count, steps, tolerance }: IcaOptions,
  key: Key,
  fitting: Fitting,
): Promise<IndependentComponents> {
  const { mean, variances, directions } = await principalComponents(rows, count, fitting);
  const least = NOTHING * variances[0]!;
  // Fewer dimensions than are asked for: what is beyond them stays empty.
  const k = Array.from({ length: count }, (_, i) => i).filter((i) => variances[i]! > least).length;
  const scale = (i: number): number => (i < k ? Math.sqrt(variances[i]!) : 0);
  const whitening = scaledRows(directions, (i) => (i < k ? 1 / scale(i) : 0));
  const z = whitened(centredRows(rows, mean), whitening, k);
  let W = randomOrthonormalRows(k, k, key);
  let [turn, iterations] = [1, 0];
  const step = await compile({ next: iteration(rows.count, k) }, fitting.placed);
  try {
    while (iterations < steps && turn > tolerance) {
      await fitting.at("decompose", iterations, steps, { turn });
      const { next } = await step.run({ z, W: values("C k", [k, k], W.data) });
      const after = dense(k, k, next.data);
      turn = largestTurn(W, after);
      W = after;
      iterations += 1;
    }
  } finally {
    await step.dispose();
  }
  const turned = padded(nearestOrthonormal(W), count);
  return {
    mean,
    encoder: transposed(product(turned, whitening)),
    decoder: product(turned, scaledRows(directions, scale)),
    iterations,
    turn,
  };
}

/** Turns of an iteration by which its rows are made orthonormal: what is left of a singular value's distance from 1 is squared in each. */
const TURNS = 20;

function iteration(rows: number, k: number): Tensor<"C k"> {
  const z = input("z", "row k", { row: rows, k }) as Tensor<"row k">;
  const W = input("W", "C k", { C: k, k }) as Tensor<"C k">;
  const g = tanh(einsum("row k, C k -> row C", z, W));
  const slope = mean(sub(1, square(g)), "row") as Tensor<"C">;
  const next = sub(mul(einsum("row C, row k -> C k", g, z), 1 / rows), mul(W, slope)) as Tensor<"C k">;
  // No singular value is above the root of the largest sum of a row of W Wᵀ; that of squares is above it as well, and smooth.
  const gram = (x: Tensor<"C k">): Tensor<"C D"> => einsum("C k, D k -> C D", x, rename<"D k">(x, "C -> D"));
  const size = sqrt(sqrt(sum(square(gram(next)))));
  let made = mul(next, reciprocalOf(size)) as Tensor<"C k">;
  for (let i = 0; i < TURNS; i++) {
    const again = einsum("C D, D k -> C k", gram(made), rename<"D k">(made, "C -> D"));
    made = sub(mul(made, 1.5), mul(again, 0.5));
  }
  return made;
}

function reciprocalOf(x: Tensor<"">): Tensor<""> {
  return div(1, x) as Tensor<"">;
}

/** How far directions turned, the farthest: 1 - |cosine|. */
function largestTurn(before: Dense, after: Dense): number {
  const row = ({ columns, data }: Dense, i: number): Float64Array => data.subarray(i * columns, (i + 1) * columns);
  let most = 0;
  for (let i = 0; i < before.rows; i++) {
    const [a, b] = [row(before, i), row(after, i)];
    const cosine = Math.abs(dot(a, b)) / Math.sqrt(dot(a, a) * dot(b, b));
    most = Math.max(most, Number.isFinite(cosine) ? 1 - cosine : 1);
  }
  return most;
}

/** Rows in the coordinates of variance 1. */
function whitened(
  { data, count, width }: SampledRows,
  whitening: Dense,
  k: number,
): ReturnType<typeof values<"row k">> {
  const out = new Float32Array(count * k);
  for (let i = 0; i < count; i++) {
    const row = data.subarray(i * width, (i + 1) * width);
    for (let c = 0; c < k; c++) out[i * k + c] = dot(row, whitening.data.subarray(c * width, (c + 1) * width));
  }
  return values("row k", [count, k], out);
}

/** With empty rows and columns up to `size`. */
function padded({ rows, columns, data }: Dense, size: number): Dense {
  const out = new Float64Array(size * size);
  for (let i = 0; i < rows; i++) out.set(data.subarray(i * columns, (i + 1) * columns), i * size);
  return dense(size, size, out);
}
