/**
 * Hidden Markov models that emit a token with each transition, given by one matrix a token:
 * `T[token][from][to]` is the probability to emit `token` and go to `to`, being in `from`.
 *
 * Presets: Mess3 (Marzen & Crutchfield 2017), the random-random-XOR process, and zero-one-random, as Shai et al. 2024
 * ("Transformers represent belief state geometry in their residual stream") train transformers on them.
 */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import {
  broadcast,
  cast,
  concat,
  constant,
  gather,
  type Key,
  lessEqual,
  reshape,
  select,
  sum,
  type Tensor,
  uniform,
} from "../tensor/index.ts";
import { sampled } from "./draws.ts";

/** A validated model. Arrays are row-major float64. */
export interface HiddenMarkovModel {
  readonly states: number;
  readonly tokens: number;
  /** `token from to` */
  readonly transition: Float64Array;
  /** `state`: how often each state is visited in the long run. */
  readonly stationary: Float64Array;
}

const SUM_TOLERANCE = 1e-9;

/**
 * A model from its transition tensors.
 *
 * @param transitions `[token][from][to]`
 * @throws `ShapeMismatch` where sizes differ; `BadArgument` for an entry that is no probability, for a state whose
 *         probabilities over tokens and next states do not sum to 1 within 1e-9, and for states that cannot all reach each other
 */
export function hiddenMarkovModel(transitions: readonly (readonly (readonly number[])[])[]): HiddenMarkovModel {
  const tokens = transitions.length;
  const states = transitions[0]?.length ?? 0;
  if (tokens === 0 || states === 0) {
    throw new MechanistError("BadArgument", `hidden Markov model: expected a token and a state, got none`);
  }
  const transition = new Float64Array(tokens * states * states);
  transitions.forEach((matrix, token) => {
    expectSize(`T[${token}]`, "rows", states, matrix.length);
    matrix.forEach((row, from) => {
      expectSize(`T[${token}][${from}]`, "entries", states, row.length);
      row.forEach((p, to) => {
        if (!(p >= 0 && p <= 1)) {
          throw new MechanistError(
            "BadArgument",
            `hidden Markov model: T[${token}][${from}][${to}] should be from 0 to 1, got ${p}`,
          );
        }
        transition[(token * states + from) * states + to] = p;
      });
    });
  });
  const chain = stateChain(transition, tokens, states);
  chain.forEach((row, from) => {
    const total = row.reduce((a, b) => a + b, 0);
    if (Math.abs(total - 1) > SUM_TOLERANCE) {
      throw new MechanistError(
        "BadArgument",
        `hidden Markov model: state ${from}: expected a sum of 1 over tokens and next states, got ${total}`,
      );
    }
  });
  expectConnected(chain);
  return { states, tokens, transition, stationary: stationaryOf(chain) };
}

function expectSize(where: string, what: string, expected: number, got: number): void {
  if (expected === got) return;
  throw new MechanistError("ShapeMismatch", `hidden Markov model: ${where}: expected ${expected} ${what}, got ${got}`);
}

/** `from to`: the transitions of states, whatever the token. */
function stateChain(transition: Float64Array, tokens: number, states: number): number[][] {
  return Array.from({ length: states }, (_, from) =>
    Array.from({ length: states }, (_, to) => {
      let p = 0;
      for (let token = 0; token < tokens; token++) p += transition[(token * states + from) * states + to]!;
      return p;
    }),
  );
}

/** Without this there is no one stationary distribution. */
function expectConnected(chain: readonly (readonly number[])[]): void {
  const reach = (start: number, goes: (from: number, to: number) => boolean): Set<number> => {
    const seen = new Set([start]);
    for (const from of seen) chain.forEach((_, to) => goes(from, to) && seen.add(to));
    return seen;
  };
  const forth = reach(0, (from, to) => chain[from]![to]! > 0);
  const back = reach(0, (from, to) => chain[to]![from]! > 0);
  const lost = chain.findIndex((_, state) => !forth.has(state) || !back.has(state));
  if (lost < 0) return;
  const way = forth.has(lost) ? `back from state ${lost} to state 0` : `from state 0 to state ${lost}`;
  throw new MechanistError(
    "BadArgument",
    `hidden Markov model: expected states that all reach each other, got no way ${way}`,
  );
}

/** The stationary distribution by state reduction, which subtracts nothing (Grassmann, Taksar & Heyman 1985). */
function stationaryOf(chain: readonly (readonly number[])[]): Float64Array {
  const p = chain.map((row) => row.slice());
  for (let n = p.length - 1; n > 0; n--) {
    const out = p[n]!.slice(0, n).reduce((a, b) => a + b, 0);
    for (let i = 0; i < n; i++) {
      p[i]![n]! /= out;
      for (let j = 0; j < n; j++) p[i]![j]! += p[i]![n]! * p[n]![j]!;
    }
  }
  const weights = Float64Array.of(1, ...p.slice(1).map(() => 0));
  for (let n = 1; n < p.length; n++) {
    for (let i = 0; i < n; i++) weights[n]! += weights[i]! * p[i]![n]!;
  }
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / total);
}

/**
 * Mess3: three states that stay with probability 1 - 2x; the state gone to emits its own token with probability `alpha`, each other
 * with (1 - alpha)/2. With x = 0.05, alpha = 0.85 its belief states fill a fractal.
 */
