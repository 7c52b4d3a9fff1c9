/** Classifiers that probes are made of: ridge regression on one-hot labels, logistic regression, and a network with one hidden layer. */
import { Matrix, solve } from "ml-matrix";
import { wholeNumbers } from "../data/draws.ts";
import { type NamedValues, type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import {
  add,
  crossEntropy,
  einsum,
  foldIn,
  gather,
  input,
  type Key,
  mean,
  randomBits,
  randomPermutation,
  relabel,
  relu,
  type Tensor,
  type Tensors,
} from "../tensor/index.ts";
import type { Rows } from "../training/linear-regression.ts";
import { linearStart } from "../training/linear-start.ts";
import type { LoopOptions } from "../training/loop.ts";
import { weightsIn } from "../training/optimise.ts";
import { trainNetwork } from "../training/train-network.ts";
import { columnMeans, pickedRows, rowCount } from "./activations.ts";

/** Ridge and logistic are linear; `hidden` is how many ReLU units lie between. */
export type ProbeKind = "ridge" | "logistic" | { readonly hidden: number };

/** Rows with a class each. */
export interface LabelledRows {
  readonly x: Rows;
  /** From 0 to `classes` - 1. */
  readonly labels: ArrayLike<number>;
  readonly classes: number;
}

/** What has been learnt. */
export interface Classifier {
  /** The logits (of ridge: the scores) of each row, `row class`. */
  scores(x: Rows): Float64Array;
}

export interface ClassifierOptions {
  readonly kind: ProbeKind;
  readonly key: Key;
  readonly steps?: number;
  readonly batch?: number;
  readonly learningRate?: number;
}

/** Of the rows, this share decides when a classifier that is trained by steps is best; not where there are fewer than `FEW`. */
const SHARE = 0.1;
const FEW = 40;
/** How often on the way it is looked at. */
const LOOKS = 10;

/** @throws `BadArgument` where labels and rows do not fit */
export function expectLabelled({ x, labels, classes }: LabelledRows): void {
  if (rowCount(x) !== labels.length) {
    throw new MechanistError("BadArgument", `probe: expected ${rowCount(x)} labels, got ${labels.length}`);
  }
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (Number.isInteger(label) && label >= 0 && label < classes) continue;
    throw new MechanistError(
      "BadArgument",
      `probe: expected labels from 0 to ${classes - 1}, got ${label} at row ${i}`,
    );
  }
}

/** Learns from labelled rows. */
export async function fitClassifier(
  data: LabelledRows,
  options: ClassifierOptions,
  loop: LoopOptions = {},
): Promise<Classifier> {
  expectLabelled(data);
  const { mean: centre, scale } = standard(data.x);
  const given = (x: Rows): Rows => ({
    columns: x.columns,
    data: Float64Array.from(x.data, (v, i) => (v - centre[i % x.columns]!) * scale),
  });
  const x = given(data.x);
  const weights =
    options.kind === "ridge" ? ridge({ ...data, x }) : await descended({ ...data, x }, options.kind, options, loop);
  return { scores: (rows) => forward(weights, given(rows)) };
}

/** One shift for each column and one scale for all, so that steps are of a fitting size; distances stay in proportion. */
function standard(x: Rows): { readonly mean: Float64Array; readonly scale: number } {
  const centre = columnMeans(x);
  let squares = 0;
  for (let i = 0; i < x.data.length; i++) squares += (x.data[i]! - centre[i % x.columns]!) ** 2;
  return { mean: centre, scale: squares === 0 ? 1 : 1 / Math.sqrt(squares / x.data.length) };
}

/** The share of the mean variance that is added to each. */
const RIDGE = 1e-3;

/** `(XᵀX + λI)⁻¹ XᵀY` for one-hot Y, with an intercept. */
function ridge({ x, labels, classes }: LabelledRows): NamedValues {
  const [n, d] = [rowCount(x), x.columns];
  const X = Matrix.from1DArray(n, d, x.data as unknown as number[]);
  const shares = new Float64Array(classes);
  for (let i = 0; i < n; i++) shares[labels[i]!]! += 1 / n;
  const Y = Matrix.zeros(n, classes);
  for (let i = 0; i < n; i++) for (let c = 0; c < classes; c++) Y.set(i, c, (labels[i] === c ? 1 : 0) - shares[c]!);
  const gram = X.transpose().mmul(X);
  gram.add(Matrix.eye(d).mul(RIDGE * n));
  const W = solve(gram, X.transpose().mmul(Y));
  return { W: values("d_in d_out", [d, classes], W.to1DArray()), b: values("d_out", [classes], shares) };
}

