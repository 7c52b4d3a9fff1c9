/** Orthonormal subspaces of a hook point, and values exchanged within them. */
import {
  add,
  axisNames,
  axisSize,
  constant,
  contract,
  div,
  mul,
  reshape,
  select,
  square,
  sub,
  sum,
  type Tensor,
} from "../../tensor/index.ts";

/**
 * The first `k` columns of a rotation, `d k`: a product of k Householder reflections, one for each row of `reflections`. Whatever the rows
 * are, the columns are orthonormal to rounding; every orthonormal frame is such a product (Householder 1958).
 *
 * @param reflections `k d`, no row zero
 */
export function orthonormalFrame(reflections: Tensor): Tensor<"d k"> {
  const [k, d] = [axisSize(reflections, "k"), axisSize(reflections, "d")];
  const eye = Array.from({ length: d * k }, (_, i) => (Math.floor(i / k) === i % k ? 1 : 0));
  let frame: Tensor = constant("d k", { d, k }, eye);
  for (let i = k - 1; i >= 0; i--) {
    const v: Tensor = select(reflections, "k", i);
    const along = contract(v, frame, "k");
    const scaled = mul(div(along, sum(square(v), "d") as Tensor), 2);
    frame = sub(frame, contract(v, scaled, "d k"));
  }
  return frame as Tensor<"d k">;
}

/**
 * A value with what lies in a subspace taken from another: `base + R Rᵀ (source - base)` (Geiger et al. 2023, equation 5).
 *
 * @param base   a value at a hook point, `… axis`
 * @param source the same of other inputs
 * @param frame  `d k`, orthonormal columns
 * @param axis   the axis of `base` that the subspace lies in, of size d
 */
export function exchanged(base: Tensor, source: Tensor, frame: Tensor<"d k">, axis: string): Tensor {
  const leading = axisNames(base.axes).filter((name) => name !== axis);
  const R = reshape(frame, `${axis} k`, { [axis]: axisSize(base, axis), k: axisSize(frame, "k") });
  const inside = contract(sub(source, base), R, [...leading, "k"].join(" "));
  return add(base, contract(inside, R, base.axes));
}

/** The subspace of some dimensions, `d k`: columns of the identity. */
export function dimensions(d: number, chosen: readonly number[]): Tensor<"d k"> {
  const k = chosen.length;
  const data = Array.from({ length: d * k }, (_, i) => (chosen[i % k] === Math.floor(i / k) ? 1 : 0));
  return constant("d k", { d, k }, data);
}
