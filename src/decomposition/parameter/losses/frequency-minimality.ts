/** Frequency minimality: a subcomponent that matters often should be one that is worth describing once. */
import { add, log, mul, sum, type Tensor } from "../../../tensor/index.ts";

/**
 * `Σ_sites Σ_c f_c log2(1 + a' f_c)`, with `f_c` the batch mean of the upper-leaky importance (VPD, L_freq, with the number of examples
 * in the logarithm given as `a'`). It pushes components that are active everywhere apart from those that are active on one feature.
 *
 * @param importances upper-leaky causal importances, `C batch` for each site
 * @param reference   a', in examples
 * @returns           bits, ≥ 0
 */
export function frequencyMinimality(importances: readonly Tensor<"C batch">[], reference: number): Tensor<""> {
  const bits = (g: Tensor<"C batch">): Tensor<""> => {
    const frequency = mul(sum(g, "batch"), 1 / g.shape[1]!);
    return sum(mul(frequency, mul(log(add(mul(frequency, reference), 1)), Math.LOG2E)));
  };
  return importances.map(bits).reduce((a, b) => add(a, b));
}
