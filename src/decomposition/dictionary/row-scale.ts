/**
 * Rows that are each brought to a length of their own before they are read: what cannot be folded into weights. The names are SAELens's.
 */
import { add, axisNames, axisSize, div, mean, mul, sqrt, square, sub, sum, type Tensor } from "../../tensor/index.ts";
import type { Normalisation } from "./settings.ts";

/** A row as it is read, and what undoes that in what is written: `written · length + centre`. */
export interface RowUnits {
  readonly rows: Tensor;
  readonly length: Tensor<"batch">;
  /** Absent where it is 0. */
  readonly centre?: Tensor<"batch">;
}

const LAYER_NORM_EPSILON = 1e-5;

/**
 * `constant_norm_rescale`: every row at the length `√width`. `layer_norm`: centred, over its standard deviation (of `width - 1`, to which 1e-5 is
 * added before it divides but not before it multiplies). Nothing for what is the same for all rows.
 */
export function rowUnits(rows: Tensor, normalization: Normalisation): RowUnits | undefined {
  const axis = axisNames(rows.axes).at(-1)!;
  const width = axisSize(rows, axis);
  if (normalization === "constant_norm_rescale") {
    const length = mul(sqrt(add(sum(square(rows), axis) as Tensor, 1e-12)), 1 / Math.sqrt(width)) as Tensor<"batch">;
    return { rows: div(rows, length) as Tensor, length };
  }
  if (normalization !== "layer_norm") return undefined;
  const centre = mean(rows, axis) as Tensor<"batch">;
  const centred = sub(rows, centre) as Tensor;
  const length = sqrt(mul(sum(square(centred), axis) as Tensor, 1 / Math.max(1, width - 1))) as Tensor<"batch">;
  return { rows: div(centred, add(length, LAYER_NORM_EPSILON)) as Tensor, length, centre };
}
