/**
 * When a component is active outside of training. Batch top-k makes that a question of the other examples in the batch; the smallest
 * score it chooses from training data, a running mean over steps, makes it one of the example alone, and as many pairs are active on such
 * data (Bussmann et al. 2024 do the same for batch top-k autoencoders).
 */
import type { WeightSpec } from "../../network/network.ts";
import { add, cast, greater, mul, type Tensor, type Tensors } from "../../tensor/index.ts";

/** How much of the running mean stays at each step. */
const DECAY = 0.99;

/** The running mean among the tensors that training keeps. */
export const THRESHOLD: WeightSpec = { name: "threshold", axes: "", shape: [] };

/** What a step makes of it. */
export function movedThreshold(weights: Tensors, seen: Tensor<"">): Tensor<""> {
  return add(mul(weights[THRESHOLD.name] as Tensor<"">, DECAY), mul(seen, 1 - DECAY));
}

/** 1 where a score is above the threshold, 0 elsewhere. */
export function activeAbove(scores: Tensor<"C batch">, tensors: Tensors): Tensor<"C batch"> {
  return cast(greater(scores, tensors[THRESHOLD.name] as Tensor<"">), "f32");
}
