/** How far float32 results may lie from float64 ones, by family of operations, and why. */
import type { Tolerance } from "../expect-close.ts";

/** Half a unit in the last place of float32, relative. */
const ROUNDING = 2 ** -24;
const roundings = (count: number): Tolerance => ({ relative: count * ROUNDING });

/** Errors are relative to each number and to the largest of its tensor. */
export const FLOAT32: Readonly<Record<string, Tolerance>> = {
  // One rounding a value, a few a gradient; sums of at most a dozen terms.
  arithmetic: roundings(8),
  signs: roundings(8),
  derivative: roundings(4),
  shape: roundings(4),
  comparison: roundings(4),
  gather: roundings(4),
  reduce: roundings(8),
  einsum: roundings(8),
  // Library functions of a few units in the last place.
  powers: roundings(8),
  exponential: roundings(16),
  // Polynomials and rational functions in ONNX Runtime's kernels, and products of several.
  activation: roundings(16),
  // Exponentials of differences, where a rounding of the logit is magnified by its size.
  softmax: roundings(24),
  // A difference from the mean, divided by a root: cancellation.
  normalize: roundings(16),
};
