/**
 * The `k · rows` largest latents of a whole batch, so that rows may have more or fewer (Bussmann et al. 2024). The smallest that is kept is
 * followed by a running mean, and once trained that is the threshold of a JumpReLU: no row then depends on the others.
 */
import {
  add,
  axisSize,
  broadcast,
  greater,
  greaterEqual,
  max,
  maximum,
  mul,
  neg,
  relu,
  reshape,
  sizesOf,
  stopGradient,
  type Tensor,
  topK,
  where,
} from "../../../tensor/index.ts";
import { decoded } from "../dictionary.ts";
import { squaredError } from "../losses.ts";
import type { BatchTopKSettings } from "../settings.ts";
import { type Kind, preActivations } from "./kind.ts";
import { revived, tooMany } from "./topk.ts";

export const batchTopKKind: Kind<BatchTopKSettings> = {
  code: "jumprelu",
  make: (given, settings) => {
    const { dictionary, x, y } = given;
    const pre = preActivations(given);
    const { z, least } = batchTop(pre, settings.k);
    const output = decoded(z, dictionary, x);
    return {
      z,
      output,
      terms: { reconstruction: squaredError(y, output), ...revived(given, pre, output, settings) },
      threshold: runningThreshold(dictionary.threshold!, least),
    };
  },
  complaint: ({ k }, C) => tooMany(k, C),
};

/** The `k · rows` largest of a batch where they are above 0, and the least of them, at least 0. */
export function batchTop(
  pre: Tensor<"batch C">,
  k: number,
): { readonly z: Tensor<"batch C">; readonly least: Tensor<""> } {
  const [batch, C] = [axisSize(pre, "batch"), axisSize(pre, "C")];
  const entries = reshape(stopGradient(pre), "entry", { entry: batch * C });
  const { values } = topK(entries, "entry", k * batch);
  const least = maximum(neg(max(neg(values))), 0);
  return { z: where(greaterEqual(pre, least), relu(pre), 0) as Tensor<"batch C">, least };
}

/** How much of a new value a running threshold takes (SAELens). */
const RATE = 0.01;

/** The running mean of the least latent that is kept: at the first step that latent itself. */
export function runningThreshold(now: Tensor<"C">, least: Tensor<"">): Tensor<"C"> {
  const next = broadcast<"C">(least, "C", sizesOf(now));
  return where(greater(now, 0), add(mul(now, 1 - RATE), mul(next, RATE)), next);
}
