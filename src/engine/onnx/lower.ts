/** One entry for every operation: the ONNX operators that compute it. */
import { axisNames, sizeOf } from "../../tensor/axes.ts";
import type { OpName } from "../../tensor/op.ts";
import type { NodeOf, Tensor } from "../../tensor/tensor.ts";
import { inTopologicalOrder } from "../../tensor/traverse.ts";
import { lowerEinsum } from "./einsum.ts";
import { aligned, ELEMENT_OF, type Emitter, type OnnxValue } from "./emitter.ts";
import { gatherElements, gatherRows, position, scatterElements, scatterRows, topKIndices } from "./indexing.ts";
import { ELEMENT } from "./proto.ts";

type Lower<K extends OpName> = (emitter: Emitter, node: NodeOf<K>, values: readonly OnnxValue[]) => OnnxValue;
type Lowered = Exclude<OpName, "input">;

/**
 * Lowers everything the outputs need.
 *
 * @param given the graph's values for the program's inputs, by tensor
 * @returns     the graph's values for the outputs
 */
export function lower(
  emitter: Emitter,
  outputs: readonly Tensor[],
  given: (input: NodeOf<"input">) => OnnxValue,
): readonly OnnxValue[] {
  const values = new Map<Tensor, OnnxValue>();
  for (const node of inTopologicalOrder(outputs)) {
    const inputs = node.inputs.map((x) => values.get(x)!);
    const value =
      node.op === "input"
        ? given(node as NodeOf<"input">)
        : (LOWER[node.op as Lowered] as Lower<OpName>)(emitter, node as NodeOf<OpName>, inputs);
    values.set(node, value);
  }
  return outputs.map((x) => values.get(x)!);
}

const pointwise =
  (op: string): Lower<OpName> =>
  (emitter, node, values) => ({
    name: emitter.emit(
      op,
      node.inputs.map((x, i) => aligned(emitter, values[i]!, x, node.axes)),
    ),
    dims: node.shape,
  });

const along =
  (op: string): Lower<"softmax" | "logSoftmax"> =>
  (emitter, node, [x]) => ({
    name: emitter.emit(op, [x!.name], { axis: position(node, node.attributes.axis) }),
    dims: node.shape,
  });

const reduction =
  (op: string): Lower<"sum" | "reduceMax"> =>
  (emitter, node, [x]) => {
    const axes = node.attributes.over.map((axis) => position(node.inputs[0]!, axis)).sort((a, b) => a - b);
    return { name: emitter.emit(op, [x!.name, emitter.ints(axes)], { keepdims: 0 }), dims: node.shape };
  };

const sameValue: Lower<OpName> = (emitter, node, [x]) => emitter.reshape(x!, node.shape);

const LOWER: { readonly [K in Lowered]: Lower<K> } = {
  constant: (emitter, node) => {
    const { data } = node.attributes;
    const element = ELEMENT_OF[node.dtype];
    const size = sizeOf(node.shape);
    if (data.length === size) return { name: emitter.constant(element, node.shape, data), dims: node.shape };
    const one = emitter.constant(element, [], data);
    return { name: emitter.emit("Expand", [one, emitter.ints(node.shape)]), dims: node.shape };
  },
  identity: sameValue,
  rename: sameValue,
  reshape: sameValue,
  neg: pointwise("Neg"),
  abs: pointwise("Abs"),
  sign: pointwise("Sign"),
  floor: pointwise("Floor"),
  exp: pointwise("Exp"),
  log: pointwise("Log"),
  sqrt: pointwise("Sqrt"),
  reciprocal: pointwise("Reciprocal"),
  erf: pointwise("Erf"),
  tanh: pointwise("Tanh"),
  sigmoid: pointwise("Sigmoid"),
  relu: pointwise("Relu"),
  sin: pointwise("Sin"),
  cos: pointwise("Cos"),
  not: pointwise("Not"),
  add: pointwise("Add"),
  sub: pointwise("Sub"),
  mul: pointwise("Mul"),
  div: pointwise("Div"),
  pow: pointwise("Pow"),
  maximum: pointwise("Max"),
  minimum: pointwise("Min"),
  less: pointwise("Less"),
  lessEqual: pointwise("LessOrEqual"),
  equal: pointwise("Equal"),
  and: pointwise("And"),
  or: pointwise("Or"),
  where: pointwise("Where"),
  cast: (emitter, node, [x]) => ({
    name: emitter.emit("Cast", [x!.name], { to: ELEMENT[ELEMENT_OF[node.dtype]] }),
    dims: node.shape,
  }),
  clamp: (emitter, node, [x]) => {
    const { low, high } = node.attributes;
    const bounds = [low, high].map((bound) => emitter.constant("f32", [], [bound]));
    return { name: emitter.emit("Clip", [x!.name, ...bounds]), dims: node.shape };
  },
  sum: reduction("ReduceSum"),
  reduceMax: reduction("ReduceMax"),
  softmax: along("Softmax"),
  logSoftmax: along("LogSoftmax"),
  einsum: lowerEinsum,
  transpose: (emitter, node, [x]) =>
    emitter.permute(
      x!,
      axisNames(node.axes).map((name) => position(node.inputs[0]!, name)),
    ),
  broadcast: (emitter, node, [x]) => ({
    name: emitter.emit("Expand", [aligned(emitter, x!, node.inputs[0]!, node.axes), emitter.ints(node.shape)]),
    dims: node.shape,
  }),
  slice: (emitter, node, [x]) => {
    const { axis, start, end } = node.attributes;
    const at = [[start], [end], [position(node, axis)]].map((list) => emitter.ints(list));
    return { name: emitter.emit("Slice", [x!.name, ...at]), dims: node.shape };
  },
  concat: (emitter, node, values) => ({
    name: emitter.emit(
      "Concat",
      values.map((x) => x.name),
      { axis: position(node, node.attributes.axis) },
    ),
    dims: node.shape,
  }),
  pad: (emitter, node, [x]) => {
    const { axis, before, after, value } = node.attributes;
    const at = position(node, axis);
    const rank = node.shape.length;
    const pads = Array.from({ length: 2 * rank }, (_, i) => (i === at ? before : i === rank + at ? after : 0));
    const fill = emitter.constant(ELEMENT_OF[node.dtype], [], [value]);
    return { name: emitter.emit("Pad", [x!.name, emitter.ints(pads), fill]), dims: node.shape };
  },
  gather: gatherRows,
  scatterAdd: scatterRows,
  takeAlong: gatherElements,
  scatterAlong: scatterElements,
  topKIndices,
};
