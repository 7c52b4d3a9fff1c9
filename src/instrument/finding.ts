/** What every instrument's answer says of itself, and of a number what it is where there is nothing to find. */
import { meanOfNumbers } from "../intervention/bootstrap.ts";

/** So that no number travels without its sample, its null and its limits. */
export interface Finding {
  /** How many of `counted` the numbers are made of. */
  readonly n: number;
  /** What `n` counts: `positions`, `examples`. */
  readonly counted: string;
  /** What the null beside each number is. */
  readonly nullDescription: string;
  /** What nobody should conclude from the numbers. */
  readonly doesNotEstablish: string;
}

/** A number with what is found where there is nothing to find. */
export interface Nulled {
  readonly value: number;
  /** The mean over draws of the null. */
  readonly null: number;
  /** The standard deviation over draws of the null: its noise at this n. */
  readonly nullDeviation: number;
}

/** The mean of some numbers and their standard deviation (with n - 1; 0 for one). */
export function spreadOf(numbers: ArrayLike<number>): { readonly mean: number; readonly deviation: number } {
  const n = numbers.length;
  const mean = meanOfNumbers(numbers);
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (numbers[i]! - mean) ** 2;
  return { mean, deviation: n < 2 ? 0 : Math.sqrt(squares / (n - 1)) };
}

/** A value beside what the null gave, draw by draw. */
export function nulled(value: number, draws: ArrayLike<number>): Nulled {
  const { mean, deviation } = spreadOf(draws);
  return { value, null: mean, nullDeviation: deviation };
}
