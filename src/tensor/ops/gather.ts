/** Reading and writing by index: embeddings, picks along an axis, the largest k, and the derivatives of these. */
import { MechanistError } from "../../error.ts";
import { axisNames, joinAxes, type Names } from "../axes.ts";
import { axisSize, expectType, node, sizesOf, type Tensor } from "../tensor.ts";

/**
 * Rows of a table by index: the axis `axis` of `table` is replaced by the axes of `indices`.
 * With `table: "vocab d_model"` and `indices: "batch pos"` this is an embedding, `"batch pos d_model"`.
 *
 * @param indices i32, each in `[0, size of axis)`
 */
export function gather<T extends string, I extends string>(
  table: Tensor<T>,
  indices: Tensor<I>,
  axis: Names<T>,
): Tensor {
  expectType("gather", indices, "i32");
  axisSize(table, axis); // refuses an axis that is not there
  const names = axisNames(table.axes).flatMap((name) => (name === axis ? axisNames(indices.axes) : [name]));
  const sizes = { ...sizesOf(table), ...sizesOf(indices) };
  return node({
    op: "gather",
    inputs: [table, indices],
    axes: joinAxes(names),
    shape: names.map((name) => sizes[name]!),
    dtype: table.dtype,
    attributes: { axis },
    derivative: (g, { inputs: [rows, at] }) => {
      return [scatterAdd(g, at!, axis as string, axisSize(rows!, axis), rows!.axes), undefined];
    },
  });
}

/**
 * A table of zeros with the rows of `values` added at `indices`; rows that share an index are summed.
 *
 * @param values the axes of `indices` where the table has `axis`
 * @param axes   the axes of the table
 */
export function scatterAdd<O extends string>(
  values: Tensor,
  indices: Tensor,
  axis: string,
  size: number,
  axes: O,
): Tensor<O> {
  expectType("scatterAdd", indices, "i32");
  const sizes: Record<string, number> = { ...sizesOf(values), [axis]: size };
  return node({
    op: "scatterAdd",
    inputs: [values, indices],
    axes,
    shape: axisNames(axes).map((name) => sizes[name]!),
    attributes: { axis },
    derivative: (g, of) => [gather(g, of.inputs[1]!, axis as never), undefined],
  });
}

/**
 * One element along `axis` for each index: `indices` has the axes of `x` without `axis`, and so has the result.
 * Where `indices` has a further axis of its own (as `topK` makes), the result has it in the place of `axis`.
 */
export function takeAlong(x: Tensor, indices: Tensor, axis: string): Tensor {
  expectType("takeAlong", indices, "i32");
  const own = axisNames(indices.axes).filter((name) => !axisNames(x.axes).includes(name));
  const missing = axisNames(x.axes).filter((name) => name !== axis && !axisNames(indices.axes).includes(name));
  if (own.length > 1 || missing.length > 0) {
    throw new MechanistError(
      "ShapeMismatch",
      `takeAlong ${axis}: indices "${indices.axes}" must have the axes of "${x.axes}" without ${axis}, and at most one of their own`,
    );
  }
  const sizes = { ...sizesOf(x), ...sizesOf(indices) };
  const names = axisNames(x.axes).flatMap((name) => (name === axis ? own : [name]));
  return node({
    op: "takeAlong",
    inputs: [x, indices],
    axes: names.join(" "),
    shape: names.map((name) => sizes[name]!),
    dtype: x.dtype,
    attributes: { axis },
    derivative: (g, { inputs: [from, at] }) => [scatterAlong(g, at!, axis, from!), undefined],
  });
}

/** Zeros shaped as `like`, with `values` added along `axis` at `indices`: the transpose of `takeAlong`. */
export function scatterAlong(values: Tensor, indices: Tensor, axis: string, like: Tensor): Tensor {
  return node({
    op: "scatterAlong",
    inputs: [values, indices],
    axes: like.axes,
    shape: like.shape,
    attributes: { axis },
    derivative: (g, of) => [takeAlong(g, of.inputs[1]!, axis), undefined],
  });
}

/**
 * The `k` largest values along `axis`, largest first, and where they lie; `axis` is replaced by the axis `as`.
 * Gradients flow to the values. Equal values come in order of their index.
 */
export function topK(x: Tensor, axis: string, k: number, as = "k"): { values: Tensor; indices: Tensor } {
  const size = axisSize(x, axis);
  if (!Number.isInteger(k) || k < 1 || k > size) {
    throw new MechanistError("BadArgument", `topK: expected k from 1 to ${size}, got ${k}`);
  }
  if (as === axis) throw new MechanistError("BadArgument", `topK: expected a new name for axis ${axis}, got ${as}`);
  const names = axisNames(x.axes).map((name) => (name === axis ? as : name));
  const indices = node({
    op: "topKIndices",
    inputs: [x],
    axes: joinAxes(names),
    shape: names.map((name, i) => (name === as ? k : x.shape[i]!)),
    dtype: "i32",
    attributes: { axis, k },
  });
  return { indices, values: takeAlong(x, indices, axis) };
}
