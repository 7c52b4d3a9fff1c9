/** Sums, means and maxima over named axes. */
import { MechanistError } from "../../error.ts";
import { axisNames, type Without } from "../axes.ts";
import { axisSize, expectType, node, sizesOf, type Tensor } from "../tensor.ts";
import { div, mul } from "./arithmetic.ts";
import { cast, equal } from "./comparison.ts";
import { broadcast, transpose } from "./shape.ts";

function without(op: string, x: Tensor, over: readonly string[]): { axes: string; shape: number[] } {
  expectType(op, x, "f32");
  const names = axisNames(x.axes);
  for (const axis of over) {
    if (!names.includes(axis)) {
      throw new MechanistError("ShapeMismatch", `${op}: axis ${axis} is not one of "${x.axes}"`, { axis });
    }
  }
  const kept = names.filter((name) => !over.includes(name));
  return { axes: kept.join(" "), shape: kept.map((name) => axisSize(x, name)) };
}

/** The sum over the named axes, `sum(x, "batch pos")`; over all axes when none is named. */
export function sum<A extends string>(x: Tensor<A>): Tensor<"">;
export function sum<A extends string, O extends string>(x: Tensor<A>, over: O): Tensor<Without<A, O>>;
export function sum(x: Tensor, over: string = x.axes): Tensor {
  const axes = axisNames(over);
  if (axes.length === 0) return x;
  return node({
    op: "sum",
    inputs: [x],
    ...without("sum", x, axes),
    attributes: { over: axes },
    derivative: (g, { inputs: [given] }) => [broadcast(g, given!.axes, sizesOf(given!))],
  });
}

/** The mean over the named axes; over all axes when none is named. */
export function mean<A extends string>(x: Tensor<A>): Tensor<"">;
export function mean<A extends string, O extends string>(x: Tensor<A>, over: O): Tensor<Without<A, O>>;
export function mean(x: Tensor, over: string = x.axes): Tensor {
  const count = axisNames(over).reduce((product, axis) => product * axisSize(x, axis), 1);
  return mul(sum(x, over) as Tensor, 1 / count);
}

/** The largest value over the named axes; equal largest values share the gradient equally. */
export function max<A extends string>(x: Tensor<A>): Tensor<"">;
export function max<A extends string, O extends string>(x: Tensor<A>, over: O): Tensor<Without<A, O>>;
export function max(x: Tensor, over: string = x.axes): Tensor {
  const axes = axisNames(over);
  if (axes.length === 0) return x;
  return node({
    op: "reduceMax",
    inputs: [x],
    ...without("max", x, axes),
    attributes: { over: axes },
    derivative: (g, of) => {
      const ties = cast(equal(of.inputs[0]!, of), "f32");
      return [mul(ties, div(g, sum(ties, over) as Tensor))];
    },
  });
}

/** Sums away the axes that `like` lacks and puts the rest in its order: the transpose of broadcasting. */
export function sumTo(x: Tensor, like: Tensor): Tensor {
  const keep = axisNames(like.axes);
  const extra = axisNames(x.axes).filter((name) => !keep.includes(name));
  const summed = extra.length > 0 ? (sum(x, extra.join(" ")) as Tensor) : x;
  // A gradient may be constant along an axis that its forward value had: give the axis back.
  return axisNames(summed.axes).length < keep.length
    ? broadcast(summed, like.axes, sizesOf(like))
    : transpose(summed, like.axes);
}
