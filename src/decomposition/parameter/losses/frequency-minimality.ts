/** Frequency minimality: a subcomponent that matters often should be one that is worth describing once. */
import { add, div, log, mul, stopGradient, sum, type Tensor, withDerivative } from "../../../tensor/index.ts";
import { activityMeans, type ImportancePenalty } from "./activity-means.ts";

/**
 * `Σ_sites Σ_c Φ(f_c)`, `Φ(f) = f log2(1 + a' f)`, with `f_c` the `activityMeans` of importance minimality's penalty (param-decomp SPEC,
 * S8'). It pushes components that are active everywhere apart from those that are active on one feature.
 *
 * The paper's form (VPD, L_freq) has the sum over the batch in the logarithm instead, `log2(1 + Σ φ(g_c))`: that is a' = the number of
 * rows, with β times importance minimality's coefficient as its own.
 *
 * @param importances upper-leaky causal importances, `C batch` for each site
 * @param reference   a', in examples
 * @param penalty     what an importance costs, as in importance minimality; the importance itself where absent
 * @returns           bits, ≥ 0
 */
export function frequencyMinimality(
  importances: readonly Tensor<"C batch">[],
  reference: number,
  penalty: ImportancePenalty = { p: 1 },
): Tensor<""> {
  return total(activityMeans(importances, penalty).map((f) => bits(f, reference)));
}

/** What the running means of frequency minimality are made with. */
export interface RunningFrequency {
  /** The running mean of `f` before this step for each site, `C`; 0 before the first. */
  readonly means: readonly Tensor<"C">[];
  /** d, how much of the running mean stays each step: `2^(-1/h)` for a half-life of h steps. */
  readonly decay: number;
  /** `1 - d^(step + 1)` at this step, steps counted from 0, a scalar. */
  readonly correction: Tensor<"">;
}

/**
 * Frequency minimality of a running mean (param-decomp SPEC, S8''). Rare components have a mean that jumps from batch to batch, and Φ of such
 * a mean is biased, because Φ is not straight.
 *
 * The running mean becomes `e = d · e + (1 - d) · f`. The value is that of `f̂ = e / (1 - d^(step + 1))`; the gradient is
 * `Φ'(f̂) ∂f`, at full strength, as if `f̂` were this batch's mean.
 *
 * @returns the loss in bits, and the running means after this step
 */
export function runningFrequencyMinimality(
  importances: readonly Tensor<"C batch">[],
  reference: number,
  penalty: ImportancePenalty,
  { means, decay, correction }: RunningFrequency,
): { readonly loss: Tensor<"">; readonly next: readonly Tensor<"C">[] } {
  const now = activityMeans(importances, penalty);
  const next = now.map((f, i) => add(mul(means[i]!, decay), mul(stopGradient(f), 1 - decay)));
  const parts = now.map((f, i) => {
    const smooth = div(next[i]!, correction) as Tensor<"C">;
    return withDerivative(bits(smooth, reference), [f, slope(smooth, reference)], (gradient, [, steepness]) => [
      mul(gradient, steepness!),
      undefined,
    ]);
  });
  return { loss: total(parts), next };
}

/** d of a half-life in steps. */
export function decayOf(halfLife: number): number {
  return 2 ** (-1 / halfLife);
}

/** Φ. */
function bits(f: Tensor<"C">, reference: number): Tensor<"C"> {
  return mul(f, mul(log(add(mul(f, reference), 1)), Math.LOG2E));
}

/** Φ', `log2(1 + a' f) + a' f / ((1 + a' f) ln 2)`. */
function slope(f: Tensor<"C">, reference: number): Tensor<"C"> {
  const scaled = mul(f, reference);
  return mul(add(log(add(scaled, 1)), div(scaled, add(scaled, 1))), Math.LOG2E);
}

function total(parts: readonly Tensor<"C">[]): Tensor<""> {
  return parts.map((part) => sum(part)).reduce((a, b) => add(a, b));
}
