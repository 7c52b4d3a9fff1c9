/** Sums, products and their kin, element by element, with broadcasting by axis name. */
import type { Fits, Wider } from "../axes.ts";
import type { OpName } from "../op.ts";
import { isOp, type Operand, type Tensor } from "../tensor.ts";
import { cast, equal, lessEqual } from "./comparison.ts";
import { elementwise, numbers, unary } from "./elementwise.ts";
import { log } from "./exponential.ts";

/** An operation on two tensors, one of which has all the axes of the other; either may be a number. */
export interface Binary {
  <A extends string>(a: Tensor<A>, b: number): Tensor<A>;
  <B extends string>(a: number, b: Tensor<B>): Tensor<B>;
  <A extends string, B extends string>(a: Tensor<A>, b: Tensor<B> & Fits<A, B>): Tensor<Wider<A, B>>;
}

type Pair = readonly [Tensor | undefined, Tensor | undefined];

/** Defines an operation on two tensors by its derivative with respect to each. */
function binary(
  op: OpName & ("add" | "sub" | "mul" | "div" | "pow" | "maximum" | "minimum"),
  derivative: (gradient: Tensor, result: Tensor, a: Tensor, b: Tensor) => Pair,
): Binary {
  return ((a: Operand, b: Operand) =>
    elementwise(op, [numbers(op, a), numbers(op, b)], {}, "f32", (g, result, [x, y]) =>
      derivative(g, result, x!, y!),
    )) as Binary;
}

/** `a + b`. */
export const add: Binary = binary("add", (g) => [g, g]);

/** `a - b`. */
export const sub: Binary = binary("sub", (g) => [g, neg(g)]);

/** `a * b`. */
export const mul: Binary = binary("mul", (g, _, a, b) => [mul(g, b), mul(g, a)]);

/** `a / b`. */
export const div: Binary = binary("div", (g, result, _, b) => {
  const da = div(g, b);
  return [da, neg(mul(da, result))];
});

/**
 * `a ** b`. The derivative with respect to `b` is `a ** b * log(a)`, so it needs `a > 0` there; a constant exponent
 * asks for no such thing.
 */
export const pow: Binary = binary("pow", (g, result, a, b) => [
  // x⁰ is 1 everywhere; at 0 the formula would make 0 · 0⁻¹.
  isOp(b, "constant") && b.attributes.data.every((p) => p === 0) ? undefined : mul(g, mul(b, pow(a, sub(b, 1)))),
  b.op === "constant" ? undefined : mul(g, mul(result, log(a))),
]);

/** The larger of `a` and `b`; where they are equal the gradient goes to `a`. */
export const maximum: Binary = binary("maximum", (g, _, a, b) => {
  const takesA = cast(lessEqual(b, a), "f32");
  return [mul(g, takesA), mul(g, sub(1, takesA))];
});

/** The smaller of `a` and `b`; where they are equal the gradient goes to `a`. */
export const minimum: Binary = binary("minimum", (g, _, a, b) => {
  const takesA = cast(lessEqual(a, b), "f32");
  return [mul(g, takesA), mul(g, sub(1, takesA))];
});

/** `-x`. */
export const neg: <A extends string>(x: Tensor<A>) => Tensor<A> = unary("neg", {}, (g) => neg(g));

/** `|x|`; the derivative at 0 is 0. */
export const abs: <A extends string>(x: Tensor<A>) => Tensor<A> = unary("abs", {}, (g, _, x) => mul(g, sign(x)));

/** -1, 0 or 1. No gradient flows. */
export const sign: <A extends string>(x: Tensor<A>) => Tensor<A> = unary("sign", {});

/** The largest whole number not above `x`. No gradient flows. */
export const floor: <A extends string>(x: Tensor<A>) => Tensor<A> = unary("floor", {});

/** `1 / x`. */
export const reciprocal: <A extends string>(x: Tensor<A>) => Tensor<A> = unary("reciprocal", {}, (g, y) =>
  neg(mul(g, mul(y, y))),
);

/** `x * x`. */
export function square<A extends string>(x: Tensor<A>): Tensor<A> {
  return mul(x as Tensor, x as Tensor) as Tensor<A>;
}

/**
 * `x` kept within `[low, high]`. The gradient passes where `low <= x <= high`, as PyTorch's `clamp` has it.
 */
export function clamp<A extends string>(x: Tensor<A>, low: number, high: number): Tensor<A> {
  return elementwise("clamp", [numbers("clamp", x)], { low, high }, "f32", (g, result, [given]) => [
    mul(g, cast(equal(result, given!), "f32")),
  ]) as Tensor<A>;
}
