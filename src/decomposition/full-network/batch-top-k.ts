/** Batch top-k: which components are active on which examples, when so many pairs of them may be. */
import { MechanistError } from "../../error.ts";
import { axisSize, constant, reshape, scatterAdd, select, sizesOf, type Tensor, topK } from "../../tensor/index.ts";

/** Which pairs were chosen. */
export interface Selection {
  /** 1 for the chosen pairs, 0 for the others; no gradient flows. */
  readonly mask: Tensor<"C batch">;
  /** The smallest score that was chosen. */
  readonly threshold: Tensor<"">;
}

/**
 * Keeps the `⌊k · batch⌋` pairs of component and example with the largest scores of the whole batch, at least one (APD, section 3). So `k` is
 * the mean number of components on an example and may be a fraction: 0.211 of 2048 examples keeps 432 pairs. An example may get many
 * components or none. Of pairs with the same score the first in memory is taken, so that there are never more.
 *
 * @param scores ≥ 0
 */
export function batchTopK(scores: Tensor<"C batch">, k: number): Selection {
  const { C, batch } = sizesOf(scores) as { C: number; batch: number };
  const pairs = C * batch;
  const count = Math.max(1, Math.floor(k * batch));
  if (count > pairs) {
    throw new MechanistError(
      "BadArgument",
      `batch top-k: expected k of at most ${C}, the number of components, got ${k}`,
      { k, components: C },
    );
  }
  const { values, indices } = topK(reshape(scores, "pair", { pair: pairs }), "pair", count, "chosen");
  const ones = constant("chosen", { chosen: axisSize(indices, "chosen") }, 1);
  const mask = scatterAdd(ones, indices, "pair", pairs, "pair");
  return {
    mask: reshape(mask, "C batch", { C, batch }),
    threshold: select(values as Tensor<"chosen">, "chosen", count - 1),
  };
}
