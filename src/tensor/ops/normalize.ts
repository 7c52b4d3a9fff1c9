/** Layer norm and RMS norm along an axis. */
import type { Names } from "../axes.ts";
import { type Tensor } from "../tensor.ts";
import { add, div, mul, square, sub } from "./arithmetic.ts";
import { sqrt } from "./exponential.ts";
import { mean } from "./reduce.ts";

/**
 * `(x - mean) / √(variance + epsilon)` along `axis`, with the biased variance (Ba et al. 2016).
 *
 * @param scale multiplies the result; axes within those of `x`
 * @param bias  is added to it
 */
export function layerNorm<A extends string>(
  x: Tensor<A>,
  axis: Names<A>,
  options: { scale?: Tensor; bias?: Tensor; epsilon?: number } = {},
): Tensor<A> {
  const t: Tensor = x;
  const centred = sub(t, mean(t, axis as string) as Tensor);
  const deviation = sqrt(add(mean(square(centred), axis as string) as Tensor, options.epsilon ?? 1e-5));
  return affine(div(centred, deviation), options.scale, options.bias) as Tensor<A>;
}

/** `x / √(mean(x²) + epsilon)` along `axis` (Zhang & Sennrich 2019). */
export function rmsNorm<A extends string>(
  x: Tensor<A>,
  axis: Names<A>,
  options: { scale?: Tensor; epsilon?: number } = {},
): Tensor<A> {
  const t: Tensor = x;
  const size = sqrt(add(mean(square(t), axis as string) as Tensor, options.epsilon ?? 1e-6));
  return affine(div(t, size), options.scale, undefined) as Tensor<A>;
}

function affine(x: Tensor, scale: Tensor | undefined, bias: Tensor | undefined): Tensor {
  const scaled = scale === undefined ? x : mul(x, scale);
  return bias === undefined ? scaled : add(scaled, bias);
}
