/** Collects the nodes and constants of one ONNX graph while a program is lowered into it. */
import { axisNames } from "../../tensor/axes.ts";
import type { DType, Tensor } from "../../tensor/tensor.ts";
import type { Attribute, Element, Initializer, OnnxNode } from "./proto.ts";

/** What a device's kernels offer beside the standard operators. */
export interface Features {
  /** `com.microsoft.FusedMatMul`: transposed and scaled products without copies. */
  readonly fusedMatMul: boolean;
}

/** A value in an ONNX graph: its name there, and its positional shape. */
export interface OnnxValue {
  readonly name: string;
  readonly dims: readonly number[];
}

export const ELEMENT_OF: Readonly<Record<DType, Element>> = { f32: "f32", i32: "i32", bool: "bool" };

export class Emitter {
  readonly nodes: OnnxNode[] = [];
  readonly initializers: Initializer[] = [];
  readonly features: Features;
  readonly #constants = new Map<string, string>();
  readonly #made = new Map<string, string>();
  readonly #prefix: string;
  #count = 0;

  /** @param prefix starts every name, so that a graph inside a graph shares none with it */
  constructor(features: Features, prefix = "") {
    this.features = features;
    this.#prefix = prefix;
  }

  /** A name that nothing else in the graph has. */
  fresh(hint: string): string {
    return `${this.#prefix}${hint}_${this.#count++}`;
  }

  /** Adds a node with one output and answers its name; a node that is there already is not added again. */
  emit(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
    domain = "",
  ): string {
    const key = `${op} ${inputs.join(" ")} ${JSON.stringify(attributes)}`;
    const made = this.#made.get(key);
    if (made !== undefined) return made;
    const output = this.fresh(op);
    this.nodes.push({ op, domain, inputs, outputs: [output], attributes });
    this.#made.set(key, output);
    return output;
  }

  /** Adds a node whose outputs have names already. */
  emitInto(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>> = {},
  ): void {
    this.nodes.push({ op, domain: "", inputs, outputs, attributes });
  }

  /**
   * All nodes, with values under the names of the graph's outputs. A node that makes an output writes it under that name; only what is asked
   * for twice, or made by no node, is copied.
   *
   * @param outputs a value's name here, and the output's
   */
  nodesFor(outputs: readonly (readonly [value: string, output: string])[]): readonly OnnxNode[] {
    const made = new Set(this.nodes.flatMap((node) => node.outputs));
    const names = new Map<string, string>();
    const copies: OnnxNode[] = [];
    for (const [value, output] of outputs) {
      if (made.has(value) && !names.has(value)) names.set(value, output);
      else copies.push({ op: "Identity", domain: "", inputs: [value], outputs: [output], attributes: {} });
    }
    const named = (list: readonly string[]): readonly string[] => list.map((name) => names.get(name) ?? name);
    return [...this.nodes, ...copies].map((node) => ({
      ...node,
      inputs: named(node.inputs),
      outputs: named(node.outputs),
    }));
  }

  /** A constant, stored once however often it is asked for. */
  constant(element: Element, dims: readonly number[], data: ArrayLike<number>): string {
    const key = `${element} ${dims.join()} ${Array.from(data).join()}`;
    const known = this.#constants.get(key);
    if (known !== undefined) return known;
    const name = this.fresh("constant");
    this.initializers.push({ name, element, dims, data });
    this.#constants.set(key, name);
    return name;
  }

  /** A list of whole numbers, as shapes and axes are given. */
  ints(list: readonly number[]): string {
    return this.constant("i64", [list.length], list);
  }

  /** The same numbers under another positional shape; nothing at all where it is the shape already. */
  reshape(x: OnnxValue, dims: readonly number[]): OnnxValue {
    if (dims.length === x.dims.length && dims.every((dim, i) => dim === x.dims[i])) return x;
    return { name: this.emit("Reshape", [x.name, this.ints(dims)]), dims };
  }

  /** Positions put in another order: `order[i]` is which of the old positions comes i-th. */
  permute(x: OnnxValue, order: readonly number[]): OnnxValue {
    if (order.every((from, to) => from === to)) return x;
    const dims = order.map((from) => x.dims[from]!);
    // Moving axes of size one changes no number's place.
    const kept = order.filter((from) => x.dims[from]! !== 1);
    if (kept.every((from, i) => i === 0 || kept[i - 1]! < from)) return this.reshape(x, dims);
    return { name: this.emit("Transpose", [x.name], { perm: order }), dims };
  }
}

/**
 * A tensor's value arranged so that ONNX's positional broadcasting against `axes` does what ours does by name:
 * its axes in that order, with ones for those it lacks.
 */
export function aligned(emitter: Emitter, value: OnnxValue, tensor: Tensor, axes: string): string {
  const names = axisNames(axes);
  const own = axisNames(tensor.axes);
  if (own.length === 0) return value.name;
  const present = names.filter((name) => own.includes(name));
  const ordered = emitter.permute(
    value,
    present.map((name) => own.indexOf(name)),
  );
  const first = names.indexOf(present[0]!);
  const dims = names.slice(first).map((name) => (own.includes(name) ? tensor.shape[own.indexOf(name)]! : 1));
  return emitter.reshape(ordered, dims).name;
}
