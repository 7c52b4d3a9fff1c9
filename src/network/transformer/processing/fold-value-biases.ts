/** Biases of values moved to the output: a pattern's rows sum to 1, so a value's bias is written whatever is attended to. */
import type { Values } from "../../../engine/index.ts";
import { orZeros, type Processed, processed, renumbered, type Weighted } from "./processed.ts";

/** `b_O + Σ_head b_V W_O` in place of `b_O`, and no `b_V`. */
export function foldValueBiases(given: Weighted): Processed {
  const step = "foldValueBiases";
  const { network, weights } = given;
  const { config } = network;
  const { attention, dModel, layers } = config;
  if (!attention.queryKeyValueBias) return processed(given, step, config, {});
  const { heads, kvHeads, dHead } = attention;
  const changed: Record<string, Values> = {};
  for (let layer = 0; layer < layers; layer++) {
    const block = `blocks.${layer}.attn`;
    const [b_V, W_O] = [weights[`${block}.b_V`]!, weights[`${block}.W_O`]!];
    const written = new Float64Array(dModel);
    for (let head = 0; head < heads; head++) {
      const shared = Math.floor(head / (heads / kvHeads));
      for (let d = 0; d < dHead; d++) {
        const factor = b_V.data[shared * dHead + d]!;
        for (let j = 0; j < dModel; j++) written[j]! += factor * W_O.data[(head * dHead + d) * dModel + j]!;
      }
    }
    const b_O = orZeros(weights, `${block}.b_O`, W_O, "d_model", [dModel]);
    changed[`${block}.b_O`] = renumbered(b_O, (i) => b_O.data[i]! + written[i]!);
    changed[`${block}.b_V`] = renumbered(b_V, () => 0);
  }
  return processed(given, step, { ...config, attention: { ...attention, outputBias: true } }, changed);
}
