/** Reconstruction: what the masked network gets wrong against the network itself. */
import type { Network } from "../../../network/network.ts";
import {
  add,
  div,
  klDivergence,
  mean,
  mul,
  square,
  sub,
  sum,
  type Tensor,
  type Tensors,
} from "../../../tensor/index.ts";

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
 * How far hidden values are from the clean run's: the mean over hook points of `Σ (h - h*)² / Σ h*²` (param-decomp SPEC, S35).
 *
 * @param at    values of the masked run by hook point
 * @param clean those of the clean run, which name the points
 */
export function hiddenReconstruction(at: Tensors, clean: Tensors): Tensor<""> {
  const shares = Object.entries(clean).map(([point, h]) =>
    div(sum(square(sub(at[point]!, h) as Tensor)), sum(square(h))),
  );
  return mul(
    shares.reduce((a, b) => add(a, b)),
    1 / shares.length,
  );
}
