/**
 * What an ideal observer of a hidden Markov model knows: belief states (distributions over the hidden states given the tokens
 * so far, by Bayes' rule), their distinct values (the mixed-state presentation), and the least loss that any predictor can
 * have (Shai et al. 2024; Riechers & Crutchfield 2018).
 */
import { MechanistError } from "../error.ts";
import type { Values } from "../engine/index.ts";
import type { HiddenMarkovModel } from "./hidden-markov.ts";

/** Beliefs along sequences. */
export interface BeliefSequences {
  /** `batch pos state`: P(state after the token at `pos` | tokens up to and with it), float64. */
  readonly beliefs: Values<"batch pos state">;
  /** `batch pos token`: P(token at `pos` + 1 | the same), float64. */
  readonly predictions: Values<"batch pos token">;
}

/**
 * The beliefs of an observer who begins with the stationary distribution.
 *
 * @param tokens `batch pos`
 * @throws `BadArgument` for a token that the model has not, or that cannot follow those before it
 */
export function beliefSequences(model: HiddenMarkovModel, tokens: Values<"batch pos">): BeliefSequences {
  const [batch, pos] = tokens.shape as [number, number];
  const beliefs = new Float64Array(batch * pos * model.states);
  const predictions = new Float64Array(batch * pos * model.tokens);
  for (let row = 0; row < batch; row++) {
    let belief = model.stationary;
    for (let t = 0; t < pos; t++) {
      const at = row * pos + t;
      const token = tokens.data[at]!;
      const where = `belief states: batch ${row}, pos ${t}`;
      if (!(Number.isInteger(token) && token >= 0 && token < model.tokens)) {
        throw new MechanistError(
          "BadArgument",
          `${where}: expected a token from 0 to ${model.tokens - 1}, got ${token}`,
        );
      }
      const { probability, next } = observe(model, belief, token);
      if (probability === 0) {
        throw new MechanistError("BadArgument", `${where}: expected a token that can follow, got ${token}`);
      }
      belief = next;
      beliefs.set(belief, at * model.states);
      predictions.set(nextTokenDistribution(model, belief), at * model.tokens);
    }
  }
  return {
    beliefs: { axes: "batch pos state", shape: [batch, pos, model.states], dtype: "f32", data: beliefs },
    predictions: { axes: "batch pos token", shape: [batch, pos, model.tokens], dtype: "f32", data: predictions },
  };
}

/** Bayes' rule: how likely the token was under this belief, and the belief after it (zeros where it was impossible). */
function observe(
  { states, transition }: HiddenMarkovModel,
  belief: Float64Array,
  token: number,
): { probability: number; next: Float64Array } {
  const next = new Float64Array(states);
  for (let from = 0; from < states; from++) {
    const at = (token * states + from) * states;
    for (let to = 0; to < states; to++) next[to]! += belief[from]! * transition[at + to]!;
  }
  const probability = next.reduce((a, b) => a + b, 0);
  if (probability > 0) for (let to = 0; to < states; to++) next[to]! /= probability;
  return { probability, next };
}

/** P(next token | belief), `token`. */
export function nextTokenDistribution(model: HiddenMarkovModel, belief: Float64Array): Float64Array {
  return Float64Array.from({ length: model.tokens }, (_, token) => observe(model, belief, token).probability);
}

/** Distinct belief states, in the order in which they are met. */
export interface MixedStates {
  /** Each a distribution over hidden states. */
  readonly beliefs: readonly Float64Array[];
  /** `cumulative[t]`: how many are distinct among those after at most t tokens; the first, after none, is the stationary one. */
  readonly cumulative: readonly number[];
  /** `probabilities[t][i]`: how likely belief i is after exactly t tokens. */
  readonly probabilities: readonly Float64Array[];
}

const MERGE_TOLERANCE = 1e-9;
/** More distinct beliefs than this fill memory and say no more. */
const MOST_BELIEFS = 1_000_000;

/**
 * The mixed-state presentation down to a depth: all beliefs that token sequences lead to, those alike within 1e-9 in every entry
 * merged.
 *
 * @param depth how many tokens are seen at most
 * @param start the belief before the first token; the stationary distribution unless said otherwise
 * @throws `BadArgument` where there are more than a million
 */
