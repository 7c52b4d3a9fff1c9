/** Each row at the same length: `constant_norm_rescale`, SAELens's name for what is done to rows before they are read. */
import { add, axisNames, div, sqrt, square, sum, type Tensor } from "../../tensor/index.ts";

/** What a row is multiplied with to have the length `√width`: `batch`. */
export function rowScale(rows: Tensor): Tensor<"batch"> {
  const axis = axisNames(rows.axes).at(-1)!;
  const length = sqrt(add(sum(square(rows), axis) as Tensor, 1e-12));
  return div(Math.sqrt(rows.shape.at(-1)!), length) as Tensor<"batch">;
}
