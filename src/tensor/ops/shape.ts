/** Rearrangement: new names, new orders, pieces and joins. None of these changes a number. */
import { MechanistError } from "../../error.ts";
import { axisNames, joinAxes, type Names, sizeOf, type Without } from "../axes.ts";
import { axisSize, node, sizesOf, type Tensor } from "../tensor.ts";
import { sum } from "./reduce.ts";

/**
 * The same tensor under other axis names: `rename(x, "pos -> key")`, several as `"a -> b, c -> d"`.
 * For where one axis plays two parts, as positions do in attention.
 */
export function rename<O extends string = string>(x: Tensor, renaming: string): Tensor<O> {
  const names = axisNames(x.axes).slice();
  for (const pair of renaming.split(", ")) {
    const [from, to] = pair.split(" -> ");
    if (!from || !to) {
      throw new MechanistError("ShapeMismatch", `rename "${renaming}": expected "from -> to", got "${pair}"`);
    }
    const at = names.indexOf(from);
    if (at < 0) {
      throw new MechanistError("ShapeMismatch", `rename "${renaming}": axis ${from} is not one of "${x.axes}"`, {
        axis: from,
      });
    }
    names[at] = to;
  }
  return relabel(x, joinAxes(names)) as Tensor<O>;
}

/** The same numbers and sizes with all axes named anew, in order. */
export function relabel<O extends string>(x: Tensor, axes: O): Tensor<O> {
  if (axes === (x.axes as string)) return x as Tensor<O>;
  if (axisNames(axes).length !== x.shape.length) {
    throw new MechanistError("ShapeMismatch", `relabel: "${x.axes}" and "${axes}" differ in number`);
  }
  return node({
    op: "rename",
    inputs: [x],
    axes,
    shape: x.shape,
    dtype: x.dtype,
    attributes: {},
    derivative: (g, of) => [relabel(g, of.inputs[0]!.axes)],
  });
}

/** The same tensor with its axes in another order in memory: `transpose(x, "key batch pos")`. */
export function transpose<O extends string>(x: Tensor, axes: O): Tensor<O> {
  if (axes === (x.axes as string)) return x as Tensor<O>;
  const names = axisNames(joinAxes(axisNames(axes)));
  const sizes = sizesOf(x);
  if (names.length !== x.shape.length || names.some((name) => sizes[name] === undefined)) {
    throw new MechanistError("ShapeMismatch", `transpose: "${axes}" is not an order of "${x.axes}"`);
  }
  return node({
    op: "transpose",
    inputs: [x],
    axes,
    shape: names.map((name) => sizes[name]!),
    dtype: x.dtype,
    attributes: {},
    derivative: (g, of) => [transpose(g, of.inputs[0]!.axes)],
  });
}

/** Repeats a tensor along the axes it lacks: `broadcast(b, "batch C", { batch: 8, C: 3 })`. */
export function broadcast<O extends string>(x: Tensor, axes: O, sizes: Readonly<Record<string, number>>): Tensor<O> {
  if (axes === (x.axes as string)) return x as Tensor<O>;
  const names = axisNames(joinAxes(axisNames(axes)));
  for (const name of axisNames(x.axes)) {
    if (!names.includes(name) || sizes[name] !== axisSize(x, name)) {
      throw new MechanistError(
        "ShapeMismatch",
        `broadcast "${x.axes}" to "${axes}": axis ${name} is ${axisSize(x, name)}, wanted ${sizes[name] ?? "none"}`,
        { axis: name },
      );
    }
  }
  const added = names.filter((name) => !axisNames(x.axes).includes(name));
  return node({
    op: "broadcast",
    inputs: [x],
    axes,
    shape: names.map((name) => sizes[name]!),
    dtype: x.dtype,
    attributes: {},
    derivative: (g, of) => [transpose(added.length > 0 ? (sum(g, added.join(" ")) as Tensor) : g, of.inputs[0]!.axes)],
  });
}

/**
 * The same numbers in the same order under other axes, for splitting and merging neighbours:
 * `reshape(x, "batch head d_head", { batch, head: 12, d_head: 64 })` from `"batch d_model"`.
 */
