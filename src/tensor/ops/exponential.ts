/** Exponentials, logarithms, roots, the error function, sine and cosine. */
import type { Tensor } from "../tensor.ts";
import { div, mul, neg, square, sub } from "./arithmetic.ts";
import { unary } from "./elementwise.ts";

type Unary = <A extends string>(x: Tensor<A>) => Tensor<A>;

/** `e ** x`. */
export const exp: Unary = unary("exp", {}, (g, y) => mul(g, y));

/** The natural logarithm. */
export const log: Unary = unary("log", {}, (g, _, x) => div(g, x));

/** The square root. */
export const sqrt: Unary = unary("sqrt", {}, (g, y) => div(mul(g, 0.5), y));

/** The error function, `2/√π ∫₀ˣ e^(-t²) dt`. */
export const erf: Unary = unary("erf", {}, (g, _, x) => mul(g, exp(sub(Math.log(2 / Math.sqrt(Math.PI)), square(x)))));

/** The sine, in radians. */
export const sin: Unary = unary("sin", {}, (g, _, x) => mul(g, cos(x)));

/** The cosine, in radians. */
export const cos: Unary = unary("cos", {}, (g, _, x) => neg(mul(g, sin(x))));
