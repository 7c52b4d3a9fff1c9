/** Reconstruction: what the masked network gets wrong against the network itself. */
import type { Network } from "../../../network/network.ts";
import {
  add,
  axisNames,
  axisSize,
  div,
  klDivergence,
  mean,
  mul,
  slice,
  square,
  sub,
  sum,
  type Tensor,
} from "../../../tensor/index.ts";

/**
 * How far the masked network's output is from the target network's own, never from labels: the squared error of values, the
 * Kullback–Leibler divergence of distributions (SPD paper, D).
 *
 * @returns a mean over batch, and over outputs for values or positions for distributions; nats for distributions
 */
export function divergence(network: Pick<Network, "logits" | "answersAt">, output: Tensor, target: Tensor): Tensor<""> {
  const [said, wanted] = [answers(network, output), answers(network, target)];
  if (network.logits === undefined) return squaredError(said, wanted);
  return mean(klDivergence(wanted, said, network.logits) as Tensor) as Tensor<"">;
}

/**
 * The positions at which a network answers. A network that was trained at its last position alone says something at the others, too, but
 * nothing made it say that, and whatever had to reproduce it would not be the mechanism.
 */
export function answers({ answersAt }: Pick<Network, "answersAt">, value: Tensor): Tensor {
  if (answersAt === undefined || !axisNames(value.axes).includes("pos")) return value;
  const positions = axisSize(value, "pos");
  return slice(value, "pos", positions - 1, positions) as Tensor;
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
