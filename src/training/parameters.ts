/**
 * Trainable weights in one flat vector. An optimiser over the vector is a dozen operations however many weights there are,
 * where one over each weight would be a dozen times as many.
 */
import type { NamedValues } from "../engine/index.ts";
import { values } from "../engine/index.ts";
import { axisNames, concat, reshape, sizeOf, slice, type Tensor, type Tensors } from "../tensor/index.ts";

/** Where each named weight lies in the vector. */
export interface Layout {
  readonly size: number;
  readonly entries: readonly LayoutEntry[];
}

interface LayoutEntry {
  readonly name: string;
  readonly axes: string;
  readonly shape: readonly number[];
  readonly start: number;
}

/** Lays weights out one after another. */
export function layoutOf(weights: readonly { name: string; axes: string; shape: readonly number[] }[]): Layout {
  let size = 0;
  const entries = weights.map(({ name, axes, shape }) => {
    const start = size;
    size += sizeOf(shape);
    return { name, axes, shape, start };
  });
  return { size, entries };
}

/** The named weights as views of the vector, in a traced program. */
export function unpack(layout: Layout, flat: Tensor<"parameter">): Tensors {
  return Object.fromEntries(
    layout.entries.map(({ name, axes, shape, start }) => {
      const sizes = Object.fromEntries(axisNames(axes).map((axis, i) => [axis, shape[i]!]));
      return [name, reshape(slice(flat, "parameter", start, start + sizeOf(shape)), axes, sizes)];
    }),
  );
}

/** Named tensors, gradients for instance, back into one vector. */
export function pack(layout: Layout, named: Tensors): Tensor<"parameter"> {
  const parts = layout.entries.map(({ name, shape }) =>
    reshape(named[name]!, "parameter", { parameter: sizeOf(shape) }),
  );
  return concat(parts, "parameter");
}

/** Numbers by name from the vector's numbers. */
export function unpackValues(layout: Layout, flat: ArrayLike<number>): NamedValues {
  return Object.fromEntries(
    layout.entries.map(({ name, axes, shape, start }) => [
      name,
      values(axes, shape, Array.prototype.slice.call(flat, start, start + sizeOf(shape)) as number[]),
    ]),
  );
}

/** The vector's numbers from numbers by name. */
export function packValues(layout: Layout, named: NamedValues): Float32Array {
  const flat = new Float32Array(layout.size);
  for (const { name, start } of layout.entries) flat.set(named[name]!.data, start);
  return flat;
}
