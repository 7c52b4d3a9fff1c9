/** Reconstruction: what the masked network gets wrong against the network itself. */
import { mean, square, sub, type Tensor } from "../../../tensor/index.ts";

/**
 * The mean over batch and outputs of the squared error against the target network's own output, never against labels
 * (SPD paper, D = MSE).
 */
export function squaredError(output: Tensor, target: Tensor): Tensor<""> {
  return mean(square(sub(output, target)));
}
