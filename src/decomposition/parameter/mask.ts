/** Masks: a source in [0, 1] moves each mask between its causal importance and 1. */
import { add, mul, sub, type Tensor } from "../../tensor/index.ts";

/**
 * `m = g + (1 - g) r` (SPD paper, eq. for the stochastic masks): what is important stays, what is not may be anything.
 *
 * @param importance g, `C batch`
 * @param source     r in [0, 1], `C batch`, or `C` where all inputs share it
 */
export function maskFrom(importance: Tensor<"C batch">, source: Tensor): Tensor<"C batch"> {
  return add(importance, mul(sub(1, importance), source as Tensor<"C batch">));
}