export function mess3(x = 0.05, alpha = 0.85): HiddenMarkovModel {
  const three = [0, 1, 2];
  return hiddenMarkovModel(
    three.map((token) =>
      three.map((from) => three.map((to) => (from === to ? 1 - 2 * x : x) * (token === to ? alpha : (1 - alpha) / 2))),
    ),
  );
}

/**
 * Random-random-XOR: two random bits, then their exclusive or, again and again. States: start, after a 0, after a 1, the XOR is 1, the
 * XOR is 0.
 *
 * @param p how likely the first bit is 0
 * @param q how likely the second is
 */
export function rrxor(p = 0.5, q = 0.5): HiddenMarkovModel {
  const [start, zero, one, yes, no] = [0, 1, 2, 3, 4];
  return fromEdges(5, [
    [start, 0, zero, p],
    [start, 1, one, 1 - p],
    [zero, 0, no, q],
    [zero, 1, yes, 1 - q],
    [one, 0, yes, q],
    [one, 1, no, 1 - q],
    [yes, 1, start, 1],
    [no, 0, start, 1],
  ]);
}

/** Zero-one-random: a 0, a 1, a random bit that is 0 with probability `p`, again and again. */
export function z1r(p = 0.5): HiddenMarkovModel {
  const [zero, one, random] = [0, 1, 2];
  return fromEdges(3, [
    [zero, 0, one, 1],
    [one, 1, random, 1],
    [random, 0, zero, p],
    [random, 1, zero, 1 - p],
  ]);
}

/** A model of bits from edges `[from, token, to, probability]`. */
function fromEdges(states: number, edges: readonly (readonly number[])[]): HiddenMarkovModel {
  const T = [0, 1].map(() => Array.from({ length: states }, () => Array.from({ length: states }, () => 0)));
  for (const [from, token, to, p] of edges) T[token!]![from!]![to!]! += p!;
  return hiddenMarkovModel(T);
}

/** Token sequences with the states behind them. */
export interface MarkovSequences<T> {
  /** i32 `batch pos` */
  readonly tokens: T;
  /** i32 `batch pos`: the state that each token was emitted from. */
  readonly states: T;
}

/**
 * A batch of sequences that begin in the stationary distribution, as a traced program of uniform draws: it runs on the device inside the
 * training step.
 *
 * @param name names the draws, so that two batches in one program differ
 */
export function markovSequences(
  name: string,
  model: HiddenMarkovModel,
  { batch, pos }: { readonly batch: number; readonly pos: number },
): MarkovSequences<Tensor<"batch pos">> {
  const outcomes = model.tokens * model.states;
  const bounds = Array.from({ length: model.states }, (_, from) => cumulative(outcomesFrom(model, from)));
  const table = constant("state outcome", { state: model.states, outcome: outcomes }, bounds.flat());
  const numbersOf = (of: (outcome: number) => number): Tensor<"outcome"> =>
    constant(
      "outcome",
      { outcome: outcomes },
      Array.from({ length: outcomes }, (_, i) => of(i)),
      "i32",
    );
  const tokenOf = numbersOf((i) => Math.floor(i / model.states));
  const stateOf = numbersOf((i) => i % model.states);
  const draws = uniform(name, "batch step", { batch, step: pos + 1 });
  const first = constant("outcome", { outcome: model.states }, cumulative(model.stationary));
  let state = chosen(first, select(draws, "step", 0));
  const tokens: Tensor<"batch pos">[] = [];
  const states: Tensor<"batch pos">[] = [];
  const column = (x: Tensor): Tensor<"batch pos"> => reshape(x, "batch pos", { batch, pos: 1 });
  for (let t = 0; t < pos; t++) {
    states.push(column(state));
    const outcome = chosen(gather(table, state, "state") as Tensor<"batch outcome">, select(draws, "step", t + 1));
    tokens.push(column(gather(tokenOf, outcome, "outcome")));
    state = gather(stateOf, outcome, "outcome") as Tensor<"batch">;
  }
  return { tokens: concat(tokens, "pos"), states: concat(states, "pos") };
}

/** What can happen in a state: `token to`, flattened. */
function outcomesFrom({ tokens, states, transition }: HiddenMarkovModel, from: number): number[] {
  return Array.from(
    { length: tokens * states },
    (_, i) => transition[(Math.floor(i / states) * states + from) * states + (i % states)]!,
  );
}

/** Running sums in float32, as every device has them; from the last possible outcome on, more than any draw. */
function cumulative(probabilities: ArrayLike<number>): number[] {
  const list = Array.from(probabilities);
  const last = list.findLastIndex((p) => p > 0);
  let total = 0;
  return list.map((p, i) => (i >= last ? 2 : Math.fround((total += p))));
}

/** The first outcome whose running sum exceeds the draw: how many do not. */
function chosen(bounds: Tensor, draw: Tensor<"batch">): Tensor<"batch"> {
  const sizes = { batch: draw.shape[0]!, outcome: bounds.shape[bounds.shape.length - 1]! };
  const below = lessEqual(bounds as Tensor<"batch outcome">, broadcast(draw, "batch outcome", sizes));
  return cast(sum(cast(below, "f32"), "outcome"), "i32");
}

/** Sequences drawn from a key on the host: the numbers of {@link markovSequences}. */
export function sampleSequences(
  model: HiddenMarkovModel,
  key: Key,
  sizes: { readonly batch: number; readonly pos: number },
): MarkovSequences<Values<"batch pos">> {
  return sampled({ ...markovSequences("sequences", model, sizes) }, key);
}
