/**
 * Fixed points of a recurrent network under a constant input: the states that it stays in, found by Newton's method in float64 from mixtures of
 * states that it has been in, and told apart by how many directions lead away from each (Sussillo & Barak 2013, "Opening the Black Box:
 * Low-Dimensional Dynamics in High-Dimensional Recurrent Neural Networks").
 *
 * What it does not establish: that there are no others. A point whose basin no start lies in is not found.
 */
import { EigenvalueDecomposition, Matrix, solve } from "ml-matrix";
import { interpret, type NamedValues, simplify, type Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { type Network, weightInputs } from "../network/network.ts";
import type { RecurrentNetwork } from "../network/rnn.ts";
import {
  constant,
  foldIn,
  gradients,
  input,
  type Key,
  randomNormal,
  randomUniform,
  select,
  sum,
  type Tensor,
} from "../tensor/index.ts";

/** A state that the network stays in. */
export interface FixedPoint {
  readonly state: readonly number[];
  /** `|F(h) - h|²/2`: how fast it is left after all. */
  readonly speed: number;
  /** How many eigenvalues of the step's Jacobian lie outside the unit circle: 0 for a stable point. */
  readonly unstable: number;
  /** The largest absolute value among them. */
  readonly spectralRadius: number;
}

export interface FixedPointOptions {
  /** `row hidden`: states that the network has been in. */
  readonly visited: Values;
  readonly key: Key;
  /** The input that stays the same, one number a feature; 0 unless given. */
  readonly x?: readonly number[];
  /** From how many states to start. */
  readonly starts?: number;
}

/** Points below this speed are fixed. */
const SLOWEST = 1e-20;
/** Points nearer than this, in every number, are one. */
const SAME = 1e-3;
const STEPS = 100;
/** A start whose steps had to be made this small has met a slow place that is no fixed point. */
const LEAST_DAMPING = 1e-4;
/** Of the normal noise added to starts. */
const NOISE = 0.05;
/** A start is a mean of one to so many visited states: of two it lies near an edge between memories, of eight near the middle. */
const MOST_MIXED = 8;

/**
 * Fixed points, stable ones first.
 *
 * @throws `Refused` for a network that has no state to stay in
 */
export function fixedPoints(network: Network, weights: NamedValues, options: FixedPointOptions): FixedPoint[] {
  const recurrent = expectRecurrent(network);
  const { visited, key, starts = 300, x } = options;
  const found: { readonly state: Float64Array; readonly speed: number; readonly jacobian: Matrix }[] = [];
  const take = stepper(recurrent, weights, starts, x ?? Array.from({ length: network.input.sizes.feature! }, () => 0));
  let states = mixtures(visited, starts, key);
  let moved = take(states);
  let damping = states.map(() => 1);
  const resting = (i: number): boolean => damping[i]! < LEAST_DAMPING || speedOf(states[i]!, moved.next[i]!) < SLOWEST;
  for (let step = 0; step < STEPS && !states.every((_, i) => resting(i)); step++) {
    // What has arrived, or can get no slower, stays where it is.
    const trial = states.map((state, i) =>
      resting(i) ? state : newton(state, moved.next[i]!, moved.jacobian[i]!, damping[i]!),
    );
    const after = take(trial);
    const better = trial.map((h, i) => speedOf(h, after.next[i]!) < speedOf(states[i]!, moved.next[i]!));
    damping = damping.map((d, i) => (better[i] ? Math.min(1, 2 * d) : d / 2));
    const chosen = <T>(a: readonly T[], b: readonly T[]): T[] => a.map((one, i) => (better[i] ? one : b[i]!));
    moved = { next: chosen(after.next, moved.next), jacobian: chosen(after.jacobian, moved.jacobian) };
    states = chosen(trial, states);
  }
  states.forEach((state, i) => {
    const speed = speedOf(state, moved.next[i]!);
    if (!(speed < SLOWEST) || found.some((other) => near(other.state, state))) return;
    found.push({ state, speed, jacobian: moved.jacobian[i]! });
  });
  return found
    .map(({ state, speed, jacobian }) => ({ state: Array.from(state), speed, ...stability(jacobian) }))
    .sort((a, b) => a.unstable - b.unstable || a.spectralRadius - b.spectralRadius);
}

/** How many points have 0, 1, 2, … unstable directions. */
export function countByUnstable(points: readonly FixedPoint[]): number[] {
  const counts: number[] = [];
  for (const { unstable } of points) {
    while (counts.length <= unstable) counts.push(0);
    counts[unstable]!++;
  }
  return counts;
}

function expectRecurrent(network: Network): RecurrentNetwork {
  if ("step" in network) return network as RecurrentNetwork;
  throw new MechanistError("Refused", "fixed points: expected a recurrent network, got one without a state to stay in");
}

interface Moved {
  /** The state after a step. */
  readonly next: readonly Float64Array[];
  /** How it depends on the state before. */
  readonly jacobian: readonly Matrix[];
}

/** A step of the network from each of so many states, with its Jacobian, in float64. */
function stepper(
  network: RecurrentNetwork,
  weights: NamedValues,
  batch: number,
  x: readonly number[],
): (states: readonly Float64Array[]) => Moved {
  const { hidden } = network;
  const before = input("state", "batch hidden", { batch, hidden });
  const given = Float64Array.from({ length: batch * x.length }, (_, i) => x[i % x.length]!);
  const constantInput = constant("batch feature", { batch, feature: x.length }, given);
  const next = network.step(weightInputs(network.weights), before, constantInput);
  const rows = Array.from({ length: hidden }, (_, i): [string, Tensor] => {
    const one: Tensor<""> = sum(select(next, "hidden", i) as Tensor) as Tensor<"">;
    return [String(i), gradients(one, [before])[0]!];
  });
  const program = simplify<Record<string, Tensor>>({ next, ...Object.fromEntries(rows) });
  return (states) => {
    const data = new Float64Array(batch * hidden);
    states.forEach((state, b) => data.set(state, b * hidden));
    const found = interpret(program, {
      ...weights,
      state: { axes: "batch hidden", shape: [batch, hidden], dtype: "f32", data },
    });
    const rowOf = (x: Values, b: number): Float64Array => (x.data as Float64Array).slice(b * hidden, (b + 1) * hidden);
    return {
      next: states.map((_, b) => rowOf(found.next!, b)),
      jacobian: states.map((_, b) => new Matrix(rows.map(([name]) => rowOf(found[name]!, b)))),
    };
  };
}

/** A damped Newton step towards `F(h) = h`; the state itself where the step is not defined. */
function newton(state: Float64Array, next: Float64Array, jacobian: Matrix, damping: number): Float64Array {
  const away = Matrix.columnVector(Array.from(state, (h, i) => h - next[i]!));
  try {
    const change = solve(Matrix.sub(jacobian, Matrix.eye(state.length)), away).getColumn(0);
    return state.map((h, i) => h + damping * change[i]!);
  } catch {
    return state;
  }
}

function stability(jacobian: Matrix): Pick<FixedPoint, "unstable" | "spectralRadius"> {
  const { realEigenvalues, imaginaryEigenvalues } = new EigenvalueDecomposition(jacobian);
  const sizes = realEigenvalues.map((re, i) => Math.hypot(re, imaginaryEigenvalues[i]!));
  return { unstable: sizes.filter((size) => size > 1).length, spectralRadius: Math.max(...sizes) };
}

/** Means of a few visited states, with a little noise. */
function mixtures({ data, shape }: Values, count: number, key: Key): Float64Array[] {
  const [rows, hidden] = shape as [number, number];
  const choices = randomUniform(foldIn(key, "choices"), count * (MOST_MIXED + 1));
  const noise = randomNormal(foldIn(key, "noise"), count * hidden);
  return Array.from({ length: count }, (_, i) => {
    const mixed = 1 + Math.floor(choices[i * (MOST_MIXED + 1)]! * MOST_MIXED);
    const state = Float64Array.from({ length: hidden }, (_unused, h) => NOISE * noise[i * hidden + h]!);
    for (let m = 1; m <= mixed; m++) {
      const row = Math.floor(choices[i * (MOST_MIXED + 1) + m]! * rows);
      state.forEach((value, h) => (state[h] = value + data[row * hidden + h]! / mixed));
    }
    return state;
  });
}

function speedOf(state: Float64Array, next: Float64Array): number {
  return state.reduce((total, h, i) => total + (next[i]! - h) ** 2, 0) / 2;
}

function near(a: Float64Array, b: Float64Array): boolean {
  return a.every((value, i) => Math.abs(value - b[i]!) < SAME);
}
