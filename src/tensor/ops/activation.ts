/** The activation functions of the networks that people study. */
import { type Tensor } from "../tensor.ts";
import { add, mul, square, sub } from "./arithmetic.ts";
import { less, where } from "./comparison.ts";
import { unary } from "./elementwise.ts";
import { withDerivative } from "./derivative.ts";
import { erf, exp } from "./exponential.ts";

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
 * The Gaussian error linear unit in its exact form, `x Φ(x)` with Φ the normal distribution function (Hendrycks & Gimpel
 * 2016). PyTorch's default.
 *
 * Written in `u = x/√2`, where the value is `u (1 + erf u) / √2` and the slope `½ (1 + erf u + u · 2/√π e^(-u²))`: value and
 * slope share the error function, and take the fewest passes over memory.
 */
export function gelu<A extends string>(x: Tensor<A>): Tensor<A> {
  const u = mul(x as Tensor, Math.SQRT1_2);
  const grown = add(erf(u), 1);
  return withDerivative<string>(mul(mul(u, grown), Math.SQRT1_2), [x, u, grown], (gradient, [, v, sum]) => {
    const bell = exp(sub(Math.log(2 / Math.sqrt(Math.PI)), square(v!)));
    return [mul(gradient, mul(add(sum!, mul(v!, bell)), 0.5)), undefined, undefined];
  }) as Tensor<A>;
}

/** GELU by its tanh approximation, as GPT-2 uses it: `x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))`. */
export function geluTanh<A extends string>(x: Tensor<A>): Tensor<A> {
  const t: Tensor = x;
  const inner = mul(t, add(mul(square(t), 0.044715 * Math.sqrt(2 / Math.PI)), Math.sqrt(2 / Math.PI)));
  return mul(mul(t, 0.5), add(tanh(inner), 1)) as Tensor<A>;
}
