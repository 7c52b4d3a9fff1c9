/**
 * What dictionaries are trained to make small. All are sums over latents or outputs and means over rows, so that coefficients mean the same at
 * every batch size.
 */
import {
  add,
  axisSize,
  cast,
  div,
  greater,
  mean,
  mul,
  pow,
  relu,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  tanh,
  type Tensor,
  topK,
  where,
} from "../../tensor/index.ts";
import { gatherDecode } from "./sparse-decode.ts";

/** `mean over rows of ‖y - ŷ‖²`. */
export function squaredError(y: Tensor<"batch d_out">, output: Tensor<"batch d_out">): Tensor<""> {
  return mul(sum(square(sub(y, output))), 1 / axisSize(y, "batch"));
}

/** Lengths of the decoder's rows, `C`. */
export function decoderNorms(W_dec: Tensor<"C d_out">): Tensor<"C"> {
  return sqrt(add(sum(square(W_dec), "d_out"), 1e-30));
}

/**
 * `mean over rows of Σ_c z_c ‖W_dec,c‖` (Bricken et al. 2023; with lengths, Conerly et al. 2024, where nothing keeps them at 1).
 *
 * @param lengths `C`; 1 unless given
 */
export function l1Penalty(z: Tensor<"batch C">, lengths?: Tensor<"C">): Tensor<""> {
  return mul(sum(lengths === undefined ? z : mul(z, lengths)), 1 / axisSize(z, "batch"));
}

/** Below this a power of a latent has no useful slope. */
const LEAST = 1e-6;

/** `mean over rows of Σ_c (z_c ‖W_dec,c‖)^p`, p being given step by step (Karvonen et al. 2024, p-annealing). */
export function powerPenalty(z: Tensor<"batch C">, p: Tensor<"">, lengths?: Tensor<"C">): Tensor<""> {
  const weighed = lengths === undefined ? z : mul(z, lengths);
  const active = greater(weighed, LEAST);
  const base = where(active, weighed, 1);
  return mul(sum(where(active, pow(base as Tensor, p as Tensor), 0)), 1 / axisSize(z, "batch"));
}

/** `mean over rows of Σ_c tanh(scale · z_c ‖W_dec,c‖)` (Conerly et al. 2025). */
export function tanhPenalty(z: Tensor<"batch C">, scale: number, lengths?: Tensor<"C">): Tensor<""> {
  const weighed = lengths === undefined ? z : mul(z, lengths);
  return mul(sum(tanh(mul(weighed, scale))), 1 / axisSize(z, "batch"));
}

/** `mean over rows of Σ_c max(0, θ_c - pre_c) ‖W_dec,c‖`: pulls latents that never fire towards firing (Conerly et al. 2025). */
export function preActivationPenalty(pre: Tensor<"batch C">, threshold: Tensor<"C">, lengths: Tensor<"C">): Tensor<""> {
  const short = relu(sub(threshold, pre) as Tensor) as Tensor<"batch C">;
  return mul(sum(mul(short, lengths)), 1 / axisSize(pre, "batch"));
}

/**
 * What dead latents make of what the others left over: mean over rows of `‖e - ê‖²`, `e = y - ŷ`, ê from the `k` largest dead latents, those above 0
 * (Gao et al. 2024, appendix A.2). 0 where none is dead.
 *
 * @param pre  the encoder's output before anything is cut off
 * @param dead `C`, 1 where a latent counts as dead
 */
export function auxiliaryLoss(
  error: Tensor<"batch d_out">,
  pre: Tensor<"batch C">,
  dead: Tensor<"C">,
  W_dec: Tensor<"C d_out">,
  k: number,
): Tensor<""> {
  const { values, indices } = topK(where(greater(dead, 0.5), pre, 0), "C", k);
  const found = gatherDecode(relu(values) as Tensor<"batch k">, indices as Tensor<"batch k">, W_dec);
  const any = cast(greater(sum(dead), 0.5), "f32");
  return mul(any, squaredError(stopGradient(error), found));
}

/** Fraction of the variance of `y` that is left over, `Σ‖y - ŷ‖² / Σ‖y - ȳ‖²`, ȳ being the batch's mean. */
export function unexplained(y: Tensor<"batch d_out">, output: Tensor<"batch d_out">): Tensor<""> {
  const spread = sub(y, mean(y, "batch"));
  return div(sum(square(sub(y, output))), add(sum(square(spread)), 1e-30));
}

/** Mean number of latents above 0. */
export function meanActive(z: Tensor<"batch C">): Tensor<""> {
  return mul(sum(cast(greater(z, 0), "f32")), 1 / axisSize(z, "batch"));
}
