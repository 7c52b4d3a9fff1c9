/**
 * ONNX models as bytes: the few messages of onnx.proto3 that our programs need, by their published field numbers.
 */
import { PbfWriter } from "pbf";

/** Element types of `TensorProto`. */
export const ELEMENT = { f32: 1, u8: 2, i32: 6, i64: 7, bool: 9 } as const;
export type Element = keyof typeof ELEMENT;

/** Constant numbers stored in a model. */
export interface Initializer {
  readonly name: string;
  readonly element: Element;
  readonly dims: readonly number[];
  readonly data: ArrayLike<number>;
}

/** A graph's input or output. A dimension may be a name, for a size that is known only when it runs. */
export interface ValueInfo {
  readonly name: string;
  readonly element: Element;
  readonly dims: readonly (number | string)[];
}

export type Attribute = number | string | readonly number[] | { readonly float: number } | { readonly graph: Graph };

export interface OnnxNode {
  readonly op: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly Initializer[];
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

const OPSET = 21;
const IR_VERSION = 10;

/** A whole model: one graph, the standard operators and ONNX Runtime's own. */
export function encodeModel(graph: Graph): Uint8Array {
  const pbf = new PbfWriter();
  pbf.writeVarintField(1, IR_VERSION);
  pbf.writeStringField(2, "mechanist");
  pbf.writeMessage(7, writeGraph, graph);
  for (const [domain, version] of [
    ["", OPSET],
    ["com.microsoft", 1],
  ] as const) {
    pbf.writeMessage(
      8,
      (_, out) => {
        out.writeStringField(1, domain);
        out.writeVarintField(2, version);
      },
      undefined,
    );
  }
  return pbf.finish();
}

function writeGraph(graph: Graph, pbf: PbfWriter): void {
  for (const node of graph.nodes) pbf.writeMessage(1, writeNode, node);
  pbf.writeStringField(2, graph.name);
  for (const initializer of graph.initializers) pbf.writeMessage(5, writeInitializer, initializer);
  for (const input of graph.inputs) pbf.writeMessage(11, writeValueInfo, input);
  for (const output of graph.outputs) pbf.writeMessage(12, writeValueInfo, output);
}

function writeNode(node: OnnxNode, pbf: PbfWriter): void {
  for (const input of node.inputs) pbf.writeStringField(1, input);
  for (const output of node.outputs) pbf.writeStringField(2, output);
  pbf.writeStringField(3, `${node.op}:${node.outputs[0]}`);
  pbf.writeStringField(4, node.op);
  for (const entry of Object.entries(node.attributes)) pbf.writeMessage(5, writeAttribute, entry);
  if (node.domain !== "") pbf.writeStringField(7, node.domain);
}

const ATTRIBUTE = { float: 1, int: 2, string: 3, graph: 5, ints: 7 } as const;

function writeAttribute([name, value]: [string, Attribute], pbf: PbfWriter): void {
  pbf.writeStringField(1, name);
  if (typeof value === "number") {
    pbf.writeVarintField(3, value);
    pbf.writeVarintField(20, ATTRIBUTE.int);
  } else if (typeof value === "string") {
    pbf.writeStringField(4, value);
    pbf.writeVarintField(20, ATTRIBUTE.string);
  } else if ("float" in value) {
    pbf.writeFloatField(2, value.float);
    pbf.writeVarintField(20, ATTRIBUTE.float);
  } else if ("graph" in value) {
    pbf.writeMessage(6, writeGraph, value.graph);
    pbf.writeVarintField(20, ATTRIBUTE.graph);
  } else {
    for (const item of value) pbf.writeVarintField(8, item);
    pbf.writeVarintField(20, ATTRIBUTE.ints);
  }
}

function writeInitializer(x: Initializer, pbf: PbfWriter): void {
  for (const dim of x.dims) pbf.writeVarintField(1, dim);
  pbf.writeVarintField(2, ELEMENT[x.element]);
  pbf.writeStringField(8, x.name);
  pbf.writeBytesField(9, rawBytes(x.element, x.data));
}

function rawBytes(element: Element, data: ArrayLike<number>): Uint8Array {
  if (element === "i64") return new Uint8Array(BigInt64Array.from(Array.from(data, BigInt)).buffer);
  if (element === "f32") return new Uint8Array(Float32Array.from(data).buffer);
  if (element === "i32") return new Uint8Array(Int32Array.from(data).buffer);
  return Uint8Array.from(data);
}

function writeValueInfo(value: ValueInfo, pbf: PbfWriter): void {
  pbf.writeStringField(1, value.name);
  pbf.writeMessage(
    2,
    (_, type) => {
      type.writeMessage(
        1,
        (__, tensor) => {
          tensor.writeVarintField(1, ELEMENT[value.element]);
          tensor.writeMessage(
            2,
            (dims, shape) => {
              for (const dim of dims) {
                shape.writeMessage(
                  1,
                  (size, out) => {
                    if (typeof size === "number") out.writeVarintField(1, size);
                    else out.writeStringField(2, size);
                  },
                  dim,
                );
              }
            },
            value.dims,
          );
        },
        undefined,
      );
    },
    undefined,
  );
}
