/**
 * How far an output is from the network's own, one number a prompt or a row: the squared error of values, mean over outputs; the
 * Kullback–Leibler divergence of distributions, mean over positions, in nats (SPD paper, D).
 */
import { answers } from "../../decomposition/parameter/losses/reconstruction.ts";
import type { Network } from "../../network/network.ts";
import { axisNames, klDivergence, mean, square, sub, type Tensor } from "../../tensor/index.ts";

type Outputs = Pick<Network, "logits" | "answersAt">;

/** The mean over all but some axes. */
function meanOver(x: Tensor, kept: readonly string[]): Tensor {
  const over = axisNames(x.axes).filter((axis) => !kept.includes(axis));
  return over.length > 0 ? (mean(x, over.join(" ")) as Tensor) : x;
}

/** Where the network answers, the divergence at each position, or of each prompt where there are none. */
export function pointwiseDivergence(network: Outputs, output: Tensor, target: Tensor): Tensor {
  const [said, wanted] = [answers(network, output), answers(network, target)];
  if (network.logits !== undefined) return klDivergence(wanted, said, network.logits) as Tensor;
  return meanOver(square(sub(said, wanted)) as Tensor, ["batch", "pos"]);
}

/** The divergence of each prompt. */
export function promptDivergence(network: Outputs, output: Tensor, target: Tensor): Tensor<"batch"> {
  return meanOver(pointwiseDivergence(network, output, target), ["batch"]) as Tensor<"batch">;
}
