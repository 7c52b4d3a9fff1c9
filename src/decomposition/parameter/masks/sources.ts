/**
 * Sources: what moves each mask between its causal importance and 1. Here are those that no adversary chooses.
 *
 * | kind | source r | mask |
 * |---|---|---|
 * | uniform | U[0, 1) | `g + (1 - g) r` (SPD paper) |
 * | binomial | 0 or 1, equally likely | `g' + (1 - g') r` with `g' = 1.05 g - 0.05 u`, u ~ U[0, 1) (SPD repository) |
 * | constant 0 | 0 | g: masked by importances |
 * | constant 1 | 1 | 1: not masked |
 */
import {
  and,
  clamp,
  constant,
  floor,
  less,
  lessEqual,
  minimum,
  mul,
  sizesOf,
  sub,
  type Tensor,
  uniform,
  where,
  withDerivative,
} from "../../../tensor/index.ts";
import { LEAK } from "../importance/hard-sigmoid.ts";
import { maskFrom } from "./mask.ts";
import type { SiteMask } from "./masked-product.ts";

/** Where sources come from. */
export type MaskSource =
  { readonly kind: "uniform" } | { readonly kind: "binomial" } | { readonly kind: "constant"; readonly value: 0 | 1 };

/** By how much binomial masks overshoot importances on both sides, so that what is almost always kept is dropped now and then. */
const OVERSHOOT = 0.05;

/**
 * A site's masks, drawn.
 *
 * @param importance g, lower-leaky
 * @param name       of the draws, one for each forward pass and site
 * @param delta      whether the remainder is masked as well; with constant sources there is none, whatever this says
 */
export function drawnMask(source: MaskSource, importance: Tensor<"C batch">, name: string, delta: boolean): SiteMask {
  const sizes = sizesOf(importance) as { C: number; batch: number };
  if (source.kind === "constant") return { mask: source.value === 0 ? importance : constant("C batch", sizes, 1) };
  const r = uniform(name, "C batch", sizes);
  const rest = delta ? uniform(`${name}/delta`, "batch", { batch: sizes.batch }) : undefined;
  if (source.kind === "uniform") return { mask: maskFrom(importance, r), ...(rest && { remainder: rest }) };
  const mask = maskFrom(blurred(importance, uniform(`${name}/blur`, "C batch", sizes)), coin(r));
  return { mask, ...(rest && { remainder: coin(rest) }) };
}

/** 0 or 1, equally likely, of a number from U[0, 1). */
function coin<A extends string>(draw: Tensor<A>): Tensor<A> {
  return floor(mul(draw as Tensor, 2)) as Tensor<A>;
}

/**
 * `1.05 g - 0.05 u`, kept within [0, 1], with the gradient that the lower-leaky hard sigmoid of `1.05 z - 0.05 u` would have, z being the
 * pre-activation that g was made of: where g is 0 its own leak decides, where g is not but the difference is, the leak is here.
 */
function blurred(importance: Tensor<"C batch">, u: Tensor<"C batch">): Tensor<"C batch"> {
  const shifted = sub(mul(importance, 1 + OVERSHOOT), mul(u, OVERSHOOT));
  return withDerivative(clamp(shifted, 0, 1), [importance, shifted], (gradient, [g, s]) => {
    const leaking = and(lessEqual(s!, 0), less(0, g!));
    const rising = mul(minimum(gradient, 0), LEAK);
    const passed = where(lessEqual(s!, 1), gradient, 0);
    return [mul(where(leaking, rising, passed), 1 + OVERSHOOT), undefined];
  });
}
