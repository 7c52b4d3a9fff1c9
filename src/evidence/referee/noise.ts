/**
 * How sure a number is. Every score is a function of means over prompts, so drawing prompts anew gives its spread, and drawing the same prompts for two
 * subjects that of their difference (paired bootstrap, Efron 1979). Many comparisons at 5 % each would find something in nothing: Holm's (1979) correction
 * keeps the chance of any false one at 5 %.
 */
import { MechanistError } from "../../error.ts";
import type { Interval } from "../../intervention/bootstrap.ts";
import { type Key, randomBits } from "../../tensor/index.ts";

/** What a score is made of: numbers of each prompt, and what becomes of their means. */
export interface Measured {
  readonly channels: readonly Float64Array[];
  readonly combine: (means: readonly number[]) => number;
}

/** The mean of a over the mean of b. */
export function ratio(a: Float64Array, b: Float64Array): Measured {
  return { channels: [a, b], combine: ([x, y]) => x! / y! };
}

/** How many times prompts are drawn anew. */
export const RESAMPLES = 1000;

/** Prompts drawn anew from a key, the same draws for all that are asked about them. */
export class Resampling {
  readonly n: number;
  readonly #draws: Uint32Array;
  readonly #means = new WeakMap<Float64Array, Float64Array>();

  constructor(key: Key, n: number) {
    if (n < 2) throw new MechanistError("BadArgument", `prompts: expected at least 2, got ${n}`);
    this.n = n;
    this.#draws = Uint32Array.from(randomBits(key, RESAMPLES * n), (bits) => Math.floor((bits / 2 ** 32) * n));
  }

  value({ channels, combine }: Measured): number {
    return combine(channels.map((channel) => channel.reduce((a, b) => a + b, 0) / channel.length));
  }

  /** The score on each draw. */
  spread({ channels, combine }: Measured): Float64Array {
    const means = channels.map((channel) => this.#meansOf(channel));
    return Float64Array.from({ length: RESAMPLES }, (_, r) => combine(means.map((m) => m[r]!)));
  }

  #meansOf(channel: Float64Array): Float64Array {
    const known = this.#means.get(channel);
    if (known !== undefined) return known;
    const { n } = this;
    if (channel.length !== n) {
      throw new MechanistError("ShapeMismatch", `score: expected ${n} prompts, got ${channel.length}`);
    }
    const means = new Float64Array(RESAMPLES);
    for (let r = 0; r < RESAMPLES; r++) {
      let total = 0;
      for (let i = 0; i < n; i++) total += channel[this.#draws[r * n + i]!]!;
      means[r] = total / n;
    }
    this.#means.set(channel, means);
    return means;
  }
}

/** The 95 % percentile interval. */
export function intervalOf(spread: Float64Array): Interval {
  const sorted = spread.slice().sort();
  const at = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return [at(0.025), at(0.975)];
}

/** The standard deviation. */
export function deviationOf(spread: Float64Array): number {
  const mean = spread.reduce((a, b) => a + b, 0) / spread.length;
  return Math.sqrt(spread.reduce((total, x) => total + (x - mean) ** 2, 0) / (spread.length - 1));
}

/** Of the normal distribution: 95 % lie within, and 80 % below. */
const WITHIN = 1.959964;
const POWER = 0.841621;

/** How far another evaluation on prompts of its own lies away 95 times in 100. */
export function bandOfSpread(spread: Float64Array): number {
  return WITHIN * Math.SQRT2 * deviationOf(spread);
}

/** The difference that is found 4 times in 5 at a level of 5 %, of a spread of differences. */
export function minimumDetectable(differences: Float64Array): number {
  return (WITHIN + POWER) * deviationOf(differences);
}

/** Two-sided: how likely a difference as large is where there is none, by the normal distribution with the bootstrap's deviation. */
export function pValue(difference: number, differences: Float64Array): number {
  const deviation = deviationOf(differences);
  if (deviation === 0) return difference === 0 ? 1 : 0;
  return 2 * upperTail(Math.abs(difference) / deviation);
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
