/**
 * What all element-by-element operations share: which axes the result has, and how a gradient returns to a
 * narrower input. Broadcasting is by name: one input must have all the axes of the others.
 */
import { MechanistError } from "../../error.ts";
import { axisNames } from "../axes.ts";
import type { OpAttributes, OpName } from "../op.ts";
import {
  asTensor,
  type Derivative,
  type DType,
  expectType,
  node,
  type Operand,
  sizesOf,
  type Tensor,
} from "../tensor.ts";
import { sumTo } from "./reduce.ts";

/** The input that has all the axes of the others; equal sets of axes keep the order of the first. */
function widest(op: string, inputs: readonly Tensor[]): Tensor {
  const wide = inputs.reduce((best, x) => (axisNames(x.axes).length > axisNames(best.axes).length ? x : best));
  const sizes = sizesOf(wide);
  for (const x of inputs) {
    axisNames(x.axes).forEach((name, i) => {
      if (sizes[name] === undefined) {
        throw new MechanistError(
          "ShapeMismatch",
          `${op}: axis ${name} of "${x.axes}" is missing from "${wide.axes}"; broadcast it first if you mean an outer ${op}`,
          { axis: name },
        );
      }
      if (sizes[name] !== x.shape[i]) {
        throw new MechanistError(
          "ShapeMismatch",
          `${op}: axis ${name} is ${sizes[name]} in "${wide.axes}", ${x.shape[i]} in "${x.axes}"`,
          { axis: name, expected: sizes[name], got: x.shape[i] },
        );
      }
    });
  }
  return wide;
}

/** Makes an element-by-element node. `derivative` may answer in the result's axes; narrower inputs get the sum. */
export function elementwise<K extends OpName>(
  op: K,
  operands: readonly Operand[],
  attributes: OpAttributes[K],
  dtype: DType = "f32",
  derivative?: (gradient: Tensor, result: Tensor, inputs: readonly Tensor[]) => readonly (Tensor | undefined)[],
): Tensor {
  const inputs = operands.map(asTensor);
  const { axes, shape } = widest(op, inputs);
  const back: Derivative | undefined =
    derivative &&
    ((gradient, of) =>
      derivative(gradient, of, of.inputs).map((g, i) => (g === undefined ? undefined : sumTo(g, of.inputs[i]!))));
  return node({ op, inputs, axes, shape, dtype, attributes, ...(back && { derivative: back }) });
}

/** An operand that holds f32; arithmetic takes nothing else. */
export function numbers(op: string, x: Operand): Operand {
  if (typeof x !== "number") expectType(op, x, "f32");
  return x;
}

/** Defines an operation on one tensor by its derivative: the incoming gradient, the result and the input are at hand. */
export function unary<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  derivative?: (gradient: Tensor, result: Tensor, x: Tensor) => Tensor,
): <A extends string>(x: Tensor<A>) => Tensor<A> {
  return <A extends string>(x: Tensor<A>) =>
    elementwise(
      op,
      [numbers(op, x)],
      attributes,
      "f32",
      derivative && ((g, result, [input]) => [derivative(g, result, input!)]),
    ) as Tensor<A>;
}
