/**
 * Nonlinearity locality: each subcomponent should touch few neurons or few heads. A prior on weights alone, whatever the data
 * (param-decomp SPEC, S36).
 */
import {
  add,
  axisSize,
  div,
  less,
  mul,
  reshape,
  scalar,
  square,
  sum,
  type Tensor,
  where,
} from "../../../tensor/index.ts";

/** Vectors that face units: neurons, or heads. */
export interface FacingUnits {
  /** One vector a component, `C d_out` where `U` writes into the units, `d_in C` where `V` reads from them. */
  readonly vectors: Tensor<"C d_out"> | Tensor<"d_in C">;
  /** N, how many units there are, side by side and of one width. */
  readonly count: number;
  /** κ, how often each unit is used: the number of query heads that share a head of keys or values; 1 elsewhere. */
  readonly uses?: number;
}

/**
 * About how many units each component touches: `κ Σ_u f_u / (f_u + t/N)`, with `f_u` the share of its squared length that lies in unit
 * u. A component with m equally loaded units of N counts `κ m / (1 + t m / N)`; a zero vector counts 0 and has no gradient.
 *
 * @param threshold t > 0: shares well below t/N do not count; a scalar tensor where it changes during the run
 * @returns         `C`
 */
export function softCount({ vectors, count, uses = 1 }: FacingUnits, threshold: number | Tensor<"">): Tensor<"C"> {
  const [axis, rest] = vectors.axes === "C d_out" ? ["d_out", "C unit width"] : ["d_in", "unit width C"];
  const sizes = { C: axisSize(vectors, "C"), unit: count, width: axisSize(vectors, axis) / count };
  const inUnit = sum(square(reshape(vectors as Tensor, rest, sizes)), "width") as Tensor<"C unit">;
  const whole = sum(inUnit, "unit") as Tensor<"C">;
  const share = div(inUnit, where(less(0, whole), whole, 1)) as Tensor<"C unit">;
  const shift = typeof threshold === "number" ? scalar(threshold / count) : mul(threshold, 1 / count);
  return mul(sum(div(share, add(share, shift)), "unit") as Tensor<"C">, uses);
}

/**
 * The mean over components of how many units they touch, over all the sites that face one kind of unit.
 *
 * @param sites of one kind, neurons for instance
 */
export function locality(sites: readonly FacingUnits[], threshold: number | Tensor<"">): Tensor<""> {
  const counts = sites.map((site) => softCount(site, threshold));
  const components = counts.reduce((all, count) => all + axisSize(count, "C"), 0);
  return mul(
    counts.map((count) => sum(count)).reduce((a, b) => add(a, b)),
    1 / components,
  );
}
