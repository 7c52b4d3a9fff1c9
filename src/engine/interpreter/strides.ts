/** Walking arrays by axis name. */
import { axisNames, sizeOf } from "../../tensor/axes.ts";

/** How far apart neighbours lie in a row-major array, for each of its axes by name. */
export function stridesByName(axes: string, shape: readonly number[]): Record<string, number> {
  const strides: Record<string, number> = {};
  let stride = 1;
  const names = axisNames(axes);
  for (let i = names.length - 1; i >= 0; i--) {
    strides[names[i]!] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/**
 * Calls `visit(position, offsets)` for every index of `axes`, in row-major order. `offsets[i]` is where that index lies in
 * the i-th array; an array stays still along axes it lacks, which is all that broadcasting is.
 */
export function forEachIndex(
  axes: string,
  shape: readonly number[],
  arrays: readonly Readonly<Record<string, number>>[],
  visit: (position: number, offsets: readonly number[]) => void,
): void {
  const names = axisNames(axes);
  const total = sizeOf(shape);
  const index = names.map(() => 0);
  const steps = arrays.map((strides) => names.map((name) => strides[name] ?? 0));
  const offsets = arrays.map(() => 0);
  for (let position = 0; position < total; position++) {
    visit(position, offsets);
    for (let axis = names.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      for (let k = 0; k < offsets.length; k++) offsets[k]! += steps[k]![axis]!;
      if (index[axis]! < shape[axis]!) break;
      for (let k = 0; k < offsets.length; k++) offsets[k]! -= steps[k]![axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
}
