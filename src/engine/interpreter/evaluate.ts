/**
 * One entry for every operation: its meaning in float64, written to be obviously right rather than fast.
 * Arrays are walked by axis name, so the order of axes in memory never matters here.
 */
import { MechanistError } from "../../error.ts";
import { axisNames, sizeOf } from "../../tensor/axes.ts";
import type { OpName } from "../../tensor/op.ts";
import { axisSize, type NodeOf, type Tensor } from "../../tensor/tensor.ts";
import { BINARY, type BinaryName, UNARY, type UnaryName } from "./elementwise.ts";
import { forEachIndex, stridesByName } from "./strides.ts";

type Evaluate<K extends OpName> = (node: NodeOf<K>, inputs: readonly Float64Array[]) => Float64Array;
type Computed = Exclude<OpName, "input">;

/** The numbers of a node from the numbers of its inputs. */
export function evaluate(node: Tensor, inputs: readonly Float64Array[]): Float64Array {
  return (EVALUATE[node.op as Computed] as Evaluate<OpName>)(node as NodeOf<OpName>, inputs);
}

const stridesOf = (x: Tensor): Record<string, number> => stridesByName(x.axes, x.shape);
const emptyFor = (node: Tensor): Float64Array => new Float64Array(sizeOf(node.shape));

/** Applies a function of numbers at every index of the node's axes, repeating inputs along axes they lack. */
function pointwise(node: Tensor, inputs: readonly Float64Array[], f: (...xs: number[]) => number): Float64Array {
  const out = emptyFor(node);
  const args = inputs.map(() => 0);
  forEachIndex(node.axes, node.shape, node.inputs.map(stridesOf), (position, offsets) => {
    for (let i = 0; i < args.length; i++) args[i] = inputs[i]![offsets[i]!]!;
    out[position] = f(...args);
  });
  return out;
}

const unary =
  (name: UnaryName): Evaluate<OpName> =>
  (node, inputs) =>
    pointwise(node, inputs, UNARY[name]);
const binary =
  (name: BinaryName): Evaluate<OpName> =>
  (node, inputs) =>
    pointwise(node, inputs, BINARY[name]);

/** Folds every element of the input into the element of the result that shares its index. */
function reduce(node: Tensor, x: Float64Array, start: number, fold: (a: number, b: number) => number): Float64Array {
  const out = emptyFor(node).fill(start);
  const [input] = node.inputs;
  forEachIndex(input!.axes, input!.shape, [stridesOf(node)], (position, [at]) => {
    out[at!] = fold(out[at!]!, x[position]!);
  });
  return out;
}

/** Copies by name: reads the input where its index, with `shift` added along `axis`, agrees with the result's. */
function copy(node: Tensor, x: Float64Array): Float64Array {
  const out = emptyFor(node);
  forEachIndex(node.axes, node.shape, [stridesOf(node.inputs[0]!)], (position, [at]) => {
    out[position] = x[at!]!;
  });
  return out;
}

/** Writes the input into the result, moved by `shift` along `axis`; what falls outside is dropped. */
function place(node: Tensor, source: Tensor, x: Float64Array, axis: string, shift: number, out: Float64Array): void {
  const at = axisNames(node.axes).indexOf(axis);
  const target = stridesOf(node);
  const own = stridesByName(source.axes, source.shape);
  forEachIndex(source.axes, source.shape, [target], (position, [offset]) => {
    const along = Math.floor(position / own[axis]!) % source.shape[at]!;
    const moved = along + shift;
    if (moved >= 0 && moved < node.shape[at]!) out[offset! + shift * target[axis]!] = x[position]!;
  });
}

type Indexed = NodeOf<"gather" | "takeAlong" | "scatterAdd" | "scatterAlong">;

/** How to walk a tensor with its place along `axis` left open, and how far into it an index along `axis` lies. */
function openAlong(x: Tensor, axis: string): { reach: (index: number) => number; others: Record<string, number> } {
  const { [axis]: stride, ...others } = stridesOf(x);
  const size = axisSize(x, axis);
  const reach = (index: number): number => {
    if (!(index >= 0 && index < size)) {
      throw new MechanistError("BadArgument", `index ${index}: outside axis ${axis} of size ${size}`, { axis, index });
    }
    return index * stride!;
  };
  return { reach, others };
}

/** Reads the first input at an index along the attribute's axis; all other axes agree by name. */
function pick(node: Indexed, x: Float64Array, indices: Float64Array): Float64Array {
  const { reach, others } = openAlong(node.inputs[0]!, node.attributes.axis);
  const out = emptyFor(node);
  forEachIndex(node.axes, node.shape, [others, stridesOf(node.inputs[1]!)], (position, [offset, at]) => {
    out[position] = x[offset! + reach(indices[at!]!)]!;
  });
  return out;
}

/** Adds the first input into zeros at an index along the attribute's axis. */
function drop(node: Indexed, values: Float64Array, indices: Float64Array): Float64Array {
  const { reach, others } = openAlong(node, node.attributes.axis);
  const [source, index] = node.inputs as [Tensor, Tensor];
  const out = emptyFor(node);
  forEachIndex(source.axes, source.shape, [others, stridesOf(index)], (position, [offset, at]) => {
    out[offset! + reach(indices[at!]!)]! += values[position]!;
  });
  return out;
}

