/**
 * What a point should hold, recomputed in float64 from what other points hold. With every number goes the sum of the sizes of what was
 * added up to make it: float32 is off by a small part of that, and of nothing less.
 */
import { erf } from "../../engine/interpreter/erf.ts";
import type { Activation, NormConfig } from "../transformer/config.ts";

type Numbers = ArrayLike<number>;

export interface Expected {
  readonly values: Float64Array;
  /** For each value Σ|term|; see Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1. */
  readonly sizes: Float64Array;
}

function each(length: number, value: (i: number) => number, size: (i: number) => number): Expected {
  const [values, sizes] = [new Float64Array(length), new Float64Array(length)];
  for (let i = 0; i < length; i++) {
    values[i] = value(i);
    sizes[i] = Math.abs(size(i));
  }
  return { values, sizes };
}

/** Numbers as they are. */
export function same(x: Numbers): Expected {
  return each(
    x.length,
    (i) => x[i]!,
    (i) => x[i]!,
  );
}

/** The sum of some arrays; a shorter one is repeated. */
export function plus(...terms: readonly (Numbers | undefined)[]): Expected {
  const given = terms.filter((x) => x !== undefined);
  const sum = (i: number, f: (x: number) => number): number =>
    given.reduce((total, x) => total + f(x[i % x.length]!), 0);
  return each(
    Math.max(...given.map((x) => x.length)),
    (i) => sum(i, (x) => x),
    (i) => sum(i, Math.abs),
  );
}

/** Two things that are off by their own sizes, added. */
export function added(a: Expected, b: Numbers | undefined): Expected {
  if (b === undefined) return a;
  return each(
    a.values.length,
    (i) => a.values[i]! + b[i % b.length]!,
    (i) => a.sizes[i]! + Math.abs(b[i % b.length]!),
  );
}

/**
 * Rows times a matrix.
 *
 * @param x      rows of `inner` numbers
 * @param W      `inner outer`
 * @param turned whether it is `outer inner`
 */
export function times(x: Numbers, W: Numbers, inner: number, outer: number, turned = false): Expected {
  const rows = x.length / inner;
  const [values, sizes] = [new Float64Array(rows * outer), new Float64Array(rows * outer)];
  for (let row = 0; row < rows; row++) {
    for (let a = 0; a < (turned ? outer : inner); a++) {
      for (let b = 0; b < (turned ? inner : outer); b++) {
        const [i, j] = turned ? [b, a] : [a, b];
        const term = x[row * inner + i]! * W[turned ? a * inner + b : a * outer + b]!;
        values[row * outer + j]! += term;
        sizes[row * outer + j]! += Math.abs(term);
      }
    }
  }
  return { values, sizes };
}

/** What a norm divides by, for rows of `width`. */
export function scaleOf({ kind, epsilon }: NormConfig, x: Expected, width: number): Expected {
  const squares = (from: Float64Array, row: number, offset: number): number => {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += (from[i]! - offset) ** 2;
    return Math.sqrt(sum / width + epsilon);
  };
  return each(
    x.values.length / width,
    (row) => squares(x.values, row, kind === "layer" ? meanOf(x.values, row, width) : 0),
    (row) => squares(x.sizes, row, 0),
  );
}

/** Rows of `width`, centred where the norm does so, divided by `scale`. */
export function normalized({ kind }: NormConfig, x: Expected, scale: Numbers, width: number): Expected {
  const centre = (from: Float64Array, row: number): number => (kind === "layer" ? meanOf(from, row, width) : 0);
  const result = { values: new Float64Array(x.values.length), sizes: new Float64Array(x.values.length) };
  for (let row = 0; row < x.values.length / width; row++) {
    const [mean, size] = [centre(x.values, row), centre(x.sizes, row)];
    for (let i = row * width; i < (row + 1) * width; i++) {
      result.values[i] = (x.values[i]! - mean) / scale[row]!;
      result.sizes[i] = (x.sizes[i]! + size) / scale[row]!;
    }
  }
  return result;
}

function meanOf(x: Float64Array, row: number, width: number): number {
  let sum = 0;
  for (let i = row * width; i < (row + 1) * width; i++) sum += x[i]!;
  return sum / width;
}

/** Times a norm's weight, plus its bias. */
export function gained(x: Numbers, weight: Numbers, bias: Numbers | undefined, unitOffset: boolean): Expected {
  const gain = (i: number): number => weight[i % weight.length]! + (unitOffset ? 1 : 0);
  const shift = (i: number): number => bias?.[i % weight.length] ?? 0;
  return each(
    x.length,
    (i) => x[i]! * gain(i) + shift(i),
    (i) => Math.abs(x[i]! * gain(i)) + Math.abs(shift(i)),
  );
}

const ACTIVATIONS: Readonly<Record<Activation, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  silu: (x) => x / (1 + Math.exp(-x)),
  gelu: (x) => (x * (1 + erf(x * Math.SQRT1_2))) / 2,
  geluTanh: (x) => (x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))) / 2,
};

/** An activation function, times another projection where there is one. */
export function activated(activation: Activation, x: Numbers, linear: Numbers | undefined): Expected {
  const f = ACTIVATIONS[activation];
  const factor = (i: number): number => linear?.[i] ?? 1;
  return each(
    x.length,
    (i) => f(x[i]!) * factor(i),
    // Where a curve cancels, as GELU does on the left, it is off by a part of its argument.
    (i) => (Math.abs(x[i]!) + Math.abs(f(x[i]!))) * factor(i),
  );
}

/** `cap · tanh(x / cap)`; as it is where there is no cap. */
export function capped(x: Expected, cap: number): Expected {
  if (cap === 0) return x;
  return each(
    x.values.length,
    (i) => cap * Math.tanh(x.values[i]! / cap),
    (i) => x.sizes[i]! + cap,
  );
}
