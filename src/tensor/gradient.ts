/** Reverse-mode differentiation of traced programs. */
import { MechanistError } from "../error.ts";
import { add } from "./ops/arithmetic.ts";
import { transpose } from "./ops/shape.ts";
import { constant, scalar, sizesOf, type Tensor } from "./tensor.ts";
import { inTopologicalOrder } from "./traverse.ts";

/**
 * The gradients of a scalar with respect to some tensors, as new nodes of the program.
 * A tensor that the scalar does not depend on has the gradient zero.
 *
 * @param loss a tensor without axes
 * @param wrt  what to differentiate by
 */
export function gradients<const T extends readonly Tensor[]>(loss: Tensor, wrt: T): { -readonly [K in keyof T]: T[K] } {
  if (loss.axes !== "") {
    throw new MechanistError("ShapeMismatch", `gradients: expected a scalar loss, got axes "${loss.axes}"`);
  }
  const order = inTopologicalOrder([loss]);
  // Only nodes that depend on something in `wrt` carry a gradient; the rest would be wasted work.
  const dependent = new Set<Tensor>(wrt);
  for (const tensor of order) {
    if (tensor.derivative !== undefined && tensor.inputs.some((x) => dependent.has(x))) dependent.add(tensor);
  }
  const flowing = new Map<Tensor, Tensor>([[loss, scalar(1)]]);
  // Walked from the end, each node comes after all that use it, so its gradient is complete when it is met.
  for (const tensor of order.reverse()) {
    const gradient = flowing.get(tensor);
    if (gradient === undefined || tensor.derivative === undefined || !dependent.has(tensor)) continue;
    const inward = tensor.derivative(gradient, tensor);
    tensor.inputs.forEach((x, i) => {
      if (inward[i] === undefined || !dependent.has(x)) return;
      // What lies behind may count positions, as `reshape` does: a gradient has its tensor's order of axes.
      const part = transpose(inward[i], x.axes);
      const sofar = flowing.get(x);
      flowing.set(x, sofar === undefined ? part : add(sofar, part));
    });
  }
  return wrt.map((x) => flowing.get(x) ?? constant(x.axes, sizesOf(x), 0)) as { -readonly [K in keyof T]: T[K] };
}

/** Tensors by name, as a function of named weights takes them. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A function's value together with its gradient with respect to each named tensor. */
export function valueAndGrad<P extends Tensors>(
  loss: (parameters: P) => Tensor<"">,
): (parameters: P) => {
  value: Tensor<"">;
  gradient: P;
} {
  return (parameters) => {
    const value = loss(parameters);
    const names = Object.keys(parameters);
    const found = gradients(
      value,
      names.map((name) => parameters[name]!),
    );
    return { value, gradient: Object.fromEntries(names.map((name, i) => [name, found[i]!])) as unknown as P };
  };
}

/** The gradient of a function with respect to each named tensor. */
export function grad<P extends Tensors>(loss: (parameters: P) => Tensor<"">): (parameters: P) => P {
  return (parameters) => valueAndGrad(loss)(parameters).gradient;
}
