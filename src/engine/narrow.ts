/**
 * Computes only what is read. Where the end of a program reads one position of the logits, the last layers need not be computed at the
 * others: from the outputs backwards, each node is told which range of each of its axes somebody reads, and is then
 * computed in that range alone. No number that is read changes.
 */
import { axisNames, sizeOf } from "../tensor/axes.ts";
import type { OpName } from "../tensor/op.ts";
import { slice } from "../tensor/ops/shape.ts";
import { isOp, type Tensor } from "../tensor/tensor.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";

/** From the first index to before the last, one for each axis of a tensor in its order. */
type Ranges = readonly (readonly [number, number])[];

/** Which ranges of an input a node reads when somebody reads some of it. */
type Demand = (node: Tensor, needed: Ranges, input: Tensor) => Ranges;

/**
 * The same outputs, without what nobody reads. Nodes keep their derivatives, so that gradients of the outputs are as small.
 *
 * @param leaves what stays as it is and is looked no further behind, as what gradients are taken by has to
 */
export function narrow<O extends Readonly<Record<string, Tensor>>>(outputs: O, leaves: readonly Tensor[] = []): O {
  const kept = new Set(leaves);
  const inputsOf = (node: Tensor): readonly Tensor[] => (kept.has(node) ? [] : node.inputs);
  const order = inTopologicalOrder(Object.values(outputs));
  // Narrowing begins at slices: without one there is nothing to do.
  if (!order.some((x) => x.op === "slice")) return outputs;
  const needed = new Map<Tensor, Ranges>(Object.values(outputs).map((x) => [x, whole(x)]));
  for (const node of order.toReversed()) {
    const read = needed.get(node);
    if (read === undefined) continue; // lies behind a leaf
    const computed = kept.has(node) ? whole(node) : computable(node, read);
    needed.set(node, computed);
    for (const input of inputsOf(node)) {
      const demanded = demandOf(node, computed, input);
      const before = needed.get(input);
      needed.set(input, before === undefined ? demanded : hull(before, demanded));
    }
  }
  const rebuilt = new Map<Tensor, Tensor>();
  const slices = new Map<string, Tensor>();
  const ids = new Map<Tensor, number>(order.map((x, i) => [x, i]));
  /** The part of a node that its reader wants, cut from the part that is computed. */
  const part = (input: Tensor, wanted: Ranges): Tensor => {
    const key = `${ids.get(input)} ${wanted.join(" ")}`;
    const known = slices.get(key);
    if (known !== undefined) return known;
    let x = rebuilt.get(input)!;
    axisNames(input.axes).forEach((axis, i) => {
      const [[low, high], [from]] = [wanted[i]!, needed.get(input)![i]!];
      x = slice(x, axis, low - from, high - from);
    });
    slices.set(key, x);
    return x;
  };
  for (const node of order) {
    const ranges = needed.get(node);
    if (ranges === undefined) continue;
    const inputs = inputsOf(node).map((input) => part(input, demandOf(node, ranges, input)));
    rebuilt.set(node, inputs.length === 0 ? node : rebuild(node, ranges, inputs));
  }
  return Object.fromEntries(Object.entries(outputs).map(([name, x]) => [name, rebuilt.get(x)!])) as O;
}

const whole = (x: Tensor): Ranges => x.shape.map((size) => [0, size] as const);

function hull(a: Ranges, b: Ranges): Ranges {
  return a.map(([low, high], i) => [Math.min(low, b[i]![0]), Math.max(high, b[i]![1])] as const);
}

/** What is computed of a node where some of it is needed: the whole along axes that can only be computed as a whole. */
function computable(node: Tensor, needed: Ranges): Ranges {
  const demand = DEMANDS[node.op];
  if (demand === undefined) return whole(node);
  const fixed = FIXED[node.op]?.(node) ?? [];
  return axisNames(node.axes).map((axis, i) => (fixed.includes(axis) ? [0, node.shape[i]!] : needed[i]!));
}

function rebuild(node: Tensor, ranges: Ranges, inputs: readonly Tensor[]): Tensor {
  // What a slice reads of its input is what is wanted of the slice.
  if (isOp(node, "slice")) return inputs[0]!;
  const shape = ranges.map(([low, high]) => high - low);
  const same = inputs.every((x, i) => x === node.inputs[i]) && shape.every((size, i) => size === node.shape[i]);
  return same ? node : { ...node, inputs, shape };
}

