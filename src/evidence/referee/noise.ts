/**
 * How sure a number is. Every score is a function of means over prompts, so drawing prompts anew gives its spread, and drawing the same prompts for two
 * subjects that of their difference (paired bootstrap, Efron 1979). What else an evaluation draws either belongs to one prompt (what stands in for what is removed,
 * random sources) or is read off the prompts again on each draw (thresholds of a size, `measures/matched.ts`). Many comparisons at 5 % each would find something in
 * nothing: Holm's (1979) correction keeps the chance of any false one at 5 %.
 *
 * Where few prompts do anything the spread is itself a guess. To first order a score moves by the mean of one share a unit (infinitesimal jackknife, Jaeckel 1972), and the
 * variance of n such shares of kurtosis κ is as sure as that of
 *
 *   ν = 2 n / (κ - 1)
 *
 * normal draws (Satterthwaite 1946), so Student's t of ν degrees of freedom stands for the normal distribution, and n / (n - 1) corrects the bootstrap's variance.
 */
import { MechanistError } from "../../error.ts";
import { type Interval, meanOfNumbers } from "../../intervention/bootstrap.ts";
import { type Key, randomBits } from "../../tensor/index.ts";

/** What a score is made of: numbers of each prompt, and what becomes of their means. */
export interface Measured {
  readonly channels: readonly Float64Array[];
  readonly combine: (means: readonly number[]) => number;
  /** In how many groups, one after the other, prompts can be drawn anew; one by one unless given. */
  readonly groups?: number;
}

/** The mean of a over the mean of b. */
export function ratio(a: Float64Array, b: Float64Array): Measured {
  return { channels: [a, b], combine: ([x, y]) => x! / y! };
}

/** How many times prompts are drawn anew. */
export const RESAMPLES = 1000;
/** Prompts are drawn in so many groups at most, as they come: means of groups have the same spread, and take less time. */
const GROUPS = 512;

/** A score on prompts drawn anew. */
export interface Spread {
  readonly value: number;
  /** The score on each draw. */
  readonly draws: Float64Array;
  /** What each group of prompts moves it by, to first order. */
  readonly shares: Float64Array;
}

/** Prompts drawn anew from a key, the same draws for all that are asked about them. */
export class Resampling {
  readonly n: number;
  /** Prompts of each group. */
  readonly #counts: Float64Array;
  readonly #draws: Uint32Array;
  /** Prompts on each draw. */
  readonly #drawn: Float64Array;
  readonly #known = new WeakMap<Float64Array, Channel>();

