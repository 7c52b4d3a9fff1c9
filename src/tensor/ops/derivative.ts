/** Values whose gradient is not the one that mathematics would give them. */
import { node, type Tensor } from "../tensor.ts";

/** The same value, through which no gradient flows. */
export function stopGradient<A extends string>(x: Tensor<A>): Tensor<A> {
  return node({ op: "identity", inputs: [x], axes: x.axes, shape: x.shape, dtype: x.dtype, attributes: {} });
}

/**
 * A value with a derivative of your own, as straight-through estimators need.
 *
 * @param value      what the forward pass computes
 * @param inputs     what the gradient flows to
 * @param derivative from the gradient of the loss with respect to `value`, one gradient for each input
 */
export function withDerivative<A extends string>(
  value: Tensor<A>,
  inputs: readonly Tensor[],
  derivative: (gradient: Tensor<A>) => readonly (Tensor | undefined)[],
): Tensor<A> {
  return node({
    op: "identity",
    inputs: [value, ...inputs],
    axes: value.axes,
    shape: value.shape,
    dtype: value.dtype,
    attributes: {},
    derivative: (g) => [undefined, ...derivative(g as Tensor<A>)],
  });
}
