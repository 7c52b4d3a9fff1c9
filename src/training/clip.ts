/** Gradient clipping by the global norm. */
import { add, div, minimum, mul, sqrt, square, sum, type Tensor } from "../tensor/index.ts";

/** The gradient scaled by `min(1, maxNorm / (‖gradient‖ + 1e-6))`, as PyTorch's `clip_grad_norm_` does. */
export function clipByGlobalNorm(gradient: Tensor<"parameter">, maxNorm: number): Tensor<"parameter"> {
  const norm = sqrt(sum(square(gradient)));
  return mul(gradient, minimum(div(maxNorm, add(norm, 1e-6)), 1));
}
