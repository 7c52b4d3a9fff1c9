/** Masks: a source in [0, 1] moves each mask between its causal importance and 1. */
import { mul, sub, type Tensor } from "../../../tensor/index.ts";

/**
 * `m = g + (1 - g) r` (SPD paper, eq. for the stochastic masks): what is important stays, what is not may be anything.
 *
 * @param importance g, `C batch`
 * @param source     r in [0, 1], `C batch`, or `C` where all inputs share it
 */
export function maskFrom(importance: Tensor<"C batch">, source: Tensor): Tensor<"C batch"> {
  // The same as 1 - (1 - g)(1 - r), which shares 1 - g among all masks of a site and 1 - r with the gradient.
  return sub(1, mul(sub(1, importance), sub(1, source) as Tensor<"C batch">));
}
