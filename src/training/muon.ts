/**
 * Muon over one flat vector of parameters: momentum whose singular values are all made about 1 before it is a step (Jordan et al. 2024,
 * "Muon: an optimizer for hidden layers in neural networks"), scaled so that a step is as long as one of AdamW and its learning rates carry
 * over (Liu et al. 2025, "Muon is scalable for LLM training", section 2.2). PyTorch's conventions. It is for matrices; whatever
 * is none is optimised by AdamW.
 */
import {
  add,
  axisSize,
  concat,
  contract,
  div,
  input,
  maximum,
  mul,
  rename,
  reshape,
  sizeOf,
  slice,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "../tensor/index.ts";
import { adamW, type AdamWOptions, adamWScalars } from "./adamw.ts";
import { type Layout, layoutOf } from "./parameters.ts";

export interface MuonOptions {
  /** How much of the momentum stays each step; 0.95. */
  readonly momentum?: number;
  /** Decoupled: each step also multiplies the matrices by `1 - learningRate · weightDecay`. */
  readonly weightDecay?: number;
  /** For what is no matrix. */
  readonly adamW?: AdamWOptions;
}

const MOMENTUM = 0.95;
/** The quintic whose fifth iterate takes singular values from (0, 1] to about 1, 0.7 to 1.2 (Jordan). */
const [A, B, C] = [3.4445, -4.775, 2.0315];
const ITERATIONS = 5;
const EPSILON = 1e-7;
/** The root mean square of AdamW's steps, which Muon's have as well. */
const CONSISTENT_RMS = 0.2;

/** Matrices one after another in memory, each `rows columns`. */
export interface Matrices {
  readonly count: number;
  readonly rows: number;
  readonly columns: number;
}

/** Which parts of a flat vector are matrices. */
export interface MuonLayout {
  readonly all: Layout;
  /** The matrices alone, one after another, as the momentum has them. */
  readonly matrices: Layout;
  /** The rest, as AdamW's running means have it. */
  readonly rest: Layout;
  /** How each entry of `matrices` is made of matrices. */
  readonly shapes: readonly Matrices[];
}

/**
 * Sorts the weights of a layout.
 *
 * @param matricesOf how a weight is made of matrices; nothing where it is none
 */
export function muonLayout(
  all: Layout,
  matricesOf: (weight: Layout["entries"][number]) => Matrices | undefined,
): MuonLayout {
  const found = all.entries.map((entry) => ({ entry, shape: matricesOf(entry) }));
  return {
    all,
    matrices: layoutOf(found.filter(({ shape }) => shape !== undefined).map(({ entry }) => entry)),
    rest: layoutOf(found.filter(({ shape }) => shape === undefined).map(({ entry }) => entry)),
    shapes: found.flatMap(({ shape }) => shape ?? []),
  };
}

type Flat = Tensor<"parameter">;

/** What the optimiser carries from step to step; absent parts are of weights that are not there. */
export interface MuonState {
  readonly parameters: Flat;
  readonly momentum?: Flat;
  readonly m?: Flat;
  readonly v?: Flat;
}

/**
 * The state as inputs of a program: `parameters`, `muon.momentum`, `adamw.m` and `adamw.v`.
 *
 * @param group stands before the inputs' names where one program has several vectors
 */
export function muonInputs({ all, matrices, rest }: MuonLayout, group = ""): MuonState {
  const vector = (name: string, size: number): Flat => input(`${group}${name}`, "parameter", { parameter: size });
  return {
    parameters: vector("parameters", all.size),
    ...(matrices.size > 0 && { momentum: vector("muon.momentum", matrices.size) }),
    ...(rest.size > 0 && { m: vector("adamw.m", rest.size), v: vector("adamw.v", rest.size) }),
  };
}

/** The scalars of step `step`, counted from 1: those of AdamW. */
export function muonScalars(
  step: number,
  learningRate: number,
  { adamW: options }: MuonOptions = {},
  group = "",
): Record<string, number> {
  return adamWScalars(step, learningRate, options, group);
}

/**
 * The state after one step.
 *
 * @param gradient of the loss with respect to the parameters
 * @param group    stands before the scalars' names
 */
export function muon(
  layout: MuonLayout,
  state: MuonState,
  gradient: Flat,
  options: MuonOptions = {},
  group = "",
): MuonState {
  const runs = runsOf(layout);
  const pick = (flat: Flat, isMatrix: boolean): Flat =>
    concat(
      runs.filter((run) => run.isMatrix === isMatrix).map(({ start, end }) => slice(flat, "parameter", start, end)),
      "parameter",
    );
  const matrices =
    state.momentum &&
    stepMatrices(layout, pick(state.parameters, true), state.momentum, pick(gradient, true), options, group);
  const rest =
    state.m &&
    state.v &&
    adamW(
      { parameters: pick(state.parameters, false), m: state.m, v: state.v },
      pick(gradient, false),
      options.adamW,
      group,
    );
  const parts = runs.map(({ isMatrix, from, start, end }) =>
    slice((isMatrix ? matrices : rest)!.parameters, "parameter", from, from + end - start),
  );
  return {
    parameters: concat(parts, "parameter"),
    ...(matrices && { momentum: matrices.momentum }),
    ...(rest && { m: rest.m, v: rest.v }),
  };
}

interface Run {
  readonly isMatrix: boolean;
  /** Where it lies among the weights of its kind. */
  readonly from: number;
  readonly start: number;
  readonly end: number;
}

/** Neighbours of one kind as one run, so that as little as possible is cut and joined. */
function runsOf({ all, matrices }: MuonLayout): Run[] {
  const names = new Set(matrices.entries.map(({ name }) => name));
  const runs: Run[] = [];
  const reached = { true: 0, false: 0 };
  for (const { name, shape, start } of all.entries) {
    const isMatrix = names.has(name);
    const [last, size] = [runs.at(-1), sizeOf(shape)];
    if (last?.isMatrix === isMatrix) runs[runs.length - 1] = { ...last, end: start + size };
    else runs.push({ isMatrix, from: reached[`${isMatrix}`], start, end: start + size });
    reached[`${isMatrix}`] += size;
  }
  return runs;
}

function stepMatrices(
  { matrices, shapes }: MuonLayout,
  parameters: Flat,
  momentum: Flat,
  gradient: Flat,
  { momentum: kept = MOMENTUM, weightDecay = 0 }: MuonOptions,
  group: string,
): { readonly parameters: Flat; readonly momentum: Flat } {
  const rate = input(`${group}learningRate`, "", {});
  const next = add(mul(momentum, kept), mul(gradient, 1 - kept));
  // Nesterov's: where the momentum will be.
  const ahead = add(mul(next, kept), mul(gradient, 1 - kept));
  const change = mul(orthogonalised(matrices, shapes, ahead), rate);
  const decayed = weightDecay === 0 ? parameters : mul(parameters, sub(1, mul(rate, weightDecay)));
  return { parameters: sub(decayed, change), momentum: next };
}

/** Each matrix with its singular values made about 1, at the root mean square of AdamW's steps. Matrices of one shape go together. */
function orthogonalised({ entries }: Layout, shapes: readonly Matrices[], flat: Flat): Flat {
  const parts: Flat[] = [];
  const groups = new Map<string, number[]>();
  shapes.forEach(({ rows, columns }, i) => {
    const alike = `${rows}×${columns}`;
    groups.set(alike, [...(groups.get(alike) ?? []), i]);
  });
  for (const members of groups.values()) {
    const { rows, columns } = shapes[members[0]!]!;
    const stack = concat(
      members.map((i) => {
        const { start, shape } = entries[i]!;
        const own = slice(flat, "parameter", start, start + sizeOf(shape));
        return reshape(own, "matrix row column", { matrix: shapes[i]!.count, row: rows, column: columns });
      }),
      "matrix",
    );
    const scale = CONSISTENT_RMS * Math.sqrt(Math.max(rows, columns));
    const steps = mul(iterated(stack), scale);
    let matrix = 0;
    for (const i of members) {
      const { count } = shapes[i]!;
      const own = slice(steps, "matrix", matrix, (matrix += count));
      parts[i] = reshape(own, "parameter", { parameter: count * rows * columns });
    }
  }
  return concat(parts, "parameter");
}

type Stack = Tensor<"matrix row column">;

/** Newton and Schulz's iteration, `X ← a X + (b G + c G²) X` with `G = X Xᵀ` over the shorter side, from X of Frobenius norm 1. */
function iterated(stack: Stack): Stack {
  const short = axisSize(stack, "row") <= axisSize(stack, "column") ? "row" : "column";
  const norm = sqrt(sum(square(stack), "row column"));
  let x: Tensor = div(stack, maximum(norm, EPSILON));
  for (let i = 0; i < ITERATIONS; i++) {
    const other = rename(x, `${short} -> other`);
    const gram = contract(x, other, `matrix ${short} other`);
    const squared = contract(gram, rename(gram, `other -> next, ${short} -> other`), `matrix ${short} next`);
    const polynomial = add(mul(gram, B), mul(rename(squared, "next -> other"), C));
    x = add(mul(x, A), contract(polynomial, other, x.axes));
  }
  return x as Stack;
}
