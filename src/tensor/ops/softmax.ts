/** Softmax along an axis, its logarithm, and the cross-entropies built on it. */
import { MechanistError } from "../../error.ts";
import { axisNames, type Names, type Without } from "../axes.ts";
import { expectType, node, type Tensor } from "../tensor.ts";
import { mul, neg, sub } from "./arithmetic.ts";
import { exp } from "./exponential.ts";
import { takeAlong } from "./gather.ts";
import { sum } from "./reduce.ts";

function expectAxis(op: string, x: Tensor, axis: string): void {
  expectType(op, x, "f32");
  if (!axisNames(x.axes).includes(axis)) {
    throw new MechanistError("ShapeMismatch", `${op}: axis ${axis} is not one of "${x.axes}"`, { axis });
  }
}

/** `exp(x) / Σ exp(x)` along `axis`, without overflow. */
export function softmax<A extends string>(x: Tensor<A>, axis: Names<A>): Tensor<A> {
  expectAxis("softmax", x, axis);
  return node({
    op: "softmax",
    inputs: [x],
    axes: x.axes,
    shape: x.shape,
    attributes: { axis },
    derivative: (g, of) => [mul(of, sub(g, sum(mul(g, of), axis as string) as Tensor))],
  });
}

/** `log(softmax(x))` along `axis`, in nats, without overflow. */
export function logSoftmax<A extends string>(x: Tensor<A>, axis: Names<A>): Tensor<A> {
  expectAxis("logSoftmax", x, axis);
  return node({
    op: "logSoftmax",
    inputs: [x],
    axes: x.axes,
    shape: x.shape,
    attributes: { axis },
    derivative: (g, of) => [sub(g, mul(exp(of), sum(g, axis as string) as Tensor))],
  });
}

/**
 * The cross-entropy of whole-number labels, in nats, one value for each label: `-log softmax(logits)[label]`.
 *
 * @param logits `… vocab`
 * @param labels i32, the axes of `logits` without `axis`
 */
export function crossEntropy<A extends string, const X extends Names<A>>(
  logits: Tensor<A>,
  labels: Tensor<Without<A, X>>,
  axis: X,
): Tensor<Without<A, X>> {
  return neg(takeAlong(logSoftmax(logits, axis) as Tensor, labels as Tensor, axis as string)) as Tensor<Without<A, X>>;
}

/** `KL(softmax(target) ‖ softmax(logits))` along `axis`, in nats, one value for each remaining position. */
export function klDivergence<A extends string, X extends Names<A>>(
  target: Tensor<A>,
  logits: Tensor<A>,
  axis: X,
): Tensor<Without<A, X>> {
  const logP: Tensor = logSoftmax(target, axis);
  const logQ: Tensor = logSoftmax(logits, axis);
  return sum(mul(exp(logP), sub(logP, logQ)), axis as string) as Tensor<Without<A, X>>;
}