/** AdamW on the cross-entropy; of the states on the way the one that does best on rows set aside. */
async function descended(
  { x, labels, classes }: LabelledRows,
  kind: Exclude<ProbeKind, "ridge">,
  { key, steps = 1000, batch = 256, learningRate = 0.01 }: ClassifierOptions,
  loop: LoopOptions,
): Promise<NamedValues> {
  const n = rowCount(x);
  const aside = n < FEW ? 0 : Math.floor(SHARE * n);
  const order = randomPermutation(foldIn(key, "aside"), n);
  const [judging, learning] = [order.slice(0, aside), order.slice(aside)];
  const d = x.columns;
  const sizes = kind === "logistic" ? [d, classes] : [d, kind.hidden, classes];
  const specs = sizes.slice(1).flatMap((out, i) => {
    const last = i === sizes.length - 2;
    return [
      { name: last ? "W" : "W_in", axes: "d_in d_out", shape: [sizes[i]!, out] },
      { name: last ? "b" : "b_in", axes: "d_out", shape: [out] },
    ];
  });
  const start = Object.fromEntries(
    specs.map((spec, i) => [spec.name, linearStart(spec, sizes[Math.floor(i / 2)]!, foldIn(key, "start"))]),
  );
  const tables = {
    "probe:x": values("row d_in", [learning.length, d], pickedRows(x, learning).data),
    "probe:label": {
      axes: "row",
      shape: [learning.length],
      dtype: "i32",
      data: Int32Array.from(learning, (row) => labels[row]!),
    } satisfies Values,
  };
  const judged = { x: pickedRows(x, judging), labels: judging.map((row) => labels[row]!) };
  let best: { readonly loss: number; readonly weights: NamedValues } | undefined;
  const { weights } = await trainNetwork(
    {
      network: { weights: specs },
      start,
      objective: (given) => {
        const row = wholeNumbers("rows", "batch", { batch }, learning.length);
        const table = input("probe:x", "row d_in", { row: learning.length, d_in: d });
        const label = input("probe:label", "row", { row: learning.length }, "i32");
        const logits = traced(given, relabel(gather(table, row, "row") as Tensor, "batch d_in"));
        const wanted = relabel(gather(label as Tensor<"row">, row, "row") as Tensor, "batch");
        return { loss: mean(crossEntropy(relabel(logits, "batch class"), wanted, "class")) };
      },
      tables,
      steps,
      seed: randomBits(foldIn(key, "rows"), 1)[0]!,
      learningRate: [
        { at: 0, value: learningRate },
        { at: 1, value: 0, interpolation: "cosine" },
      ],
    },
    {
      ...loop,
      checkpointEvery: Math.max(1, Math.floor(steps / LOOKS)),
      onCheckpoint: ({ tensors }) => {
        if (aside === 0) return;
        const sofar = weightsIn(tensors);
        const loss = crossEntropyOf(forward(sofar, judged.x), judged.labels, classes);
        if (best === undefined || loss < best.loss) best = { loss, weights: sofar };
      },
    },
  );
  return best?.weights ?? weights;
}

function traced(given: Tensors, x: Tensor<"batch d_in">): Tensor {
  const { W_in, b_in, W, b } = given as Readonly<Record<string, Tensor>>;
  const layer = (from: Tensor<"batch d_in">, by: Tensor, bias: Tensor): Tensor<"batch d_out"> =>
    add(einsum("batch d_in, d_in d_out -> batch d_out", from, by as Tensor<"d_in d_out">), bias as Tensor<"d_out">);
  return layer(W_in === undefined ? x : relabel(relu(layer(x, W_in, b_in!)), "batch d_in"), W!, b!);
}

/** The same in float64 for many rows. */
function forward({ W_in, b_in, W, b }: NamedValues, x: Rows): Float64Array {
  const inner = W_in === undefined ? x : layer(x, W_in, b_in!, (v) => Math.max(0, v));
  return layer(inner, W!, b!, (v) => v).data as Float64Array;
}

function layer(x: Rows, W: Values, b: Values, activation: (v: number) => number): Rows {
  const [n, d, k] = [rowCount(x), x.columns, b.data.length];
  const out = new Float64Array(n * k);
  for (let row = 0; row < n; row++) {
    for (let j = 0; j < k; j++) out[row * k + j] = b.data[j]!;
    for (let i = 0; i < d; i++) {
      const value = x.data[row * d + i]!;
      if (value === 0) continue;
      for (let j = 0; j < k; j++) out[row * k + j]! += value * W.data[i * k + j]!;
    }
  }
  return { columns: k, data: out.map(activation) };
}

/** The mean cross-entropy of some rows, in nats. */
export function crossEntropyOf(scores: Float64Array, labels: ArrayLike<number>, classes: number): number {
  let total = 0;
  for (let row = 0; row < labels.length; row++) {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    const top = Math.max(...own);
    const normaliser = own.reduce((sum, s) => sum + Math.exp(s - top), 0);
    total += top + Math.log(normaliser) - own[labels[row]!]!;
  }
  return total / labels.length;
}

/** The share of rows whose largest score is their label's. */
export function accuracyOf(scores: Float64Array, labels: ArrayLike<number>, classes: number): number {
  let right = 0;
  for (let row = 0; row < labels.length; row++) {
    let best = 0;
    for (let c = 1; c < classes; c++) if (scores[row * classes + c]! > scores[row * classes + best]!) best = c;
    if (best === labels[row]) right++;
  }
  return right / labels.length;
}
