/** Reading and writing by index, in ONNX operators. */
import { axisNames } from "../../tensor/axes.ts";
import type { NodeOf, Tensor } from "../../tensor/tensor.ts";
import type { Emitter, OnnxValue } from "./emitter.ts";
import { ELEMENT } from "./proto.ts";

type Values = readonly OnnxValue[];

/** Where an axis stands among those of a tensor: ONNX counts them. */
export const position = (x: Tensor, axis: string): number => axisNames(x.axes).indexOf(axis);

function zeros(emitter: Emitter, dims: readonly number[]): string {
  return emitter.emit("Expand", [emitter.constant("f32", [], [0]), emitter.ints(dims)]);
}

/** Rows of a table: `Gather`. */
export function gatherRows(emitter: Emitter, node: NodeOf<"gather">, [table, indices]: Values): OnnxValue {
  const axis = position(node.inputs[0]!, node.attributes.axis);
  return { name: emitter.emit("Gather", [table!.name, indices!.name], { axis }), dims: node.shape };
}

/** Rows added into a table of zeros: `ScatterND`, which writes along the first axis. */
export function scatterRows(emitter: Emitter, node: NodeOf<"scatterAdd">, [values, indices]: Values): OnnxValue {
  const { axis } = node.attributes;
  const [source, index] = node.inputs as [Tensor, Tensor];
  const indexNames = axisNames(index.axes);
  const rest = axisNames(node.axes).filter((name) => name !== axis);
  const rows = emitter.permute(
    values!,
    [...indexNames, ...rest].map((name) => position(source, name)),
  );
  const sizeAlong = (name: string): number => node.shape[position(node, name)]!;
  const dims = [sizeAlong(axis), ...rest.map(sizeAlong)];
  const where = emitter.emit("Cast", [emitter.reshape(indices!, [...index.shape, 1]).name], { to: ELEMENT.i64 });
  const name = emitter.emit("ScatterND", [zeros(emitter, dims), where, rows.name], { reduction: "add" });
  const order = [axis, ...rest];
  return emitter.permute(
    { name, dims },
    axisNames(node.axes).map((axisName) => order.indexOf(axisName)),
  );
}

/** Indices arranged like the tensor they index, with their own axis, or one of size 1, in the place of `axis`. */
function arranged(emitter: Emitter, x: Tensor, axis: string, index: Tensor, value: OnnxValue): OnnxValue {
  const own = axisNames(index.axes).find((name) => !axisNames(x.axes).includes(name));
  const names = axisNames(x.axes).flatMap((name) => (name === axis ? (own === undefined ? [] : [own]) : [name]));
  const ordered = emitter.permute(
    value,
    names.map((name) => position(index, name)),
  );
  const dims = axisNames(x.axes).map((name, i) =>
    name !== axis ? x.shape[i]! : own === undefined ? 1 : index.shape[position(index, own)]!,
  );
  return emitter.reshape(ordered, dims);
}

/** Single elements along an axis: `GatherElements`. */
export function gatherElements(emitter: Emitter, node: NodeOf<"takeAlong">, [x, indices]: Values): OnnxValue {
  const [source, index] = node.inputs as [Tensor, Tensor];
  const { axis } = node.attributes;
  const where = arranged(emitter, source, axis, index, indices!);
  const name = emitter.emit("GatherElements", [x!.name, where.name], { axis: position(source, axis) });
  return emitter.reshape({ name, dims: where.dims }, node.shape);
}

/** Single elements added into zeros: `ScatterElements`. */
export function scatterElements(emitter: Emitter, node: NodeOf<"scatterAlong">, [values, indices]: Values): OnnxValue {
  const [, index] = node.inputs as [Tensor, Tensor];
  const { axis } = node.attributes;
  const where = arranged(emitter, node, axis, index, indices!);
  const updates = emitter.reshape(values!, where.dims);
  const name = emitter.emit("ScatterElements", [zeros(emitter, node.shape), where.name, updates.name], {
    axis: position(node, axis),
    reduction: "add",
  });
  return { name, dims: node.shape };
}

/** The places of the largest values: the second output of `TopK`. */
export function topKIndices(emitter: Emitter, node: NodeOf<"topKIndices">, [x]: Values): OnnxValue {
  const { axis, k } = node.attributes;
  const [found, places] = [emitter.fresh("topK"), emitter.fresh("places")];
  const attributes = { axis: position(node.inputs[0]!, axis), largest: 1, sorted: 1 };
  emitter.emitInto("TopK", [x!.name, emitter.ints([k])], [found, places], attributes);
  return { name: emitter.emit("Cast", [places], { to: ELEMENT.i32 }), dims: node.shape };
}
