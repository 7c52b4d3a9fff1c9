/**
 * Fourier analysis of networks that add modulo p (Nanda, Chan, Lieberum, Smith & Steinhardt 2023, "Progress measures for grokking via
 * mechanistic interpretability"): which frequencies the embedding has, and what of the logits is made of them.
 *
 * The basis of frequency k over inputs is two vectors, `cos` and `sin` of `2πk(a + b)/p`, and no more: with the products of cosines of a and
 * of b, which are more, almost any logits would pass.
 */
import type { Values } from "../engine/index.ts";

/**
 * How much of an embedding's power is at each frequency from 1 to (p - 1)/2; they sum to 1. The constant is left out.
 *
 * @param W_E `vocab d_model`; the first p rows count
 * @param p   odd
 */
export function embeddingPower(W_E: Values, p: number): number[] {
  const width = W_E.shape[1]!;
  const power = Array.from({ length: (p - 1) / 2 }, (_, i) => {
    let total = 0;
    for (let d = 0; d < width; d++) {
      let [re, im] = [0, 0];
      for (let a = 0; a < p; a++) {
        const angle = (2 * Math.PI * (((i + 1) * a) % p)) / p;
        re += W_E.data[a * width + d]! * Math.cos(angle);
        im += W_E.data[a * width + d]! * Math.sin(angle);
      }
      total += re ** 2 + im ** 2;
    }
    return total;
  });
  const all = power.reduce((a, b) => a + b, 0);
  return power.map((x) => x / all);
}

/** The frequencies with more than `least` of the power, each from 1 to (p - 1)/2. */
export function keyFrequencies(power: readonly number[], least = 0.03): number[] {
  return power.flatMap((share, i) => (share > least ? [i + 1] : []));
}

/** The Gini coefficient: 0 where all are alike, near 1 where one has all. */
export function gini(shares: readonly number[]): number {
  const sorted = [...shares].sort((a, b) => a - b);
  const n = sorted.length;
  const total = sorted.reduce((a, b) => a + b, 0);
  const ranked = sorted.reduce((sum, x, i) => sum + (i + 1) * x, 0);
  return (2 * ranked) / (n * total) - (n + 1) / n;
}

/** What is left when logits are made of key frequencies alone, and when they are made of everything else. */
export interface FrequencyLosses {
  /** Mean cross-entropy over all p² sums, in nats, of the mean logit and the key frequencies' part alone. */
  readonly restricted: number;
  /** Mean cross-entropy over the sums of the training set, in nats, of the logits without the key frequencies' part. */
  readonly excluded: number;
}

/**
 * Restricted and excluded loss.
 *
 * Neither says anything by itself: without any structure the excluded loss rises too, when many frequencies pass for key ones.
 *
 * @param logits of all sums: those of a + b at row `a p + b`, `p` columns
 * @param keys   key frequencies
 * @param train  rows of the training set
 */
export function frequencyLosses(
  logits: ArrayLike<number>,
  p: number,
  keys: readonly number[],
  train: readonly number[],
): FrequencyLosses {
  const mean = new Float64Array(p);
  const bySum = new Float64Array(p * p);
  for (let row = 0; row < p * p; row++) {
    const sum = (Math.floor(row / p) + (row % p)) % p;
    for (let c = 0; c < p; c++) {
      mean[c]! += logits[row * p + c]! / p ** 2;
      bySum[sum * p + c]! += logits[row * p + c]!;
    }
  }
  // The part of frequency k at an input with sum s: (2/p²) Σ over inputs of logit · cos(2πk(s - s')/p).
  const kernel = Array.from({ length: p }, (_, d) =>
    keys.reduce((total, k) => total + (2 / p ** 2) * Math.cos((2 * Math.PI * ((k * d) % p)) / p), 0),
  );
  const part = new Float64Array(p * p);
  for (let s = 0; s < p; s++)
    for (let other = 0; other < p; other++) {
      const weight = kernel[(s - other + p) % p]!;
      for (let c = 0; c < p; c++) part[s * p + c]! += weight * bySum[other * p + c]!;
    }
  let restricted = 0;
  for (let s = 0; s < p; s++) restricted += crossEntropyOf((c) => mean[c]! + part[s * p + c]!, p, s) / p;
  let excluded = 0;
  for (const row of train) {
    const sum = (Math.floor(row / p) + (row % p)) % p;
    excluded += crossEntropyOf((c) => logits[row * p + c]! - part[sum * p + c]!, p, sum) / train.length;
  }
  return { restricted, excluded };
}

/** `-log softmax(logits)[label]`, in nats, in float64. */
export function crossEntropyOf(logit: (c: number) => number, count: number, label: number): number {
  let top = -Infinity;
  for (let c = 0; c < count; c++) top = Math.max(top, logit(c));
  let total = 0;
  for (let c = 0; c < count; c++) total += Math.exp(logit(c) - top);
  return Math.log(total) + top - logit(label);
}
