/**
 * JumpReLU with gradients for its thresholds (Rajamanoharan et al. 2024b, eqs. 10 to 12): a threshold moves no value but where a latent crosses it,
 * so that its derivative is estimated from the latents within half a bandwidth of it, by a rectangular kernel `K(u) = [|u| < 1/2]`.
 */
import {
  abs,
  axisSize,
  cast,
  div,
  exp,
  greater,
  less,
  mul,
  neg,
  sub,
  sum,
  type Tensor,
  where,
  withDerivative,
  broadcast,
  sizesOf,
} from "../../tensor/index.ts";

type Latents = Tensor<"batch C">;

/** `K((pre - θ)/ε)`. */
function near(pre: Latents, threshold: Latents, bandwidth: number): Latents {
  return cast(less(abs(div(sub(pre, threshold), bandwidth)), 0.5), "f32");
}

/** A vector over latents as one of all rows: straight-through derivatives are element by element. */
function forAll(threshold: Tensor<"C">, pre: Latents): Latents {
  return broadcast<"batch C">(threshold, "batch C", sizesOf(pre));
}

/**
 * `pre · H(pre - θ)`, `∂/∂pre = H(pre - θ)`, `∂/∂θ = -(θ/ε) K((pre - θ)/ε)`.
 *
 * @param pre the encoder's output after ReLU
 */
export function jumpReluThrough(pre: Latents, threshold: Tensor<"C">, bandwidth: number): Latents {
  const theta = forAll(threshold, pre);
  const value = where(greater(pre, theta), pre, 0) as Latents;
  return withDerivative<"batch C">(value, [pre, theta], (gradient, [p, t]) => [
    where(greater(p!, t!), gradient, 0),
    neg(mul(gradient, mul(div(t!, bandwidth), near(p as Latents, t as Latents, bandwidth)))),
  ]);
}

/**
 * `mean over rows of Σ_c H(pre_c - θ_c)`, the number of latents that are on; `∂/∂θ = -(1/ε) K((pre - θ)/ε)`, nothing flows to `pre`.
 */
export function countThrough(pre: Latents, threshold: Tensor<"C">, bandwidth: number): Tensor<""> {
  const theta = forAll(threshold, pre);
  const value = cast(greater(pre, theta), "f32") as Latents;
  const counted = withDerivative<"batch C">(value, [pre, theta], (gradient, [p, t]) => [
    undefined,
    neg(mul(gradient, mul(near(p as Latents, t as Latents, bandwidth), 1 / bandwidth))),
  ]);
  return mul(sum(counted), 1 / axisSize(pre, "batch"));
}

/** Thresholds are trained by their logarithms, so that they stay above 0. */
export function thresholdsOf(logarithms: Tensor<"C">): Tensor<"C"> {
  return exp(logarithms);
}
