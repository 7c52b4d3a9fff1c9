/**
 * Which weights of a decomposition are matrices, as Muon needs to know.
 *
 * `V` (`d_in C`) and `U` (`C d_out`) are one matrix each, and so are the layers of the MLPs and transformers that predict importances. Of a
 * gate, where each component has a small network of its own, `C gate d_in` is one matrix a component; what has no more than one number or
 * vector a component (`C gate`, `C`) is none.
 */
import type { Matrices } from "../../../training/muon.ts";
import { axisNames } from "../../../tensor/index.ts";

/** How a weight is made of matrices; nothing where it is none. */
export function matricesOf({
  axes,
  shape,
}: {
  readonly axes: string;
  readonly shape: readonly number[];
}): Matrices | undefined {
  const names = axisNames(axes);
  const perComponent = names[0] === "C" && names.includes("gate");
  const own = perComponent ? shape.slice(1) : shape;
  if (own.length !== 2) return undefined;
  return { count: perComponent ? shape[0]! : 1, rows: own[0]!, columns: own[1]! };
}