/** All of an axis is read unless the node's own axis of that name is in step with it. */
function byName(node: Tensor, needed: Ranges, input: Tensor, inStep: (axis: string) => boolean = () => true): Ranges {
  const names = axisNames(node.axes);
  return axisNames(input.axes).map((axis, i) => {
    const at = names.indexOf(axis);
    return at >= 0 && inStep(axis) ? needed[at]! : ([0, input.shape[i]!] as const);
  });
}

const alongOthers =
  (axisOf: (node: Tensor) => string): Demand =>
  (node, needed, input) =>
    byName(node, needed, input, (axis) => axis !== axisOf(node));
const axisAttribute = (node: Tensor): string => (node.attributes as { readonly axis: string }).axis;
const everywhere: Demand = byName;

/** A node's inputs, where not the whole of each is read whatever is read of the node. */
const DEMANDS: Partial<Record<OpName, Demand>> = {
  identity: everywhere,
  neg: everywhere,
  abs: everywhere,
  sign: everywhere,
  floor: everywhere,
  exp: everywhere,
  log: everywhere,
  sqrt: everywhere,
  reciprocal: everywhere,
  erf: everywhere,
  tanh: everywhere,
  sigmoid: everywhere,
  relu: everywhere,
  sin: everywhere,
  cos: everywhere,
  not: everywhere,
  cast: everywhere,
  clamp: everywhere,
  add: everywhere,
  sub: everywhere,
  mul: everywhere,
  div: everywhere,
  pow: everywhere,
  maximum: everywhere,
  minimum: everywhere,
  less: everywhere,
  lessEqual: everywhere,
  equal: everywhere,
  and: everywhere,
  or: everywhere,
  where: everywhere,
  // What is summed is read as a whole: the result has no axis of that name.
  sum: everywhere,
  reduceMax: everywhere,
  einsum: everywhere,
  transpose: everywhere,
  broadcast: everywhere,
  softmax: alongOthers(axisAttribute),
  logSoftmax: alongOthers(axisAttribute),
  concat: alongOthers(axisAttribute),
  pad: alongOthers(axisAttribute),
  takeAlong: alongOthers(axisAttribute),
  gather: (node, needed, input) =>
    input === node.inputs[0] ? alongOthers(axisAttribute)(node, needed, input) : byName(node, needed, input),
  rename: (_, needed) => needed,
  slice: (node, needed, input) => {
    const { axis, start } = node.attributes as { readonly axis: string; readonly start: number };
    return axisNames(input.axes).map((name, i) => {
      const [low, high] = needed[i]!;
      return name === axis ? ([low + start, high + start] as const) : needed[i]!;
    });
  },
  reshape: (node, needed, input) => byName(node, needed, input, (axis) => inStep(node, input, axis)),
};

/** Axes along which nothing less than the whole can be computed. */
const FIXED: Partial<Record<OpName, (node: Tensor) => readonly string[]>> = {
  softmax: (node) => [axisAttribute(node)],
  logSoftmax: (node) => [axisAttribute(node)],
  concat: (node) => [axisAttribute(node)],
  pad: (node) => [axisAttribute(node)],
  reshape: (node) =>
    axisNames(node.axes).filter((axis) => {
      const [input] = node.inputs as [Tensor];
      return !axisNames(input.axes).includes(axis) || !inStep(node, input, axis);
    }),
};

/** Whether an axis is the same before and after a reshape. */
function inStep(node: Tensor, input: Tensor, axis: string): boolean {
  const [x, y] = [strideOf(node, axis), strideOf(input, axis)];
  return x.size === y.size && x.inner === y.inner;
}

/** How large an axis is and how far apart its elements lie in memory. */
function strideOf({ axes, shape }: Tensor, axis: string): { size: number; inner: number } {
  const at = axisNames(axes).indexOf(axis);
  return { size: shape[at]!, inner: sizeOf(shape.slice(at + 1)) };
}

function demandOf(node: Tensor, needed: Ranges, input: Tensor): Ranges {
  const demand = DEMANDS[node.op];
  return demand === undefined ? whole(input) : demand(node, needed, input);
}