export function mixedStates(model: HiddenMarkovModel, depth: number, start = model.stationary): MixedStates {
  const known = new BeliefIndex(model.states);
  let level = new Map([[known.add(start), 1]]);
  const cumulative: number[] = [];
  const levels: (typeof level)[] = [];
  for (let t = 0; ; t++) {
    cumulative.push(known.beliefs.length);
    levels.push(level);
    if (t === depth) break;
    const after = new Map<number, number>();
    for (const [i, weight] of level) {
      for (let token = 0; token < model.tokens; token++) {
        const { probability, next } = observe(model, known.beliefs[i]!, token);
        if (probability === 0) continue;
        const j = known.add(next);
        after.set(j, (after.get(j) ?? 0) + weight * probability);
      }
    }
    level = after;
  }
  const probabilities = levels.map((weights, t) => {
    const row = new Float64Array(cumulative[t]!);
    for (const [i, weight] of weights) row[i] = weight;
    return row;
  });
  return { beliefs: known.beliefs, cumulative, probabilities };
}

/**
 * Beliefs found by value. Two that are alike within the tolerance in every entry have projections on a direction of length 1 (sum of
 * absolute values) that lie at most the tolerance apart, so they share a cell of that width or lie in neighbouring ones.
 */
class BeliefIndex {
  readonly beliefs: Float64Array[] = [];
  readonly #cells = new Map<number, number[]>();
  readonly #direction: Float64Array;

  constructor(states: number) {
    const raw = Float64Array.from({ length: states }, (_, i) => Math.sin(1 + i * Math.SQRT2));
    const length = raw.reduce((total, x) => total + Math.abs(x), 0);
    this.#direction = raw.map((x) => x / length);
  }

  /** The number of this belief, a new one if none is alike. */
  add(belief: Float64Array): number {
    let projection = 0;
    for (let i = 0; i < belief.length; i++) projection += belief[i]! * this.#direction[i]!;
    const cell = Math.floor(projection / MERGE_TOLERANCE);
    for (const near of [cell, cell - 1, cell + 1]) {
      for (const i of this.#cells.get(near) ?? []) if (alike(this.beliefs[i]!, belief)) return i;
    }
    if (this.beliefs.length === MOST_BELIEFS) {
      throw new MechanistError(
        "BadArgument",
        `mixed states: expected at most ${MOST_BELIEFS} distinct beliefs, got more; a smaller depth has fewer`,
      );
    }
    const number = this.beliefs.push(belief) - 1;
    const own = this.#cells.get(cell);
    if (own === undefined) this.#cells.set(cell, [number]);
    else own.push(number);
    return number;
  }
}

function alike(a: Float64Array, b: Float64Array): boolean {
  for (let i = 0; i < a.length; i++) if (Math.abs(a[i]! - b[i]!) > MERGE_TOLERANCE) return false;
  return true;
}

/**
 * The least expected loss at each position, exactly: H_t is the entropy of token t given the t - 1 tokens before it, in nats.
 * It never rises with t and tends to the entropy rate.
 *
 * @param length how many positions
 * @returns      H_1 to H_length
 */
export function myopicEntropies(model: HiddenMarkovModel, length: number, start = model.stationary): number[] {
  const { beliefs, probabilities } = mixedStates(model, length - 1, start);
  const each = beliefs.map((belief) => entropy(nextTokenDistribution(model, belief)));
  return probabilities.map((row) => row.reduce((total, p, i) => total + p * each[i]!, 0));
}

/** Shannon's entropy in nats. */
function entropy(distribution: Float64Array): number {
  return -distribution.reduce((total, p) => (p > 0 ? total + p * Math.log(p) : total), 0);
}

/** Two bounds that the entropy rate, in nats a token, lies between. */
export interface EntropyRate {
  /** The entropy of the last token given those before it and the hidden state at the start. */
  readonly lower: number;
  /** The same without the hidden state: the last myopic entropy. */
  readonly upper: number;
}

/**
 * Bounds of the entropy rate from sequences of a length (Cover & Thomas 2006, theorem 4.5.1). Where a state and a token decide the next
 * state, as in RRXOR, the lower bound is the rate at every length.
 */
export function entropyRate(model: HiddenMarkovModel, length: number): EntropyRate {
  let lower = 0;
  model.stationary.forEach((weight, state) => {
    const sure = new Float64Array(model.states);
    sure[state] = 1;
    lower += weight * myopicEntropies(model, length, sure)[length - 1]!;
  });
  return { lower, upper: myopicEntropies(model, length)[length - 1]! };
}
