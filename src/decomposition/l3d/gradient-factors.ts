/**
 * The local loss landscape, one direction an example: the gradient of the divergence between the network's output and a reference output
 * with respect to all matrices (Chrisman, Bushnaq & Sharkey 2025, "Identifying Sparsely Active Circuits Through Local Loss Landscape
 * Decomposition", section 2). It is kept as `a ⊗ δ` at each site; the vector of all its entries is never made.
 *
 * Each use of a matrix counts on its own: where a network uses one matrix twice, a direction may move one use and not the other.
 */
import type { Network } from "../../network/network.ts";
import {
  add,
  axisSize,
  broadcast,
  concat,
  klDivergence,
  mean,
  mul,
  sizesOf,
  slice,
  square,
  sub,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { watchedRun } from "../full-network/watched-run.ts";

/**
 * What outputs are held against: zeros, the mean output of the batch, or the output for the next example of the batch, which is as good as
 * any other because examples are drawn independently.
 */
export const REFERENCES = ["zero", "mean", "sample"] as const;
export type Reference = (typeof REFERENCES)[number];

/** One site's part of every example's gradient, `a ⊗ δ`. */
export interface GradientFactors {
  readonly a: Tensor<"batch d_in">;
  readonly delta: Tensor<"batch d_out">;
}

/**
 * Every example's gradient, site by site, of the mean over outputs of the squared difference from the reference; of the Kullback–Leibler
 * divergence from it where outputs are distributions.
 *
 * @param weights the network's own
 */
export function gradientFactors(
  network: Network,
  weights: Tensors,
  x: Tensor,
  reference: Reference,
): readonly GradientFactors[] {
  const held = referenceOutput(network.forward(weights, x), reference);
  const run = watchedRun(network, weights, x);
  const slopes = run.slopes(totalDivergence(network, run.output, held));
  return run.activations.map((a, i) => ({ a, delta: slopes[i]! }));
}

function totalDivergence({ logits }: Network, output: Tensor, held: Tensor): Tensor<""> {
  if (logits !== undefined) return sum(klDivergence(held, output, logits) as Tensor);
  const { batch, ...others } = sizesOf(output) as Record<string, number>;
  const outputs = Object.values(others).reduce((a, b) => a * b, 1);
  return mul(sum(square(sub(output, held))), 1 / outputs);
}

function referenceOutput(output: Tensor, reference: Reference): Tensor {
  if (reference === "zero") return mul(output, 0);
  if (reference === "mean") return broadcast(mean(output, "batch") as Tensor, output.axes, sizesOf(output));
  const batch = axisSize(output, "batch");
  return concat([slice(output, "batch", 1, batch), slice(output, "batch", 0, 1)], "batch");
}

/** `‖g‖²` of every example's gradient. */
export function squaredLengths(gradients: readonly GradientFactors[]): Tensor<"batch"> {
  return gradients
    .map(({ a, delta }) => mul(sum(square(a), "d_in"), sum(square(delta), "d_out")))
    .reduce((x, y) => add(x, y));
}
