/** Reconstruction: what the masked network gets wrong against the network itself. */
import type { Network } from "../../../network/network.ts";
import { add, div, klDivergence, mean, mul, square, sub, sum, type Tensor } from "../../../tensor/index.ts";

/**
 * How far the masked network's output is from the target network's own, never from labels: the squared error of values, the
 * Kullback–Leibler divergence of distributions (SPD paper, D).
 *
 * @returns a mean over batch, and over outputs for values or positions for distributions; nats for distributions
 */
export function divergence({ logits }: Pick<Network, "logits">, output: Tensor, target: Tensor): Tensor<""> {
  if (logits === undefined) return squaredError(output, target);
  return mean(klDivergence(target, output, logits) as Tensor) as Tensor<"">;
}

/**
 * The mean over batch and outputs of the squared error against the target network's own output, never against labels
 * (SPD paper, D = MSE).
 */
function squaredError(output: Tensor, target: Tensor): Tensor<""> {
  return mean(square(sub(output, target)));
}

/**
 * Hidden-activation reconstruction: the mean over some values within the network of `‖masked - own‖² / ‖own‖²`, norms over the whole batch
 * (param-decomp SPEC, S35).
 *
 * @param values what was seen at hook points, in the masked network and in the network as it is; the latter not all zero
 * @returns      a share of squared activations, ≥ 0
 */
export function hiddenReconstruction(values: readonly { readonly masked: Tensor; readonly own: Tensor }[]): Tensor<""> {
  const shares = values.map(({ masked, own }) => div(sum(square(sub(masked, own))), sum(square(own))));
  return mul(
    shares.reduce((a, b) => add(a, b)),
    1 / values.length,
  ) as Tensor<"">;
}
