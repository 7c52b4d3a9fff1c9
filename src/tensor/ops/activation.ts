/** The activation functions of the networks that people study. */
import { type Tensor } from "../tensor.ts";
import { add, mul, square, sub } from "./arithmetic.ts";
import { less, where } from "./comparison.ts";
import { unary } from "./elementwise.ts";
import { erf } from "./exponential.ts";

type Unary = <A extends string>(x: Tensor<A>) => Tensor<A>;

/** `max(x, 0)`; the derivative at 0 is 0. */
export const relu: Unary = unary("relu", {}, (g, y) => where(less(0, y), g, 0));

/** `1 / (1 + e^-x)`. */
export const sigmoid: Unary = unary("sigmoid", {}, (g, y) => mul(g, sub(y, square(y))));

/** The hyperbolic tangent. */
export const tanh: Unary = unary("tanh", {}, (g, y) => mul(g, sub(1, square(y))));

/** `x * sigmoid(x)`, also called swish. */
export function silu<A extends string>(x: Tensor<A>): Tensor<A> {
  return mul(x as Tensor, sigmoid(x as Tensor)) as Tensor<A>;
}

/**
 * The Gaussian error linear unit in its exact form, `x * Φ(x)` with Φ the normal distribution function
 * (Hendrycks & Gimpel 2016). PyTorch's default.
 *
 * Written as `q + q·erf(q/√2·…)` with `q = x/2`, which is one pass over memory fewer than the textbook form.
 */
export function gelu<A extends string>(x: Tensor<A>): Tensor<A> {
  const half = mul(x as Tensor, 0.5);
  return add(half, mul(half, erf(mul(x as Tensor, Math.SQRT1_2)))) as Tensor<A>;
}

/** GELU by its tanh approximation, as GPT-2 uses it: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`. */
export function geluTanh<A extends string>(x: Tensor<A>): Tensor<A> {
  const t: Tensor = x;
  const inner = mul(t, add(mul(square(t), 0.044715 * Math.sqrt(2 / Math.PI)), Math.sqrt(2 / Math.PI)));
  return mul(mul(t, 0.5), add(tanh(inner), 1)) as Tensor<A>;
}