function normalizeAlong(node: NodeOf<"softmax" | "logSoftmax">, x: Float64Array, inLog: boolean): Float64Array {
  const { axis } = node.attributes;
  const out = emptyFor(node);
  const at = axisNames(node.axes).indexOf(axis);
  const size = node.shape[at]!;
  const stride = stridesOf(node)[axis]!;
  for (let start = 0; start < x.length; start++) {
    if (Math.floor(start / stride) % size !== 0) continue;
    let top = -Infinity;
    for (let i = 0; i < size; i++) top = Math.max(top, x[start + i * stride]!);
    let total = 0;
    for (let i = 0; i < size; i++) total += Math.exp(x[start + i * stride]! - top);
    for (let i = 0; i < size; i++) {
      const log = x[start + i * stride]! - top - Math.log(total);
      out[start + i * stride] = inLog ? log : Math.exp(log);
    }
  }
  return out;
}

const EVALUATE: { readonly [K in Computed]: Evaluate<K> } = {
  constant: (node) => {
    const { data } = node.attributes;
    return data.length === 1 ? emptyFor(node).fill(data[0]!) : Float64Array.from(data);
  },
  identity: (_, [x]) => x!,
  neg: unary("neg"),
  abs: unary("abs"),
  sign: unary("sign"),
  floor: unary("floor"),
  exp: unary("exp"),
  log: unary("log"),
  sqrt: unary("sqrt"),
  reciprocal: unary("reciprocal"),
  erf: unary("erf"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  relu: unary("relu"),
  sin: unary("sin"),
  cos: unary("cos"),
  not: unary("not"),
  cast: (node, inputs) =>
    pointwise(node, inputs, (x) =>
      node.dtype === "bool" ? Number(x !== 0) : node.dtype === "i32" ? Math.trunc(x) : x,
    ),
  clamp: (node, inputs) =>
    pointwise(node, inputs, (x) => Math.min(Math.max(x, node.attributes.low), node.attributes.high)),
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  pow: binary("pow"),
  maximum: binary("maximum"),
  minimum: binary("minimum"),
  less: binary("less"),
  lessEqual: binary("lessEqual"),
  equal: binary("equal"),
  and: binary("and"),
  or: binary("or"),
  where: (node, inputs) => pointwise(node, inputs, (c, a, b) => (c ? a! : b!)),
  sum: (node, [x]) => reduce(node, x!, 0, (a, b) => a + b),
  reduceMax: (node, [x]) => reduce(node, x!, -Infinity, Math.max),
  einsum: (node, [x, y]) => {
    const [a, b] = node.inputs as [Tensor, Tensor];
    const sizes = new Map<string, number>();
    for (const t of [a, b]) axisNames(t.axes).forEach((name, i) => sizes.set(name, t.shape[i]!));
    const out = emptyFor(node);
    const all = [stridesOf(a), stridesOf(b), stridesOf(node)];
    forEachIndex([...sizes.keys()].join(" "), [...sizes.values()], all, (_, [i, j, k]) => {
      out[k!]! += x![i!]! * y![j!]!;
    });
    return node.attributes.alpha === 1 ? out : out.map((value) => value * node.attributes.alpha);
  },
  softmax: (node, [x]) => normalizeAlong(node, x!, false),
  logSoftmax: (node, [x]) => normalizeAlong(node, x!, true),
  rename: (_, [x]) => x!,
  reshape: (_, [x]) => x!,
  transpose: (node, [x]) => copy(node, x!),
  broadcast: (node, [x]) => copy(node, x!),
  slice: (node, [x]) => {
    const out = emptyFor(node);
    place(node, node.inputs[0]!, x!, node.attributes.axis, -node.attributes.start, out);
    return out;
  },
  concat: (node, inputs) => {
    const out = emptyFor(node);
    const at = axisNames(node.axes).indexOf(node.attributes.axis);
    let start = 0;
    inputs.forEach((x, i) => {
      place(node, node.inputs[i]!, x, node.attributes.axis, start, out);
      start += node.inputs[i]!.shape[at]!;
    });
    return out;
  },
  pad: (node, [x]) => {
    const out = emptyFor(node).fill(node.attributes.value);
    place(node, node.inputs[0]!, x!, node.attributes.axis, node.attributes.before, out);
    return out;
  },
  gather: (node, [x, indices]) => pick(node, x!, indices!),
  takeAlong: (node, [x, indices]) => pick(node, x!, indices!),
  scatterAdd: (node, [values, indices]) => drop(node, values!, indices!),
  scatterAlong: (node, [values, indices]) => drop(node, values!, indices!),
  topKIndices: (node, [x]) => {
    const [t] = node.inputs as [Tensor];
    const { axis, k } = node.attributes;
    const size = axisSize(t, axis);
    const stride = stridesOf(t)[axis]!;
    const own = axisNames(node.axes).find((name) => !axisNames(t.axes).includes(name)) ?? axis;
    const step = stridesOf(node)[own]!;
    const out = emptyFor(node);
    const rows = axisNames(t.axes).filter((name) => name !== axis);
    const shape = rows.map((name) => axisSize(t, name));
    forEachIndex(rows.join(" "), shape, [stridesOf(t), stridesOf(node)], (_, [from, to]) => {
      const order = Array.from({ length: size }, (__, i) => i).sort(
        (a, b) => x![from! + b * stride]! - x![from! + a * stride]! || a - b,
      );
      for (let i = 0; i < k; i++) out[to! + i * step] = order[i]!;
    });
    return out;
  },
};
