/**
 * Erasing a concept from activations. LEACE (Belrose et al. 2023, "LEACE: perfect linear concept erasure in closed form") is the smallest change,
 * in the mean square, after which no linear probe does better than always saying the most common label: covariance of activations and
 * labels is zero. Directional ablation (Arditi et al. 2024) takes a single direction out of every vector.
 */
import { EigenvalueDecomposition, Matrix, SingularValueDecomposition } from "ml-matrix";
import { MechanistError } from "../error.ts";
import type { RunHook, RunnableNetwork } from "../network/run.ts";
import { axisSize, contract, relabel, sub, type Tensor, constant } from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";
import { centred, columnMeans, rowCount } from "./activations.ts";
import { expectLabelled, type LabelledRows } from "./classifier.ts";
import type { Finding } from "./finding.ts";
import { lengthOf } from "./random-directions.ts";

/** `x - P (x - mean)`. */
export interface Erasure extends Finding {
  readonly mean: Float64Array;
  /** `d d`, of the rank of the concept. */
  readonly P: Matrix;
  /** How many dimensions are taken out: at most the number of classes less one. */
  readonly rank: number;
  /** The largest covariance of a number of the activations with a label, before and after. */
  readonly covariance: { readonly before: number; readonly after: number };
}

/** Variances and singular values below this share of the largest are rounding. */
const ROUNDING = 1e-10;

/**
 * The erasure that LEACE gives: `P = W⁺ P_{W Σ_xz} W` with W the whitening of the activations and `Σ_xz` their covariance with one-hot labels.
 *
 * @throws `BadArgument` for labels that do not fit
 */
export function leastSquaresErasure(data: LabelledRows): Erasure {
  expectLabelled(data);
  const { x, labels, classes } = data;
  const [n, d] = [rowCount(x), x.columns];
  const X = Matrix.from1DArray(n, d, centred(x).data as unknown as number[]);
  const cross = covariance(x, labels, classes);
  const { realEigenvalues, eigenvectorMatrix: Q } = new EigenvalueDecomposition(X.transpose().mmul(X).div(n), {
    assumeSymmetric: true,
  });
  const least = Math.max(...realEigenvalues) * ROUNDING;
  const scaled = (power: number): Matrix => {
    const half = Q.clone();
    realEigenvalues.forEach((value, i) => half.mulColumn(i, value > least ? value ** power : 0));
    return half.mmul(Q.transpose());
  };
  const [whiten, unwhiten] = [scaled(-0.5), scaled(0.5)];
  const { leftSingularVectors, diagonal } = new SingularValueDecomposition(whiten.mmul(cross), { autoTranspose: true });
  const rank = diagonal.filter((value) => value > ROUNDING * Math.max(1, diagonal[0]!)).length;
  const kept = leftSingularVectors.subMatrixColumn(Array.from({ length: rank }, (_, i) => i));
  const P = rank === 0 ? Matrix.zeros(d, d) : unwhiten.mmul(kept.mmul(kept.transpose())).mmul(whiten);
  const erasure = { mean: columnMeans(x), P };
  return {
    ...erasure,
    rank,
    covariance: { before: largest(cross), after: largest(covariance(erased(erasure, x), labels, classes)) },
    n,
    counted: "rows",
    nullDescription: "the same before anything is erased",
    doesNotEstablish:
      "that the concept is gone: a probe that is not linear may still read it, and later layers may make it anew from other parts",
  };
}

/** Rows with the concept taken out. */
export function erased({ mean, P }: Pick<Erasure, "mean" | "P">, x: Rows): Rows {
  const [n, d] = [rowCount(x), x.columns];
  const data = Float64Array.from(x.data);
  const apart = new Float64Array(d);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < d; i++) apart[i] = x.data[row * d + i]! - mean[i]!;
    for (let i = 0; i < d; i++) {
      let removed = 0;
      for (let j = 0; j < d; j++) removed += P.get(i, j) * apart[j]!;
      data[row * d + i]! -= removed;
    }
  }
  return { columns: d, data };
}

/** The covariance of each column with each one-hot label, `d class`. */
function covariance(x: Rows, labels: ArrayLike<number>, classes: number): Matrix {
  const { data, columns } = centred(x);
  const n = data.length / columns;
  // With one side centred the other need not be.
  const cross = Matrix.zeros(columns, classes);
  for (let row = 0; row < n; row++) {
    for (let i = 0; i < columns; i++) {
      cross.set(i, labels[row]!, cross.get(i, labels[row]!) + data[row * columns + i]! / n);
    }
  }
  return cross;
}

const largest = (matrix: Matrix): number => matrix.to1DArray().reduce((a, b) => Math.max(a, Math.abs(b)), 0);

/**
 * Hooks that do what an erasure does at a point, for runs of a network.
 *
 * @throws `ShapeMismatch` where the point has another size
 */
export function erasureHook(
  runnable: RunnableNetwork,
  point: string,
  { mean, P }: Pick<Erasure, "mean" | "P">,
): RunHook {
  const d = mean.length;
  return {
    point: runnable.point(point).name,
    replace: (value) => {
      const axis = lastAxis(point, value, d);
      const [centre, removed] = [
        constant(axis, { [axis]: d }, mean),
        constant(`d_in ${axis}`, { d_in: d, [axis]: d }, P.transpose().to1DArray()),
      ];
      const leading = value.axes.replace(new RegExp(` ?${axis}$`), "");
      const apart = relabel(sub(value, centre as Tensor), `${leading} d_in`);
      return sub(value, contract(apart, removed as Tensor, value.axes));
    },
  };
}

/** Hooks that take a direction out of every vector at some points: `h - r̂ (r̂ · h)`. */
export function directionalAblation(
  runnable: RunnableNetwork,
  points: readonly string[],
  direction: ArrayLike<number>,
): RunHook[] {
  const length = lengthOf(direction);
  if (length === 0) throw new MechanistError("BadArgument", "directional ablation: expected a direction, got zeros");
  const unit = Array.from(direction, (x) => x / length);
  return points.map((point) => ({
    point: runnable.point(point).name,
    replace: (value) => {
      const axis = lastAxis(point, value, unit.length);
      const along = constant(axis, { [axis]: unit.length }, unit) as Tensor;
      const leading = value.axes.replace(new RegExp(` ?${axis}$`), "");
      return sub(value, contract(contract(value, along, leading), along, value.axes));
    },
  }));
}

function lastAxis(point: string, value: Tensor, size: number): string {
  const axis = value.axes.split(" ").at(-1)!;
  const own = axisSize(value, axis);
  if (own === size) return axis;
  throw new MechanistError("ShapeMismatch", `${point}: expected a direction of ${own}, got ${size}`);
}
