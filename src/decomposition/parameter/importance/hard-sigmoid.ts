/**
 * The two leaky hard sigmoids of causal importance (SPD paper, section 2; VPD, "leaky hard sigmoids").
 *
 * Both are `clamp(z, 0, 1)` with a leak where it would be flat, so that a component that died can come back and one that is
 * fully on can go down. The lower-leaky one makes masks; the upper-leaky one is what importance minimality pays for.
 */
import {
  add,
  cast,
  clamp,
  lessEqual,
  minimum,
  mul,
  relu,
  sub,
  type Tensor,
  withDerivative,
} from "../../../tensor/index.ts";

/** The slope of the leaks. */
export const LEAK = 0.01;

/** Where z lies, as 0 and 1: `z ≤ 0`, `0 < z ≤ 1`, `z ≤ 1`. Both sigmoids of a site share these. */
function regions(z: Tensor): { below: Tensor; inside: Tensor; within: Tensor } {
  const below = cast(lessEqual(z, 0), "f32");
  const within = cast(lessEqual(z, 1), "f32");
  return { below, inside: sub(within, below), within };
}

/**
 * `clamp(z, 0, 1)` whose gradient leaks below 0, but only where descent wants the importance to rise.
 *
 * A straight-through estimator: with G the incoming gradient, dz is `0.01 G` where `z ≤ 0` and `G < 0`, 0 where `z ≤ 0` otherwise,
 * `G` where `0 < z ≤ 1`, and 0 above 1. The tie at 0 belongs to the lower branch.
 */
export function lowerLeakyHardSigmoid<A extends string>(z: Tensor<A>): Tensor<A> {
  const t: Tensor = z;
  return withDerivative(clamp(t, 0, 1), [t], (gradient, [given]) => {
    const { below, inside } = regions(given!);
    return [add(mul(gradient, inside), mul(mul(minimum(gradient, 0), LEAK), below))];
  }) as Tensor<A>;
}

/** `clamp(z, 0, 1)` with a slope of 0.01 below 0, forward and backward, as the SPD paper's text has it. Masks may be negative. */
export function slopedHardSigmoid<A extends string>(z: Tensor<A>): Tensor<A> {
  const t: Tensor = z;
  return add(clamp(t, 0, 1), mul(minimum(t, 0), LEAK)) as Tensor<A>;
}

/**
 * `clamp(z, 0, 1)` with a slope of 0.01 above 1, forward and backward. The gradient at 0 is 0, at 1 it is 1.
 */
export function upperLeakyHardSigmoid<A extends string>(z: Tensor<A>): Tensor<A> {
  const t: Tensor = z;
  const value = add(clamp(t, 0, 1), mul(relu(sub(t, 1)), LEAK));
  return withDerivative(value, [t], (gradient, [given]) => {
    const { inside, within } = regions(given!);
    return [mul(gradient, add(inside, mul(sub(1, within), LEAK)))];
  }) as Tensor<A>;
}
