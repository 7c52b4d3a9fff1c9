/** Values whose gradient is not the one that mathematics would give them. */
import { node, type Tensor } from "../tensor.ts";

/** The same value, through which no gradient flows. */
export function stopGradient<A extends string>(x: Tensor<A>): Tensor<A> {
  return node({ op: "identity", inputs: [x], axes: x.axes, shape: x.shape, dtype: x.dtype, attributes: {} });
}

/**
 * A value with a derivative of your own, as straight-through estimators need.
 *
 * Both are element by element: the inputs have the axes of the value, and a gradient at one element depends on no other.
 *
 * @param value      what the forward pass computes
 * @param inputs     what the gradient flows to, and what else the derivative needs
 * @param derivative from the gradient of the loss with respect to `value` and the inputs as they then are, one gradient for each input
 */
export function withDerivative<A extends string>(
  value: Tensor<A>,
  inputs: readonly Tensor<A>[],
  derivative: (gradient: Tensor<A>, inputs: readonly Tensor<A>[]) => readonly (Tensor | undefined)[],
): Tensor<A> {
  return node({
    op: "identity",
    inputs: [value, ...inputs],
    axes: value.axes,
    shape: value.shape,
    dtype: value.dtype,
    attributes: {},
    derivative: (g, of) => [undefined, ...derivative(g as Tensor<A>, of.inputs.slice(1) as Tensor<A>[])],
  });
}