export function reshape<O extends string>(x: Tensor, axes: O, sizes: Readonly<Record<string, number>>): Tensor<O> {
  const shape = axisNames(joinAxes(axisNames(axes))).map((name) => sizes[name]!);
  if (sizeOf(shape) !== sizeOf(x.shape)) {
    throw new MechanistError(
      "ShapeMismatch",
      `reshape "${x.axes}" to "${axes}": expected ${sizeOf(x.shape)} elements, got ${sizeOf(shape)}`,
    );
  }
  return node({
    op: "reshape",
    inputs: [x],
    axes,
    shape,
    dtype: x.dtype,
    attributes: {},
    derivative: (g, { inputs: [given] }) => [reshape(g, given!.axes, sizesOf(given!))],
  });
}

/** Elements `start` (counted) to `end` (not counted) along an axis. */
export function slice<A extends string>(x: Tensor<A>, axis: Names<A>, start: number, end: number): Tensor<A> {
  const size = axisSize(x, axis);
  if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start <= end && end <= size)) {
    throw new MechanistError("ShapeMismatch", `slice: ${start} to ${end} is outside axis ${axis} of size ${size}`, {
      axis,
    });
  }
  if (start === 0 && end === size) return x;
  return node({
    op: "slice",
    inputs: [x],
    axes: x.axes,
    shape: axisNames(x.axes).map((name, i) => (name === axis ? end - start : x.shape[i]!)),
    dtype: x.dtype,
    attributes: { axis, start, end },
    derivative: (g, of) => [pad(g, axis as string, start, axisSize(of.inputs[0]!, axis) - end)],
  });
}

/** Joins tensors with the same axes along one of them. */
export function concat<A extends string>(parts: readonly Tensor<A>[], axis: Names<A>): Tensor<A> {
  const first = parts[0];
  if (first === undefined) throw new MechanistError("BadArgument", "concat: expected at least one tensor, got none");
  const expected = sizesOf(first);
  for (const part of parts) {
    const fits =
      part.axes === first.axes && Object.entries(sizesOf(part)).every(([n, s]) => n === axis || expected[n] === s);
    if (!fits) {
      throw new MechanistError(
        "ShapeMismatch",
        `concat along ${axis}: expected "${first.axes}" of ${first.shape.join("×")}, got "${part.axes}" of ${part.shape.join("×")}`,
      );
    }
  }
  if (parts.length === 1) return first;
  const sizes = parts.map((part) => axisSize(part, axis));
  return node({
    op: "concat",
    inputs: parts,
    axes: first.axes,
    shape: axisNames(first.axes).map((name, i) => (name === axis ? sizes.reduce((a, b) => a + b, 0) : first.shape[i]!)),
    dtype: first.dtype,
    attributes: { axis },
    derivative: (g, of) => {
      let start = 0;
      return of.inputs.map((part) => slice(g, axis as string, start, (start += axisSize(part, axis))));
    },
  });
}

/** Adds `before` and `after` elements of `value` around an axis. */
export function pad<A extends string>(
  x: Tensor<A>,
  axis: Names<A>,
  before: number,
  after: number,
  value = 0,
): Tensor<A> {
  const size = axisSize(x, axis);
  if (before === 0 && after === 0) return x;
  return node({
    op: "pad",
    inputs: [x],
    axes: x.axes,
    shape: axisNames(x.axes).map((name, i) => (name === axis ? before + size + after : x.shape[i]!)),
    dtype: x.dtype,
    attributes: { axis, before, after, value },
    derivative: (g, of) => [slice(g, axis as string, before, before + axisSize(of.inputs[0]!, axis))],
  });
}

/** The element at `index` along an axis, which goes away. */
export function select<A extends string, X extends Names<A>>(
  x: Tensor<A>,
  axis: X,
  index: number,
): Tensor<Without<A, X>> {
  const kept = axisNames(x.axes).filter((name) => name !== axis);
  return reshape(slice(x, axis, index, index + 1) as Tensor, kept.join(" "), sizesOf(x)) as Tensor<Without<A, X>>;
}