  /** @param most groups in which prompts are drawn */
  constructor(key: Key, n: number, most: number = GROUPS) {
    if (n < 2) throw new MechanistError("BadArgument", `prompts: expected at least 2, got ${n}`);
    this.n = n;
    const groups = Math.min(n, most);
    this.#counts = this.#summed(new Float64Array(n).fill(1), groups);
    this.#draws = Uint32Array.from(randomBits(key, RESAMPLES * groups), (bits) =>
      Math.floor((bits / 2 ** 32) * groups),
    );
    this.#drawn = this.#totals(this.#counts);
  }

  value({ channels, combine }: Measured): number {
    return combine(channels.map((channel) => this.#of(channel).mean));
  }

  spread({ channels, combine }: Measured): Spread {
    const all = channels.map((channel) => this.#of(channel));
    const at = all.map(({ mean }) => mean);
    const draws = Float64Array.from({ length: RESAMPLES }, (_, r) => combine(all.map(({ means }) => means[r]!)));
    const shares = new Float64Array(this.#counts.length);
    all.forEach(({ mean, sums, error }, c) => {
      if (error === 0) return;
      const [more, less] = [error, -error].map((by) => combine(at.with(c, mean + by))) as [number, number];
      const slope = (more - less) / (2 * error);
      sums.forEach((sum, g) => (shares[g]! += (slope * (sum - this.#counts[g]! * mean)) / this.n));
    });
    return { value: combine(at), draws, shares };
  }

  #of(channel: Float64Array): Channel {
    const known = this.#known.get(channel);
    if (known !== undefined) return known;
    if (channel.length !== this.n) {
      throw new MechanistError("ShapeMismatch", `score: expected ${this.n} prompts, got ${channel.length}`);
    }
    const sums = this.#summed(channel, this.#counts.length);
    const mean = sums.reduce((a, b) => a + b, 0) / this.n;
    const square = sums.reduce((total, sum, g) => total + (sum - this.#counts[g]! * mean) ** 2, 0);
    const means = this.#totals(sums).map((total, r) => total / this.#drawn[r]!);
    const made = { sums, mean, means, error: Math.sqrt(square) / this.n };
    this.#known.set(channel, made);
    return made;
  }

  /** By group. */
  #summed(channel: Float64Array, groups: number): Float64Array {
    const sums = new Float64Array(groups);
    channel.forEach((x, i) => (sums[Math.floor((i * groups) / this.n)]! += x));
    return sums;
  }

  /** Of each draw. */
  #totals(sums: Float64Array): Float64Array {
    const groups = sums.length;
    const totals = new Float64Array(RESAMPLES);
    for (let r = 0; r < RESAMPLES; r++) {
      let total = 0;
      for (let i = r * groups; i < (r + 1) * groups; i++) total += sums[this.#draws[i]!]!;
      totals[r] = total;
    }
    return totals;
  }
}

/** One number a prompt, by groups and on each draw. */
interface Channel {
  readonly sums: Float64Array;
  readonly mean: number;
  /** Of the mean. */
  readonly error: number;
  readonly means: Float64Array;
}

/** Of two scores on the same prompts, the first less the second. */
export function less(a: Spread, b: Spread): Spread {
  return {
    value: a.value - b.value,
    draws: a.draws.map((x, r) => x - b.draws[r]!),
    // Of prompts that are not the same ones, each moves one of the two.
    shares:
      a.shares.length === b.shares.length
        ? a.shares.map((x, g) => x - b.shares[g]!)
        : Float64Array.of(...a.shares, ...b.shares.map((x) => -x)),
  };
}

/** The 95 % interval: the draws' percentiles, as much further from the score as the spread is unsure. */
export function intervalOf(spread: Spread): Interval {
  const { value } = spread;
  const wider = widening(spread);
  const sorted = spread.draws.slice().sort();
  const at = (q: number): number => {
    const draw = sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
    return value + wider * (draw - value);
  };
  return [at(0.025), at(0.975)];
}

/** The standard deviation such that 95 % lie within 1.96 of it. */
export function deviationOf(spread: Spread): number {
  const { draws } = spread;
  const mean = meanOfNumbers(draws);
  const square = draws.reduce((total, x) => total + (x - mean) ** 2, 0);
  return widening(spread) * Math.sqrt(square / (draws.length - 1));
}

/** Of the normal distribution: 95 % lie within, and 80 % below. */
const WITHIN = 1.959964;
const POWER = 0.841621;

/** By how much the bootstrap's deviation is too small for 1.96 of it to hold 95 %. */
function widening({ shares }: Spread): number {
  const n = shares.length;
  const mean = meanOfNumbers(shares);
  let [square, fourth] = [0, 0];
  for (const share of shares) {
    const s = (share - mean) ** 2;
    square += s;
    fourth += s * s;
  }
  if (square === 0) return 1;
  const kurtosis = (n * fourth) / (square * square);
  const freedom = Math.min(n - 1, (2 * n) / Math.max(kurtosis - 1, 1e-9));
  return Math.sqrt(n / (n - 1)) * (studentWithin(freedom) / WITHIN);
}

/** Within what 95 % of Student's t lie: Abramowitz and Stegun 26.7.5, within 1 % from 3 degrees of freedom on, and too little below. */
function studentWithin(freedom: number): number {
  const z = WITHIN;
  const terms = [
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
    (79 * z ** 9 + 776 * z ** 7 + 1482 * z ** 5 - 1920 * z ** 3 - 945 * z) / 92160,
  ];
  return terms.reduce((t, term, i) => t + term / freedom ** (i + 1), z);
}

/**
 * How far another evaluation, on prompts of its own, lies from this one 95 times in 100: both move, so it is √2 times 1.96 deviations of one.
 */
export function bandOfSpread(spread: Spread): number {
  return WITHIN * Math.SQRT2 * deviationOf(spread);
}

/** The difference that is found 4 times in 5 at a level of 5 %. */
export function minimumDetectable(difference: Spread): number {
  return (WITHIN + POWER) * deviationOf(difference);
}

/** Two-sided: how likely a difference as large is where there is none, by the normal distribution with that deviation. */
export function pValue(difference: Spread): number {
  const deviation = deviationOf(difference);
  if (deviation === 0) return difference.value === 0 ? 1 : 0;
  return 2 * upperTail(Math.abs(difference.value) / deviation);
}

/** `P(Z > z)` by Abramowitz and Stegun 26.2.17, absolute error below 7.5e-8. */
function upperTail(z: number): number {
  const t = 1 / (1 + 0.2316419 * z);
  const poly = t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
}

/** Holm's adjusted p-values, in the order given. */
export function holm(ps: readonly number[]): number[] {
  const order = ps.map((_, i) => i).sort((i, j) => ps[i]! - ps[j]!);
  const adjusted = [...ps];
  let least = 0;
  order.forEach((i, place) => {
    least = Math.max(least, Math.min(1, (ps.length - place) * ps[i]!));
    adjusted[i] = least;
  });
  return adjusted;
}

/** How many prompts would make half an interval as narrow as wanted: its width goes with the root of their number. */
export function promptsFor(interval: Interval, n: number, wanted: number): number {
  return Math.ceil(n * ((interval[1] - interval[0]) / 2 / wanted) ** 2);
}
