/**
 * A norm's weight and bias moved into the matrices that read its output: `(x̂ w + b) W = x̂ (diag(w) W) + b W`. The norm then has weight 1 and
 * bias 0, and its three hook points hold the same up to that.
 */
import type { Values } from "../../../engine/index.ts";
import type { TransformerConfig } from "../config.ts";
import {
  cannot,
  orZeros,
  type Processed,
  processed,
  renumbered,
  times,
  unembeddingOf,
  type Weighted,
} from "./processed.ts";

const STEP = "foldNorms";

/**
 * Folds the norms before attention, before each MLP and before the unembedding. Norms after a part (Gemma 2) stay: nothing reads them alone.
 *
 * An unembedding that was the embedding becomes a weight of its own, and matrices get biases where the norms had one.
 *
 * @throws `BadArgument` where positions are added between norm and matrix
 */
export function foldNorms(given: Weighted): Processed {
  const { network, weights } = given;
  const { config } = network;
  const { norm, positions, mlp } = config;
  if (norm.kind === "none") return processed(given, STEP, config, {});
  if (positions.kind === "absolute" && positions.addedTo === "queries and keys") {
    throw cannot(STEP, "norms that matrices read as they are", "positions added to queries and keys between");
  }
  const biased = norm.kind === "layer";
  const folded: TransformerConfig = {
    ...config,
    tied: false,
    unembedBias: config.unembedBias || biased,
    attention: { ...config.attention, queryKeyValueBias: config.attention.queryKeyValueBias || biased },
    ...(mlp !== undefined && { mlp: { ...mlp, bias: mlp.bias || biased } }),
  };
  const changed: Record<string, Values> = {};
  const fold = (name: string, matrix: string, W: Values, bias: string): void => {
    const gain = weights[`${name}.w`]!.data;
    const width = W.data.length / gain.length;
    changed[matrix] = renumbered(W, (i) => W.data[i]! * (gain[Math.floor(i / width)]! + (norm.unitOffset ? 1 : 0)));
    const shift = weights[`${name}.b`];
    if (shift === undefined) return;
    const moved = times(shift.data, W);
    const [, ...axes] = W.axes.split(" ");
    const old = orZeros(weights, bias, W, axes.join(" "), W.shape.slice(1));
    changed[bias] = renumbered(old, (i) => old.data[i]! + moved[i]!);
  };
  const neutral = (name: string): void => {
    const [w, b] = [weights[`${name}.w`]!, weights[`${name}.b`]];
    changed[`${name}.w`] = renumbered(w, () => (norm.unitOffset ? 0 : 1));
    if (b !== undefined) changed[`${name}.b`] = renumbered(b, () => 0);
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const block = `blocks.${layer}`;
    for (const part of ["Q", "K", "V"]) {
      const matrix = `${block}.attn.W_${part}`;
      fold(`${block}.ln1`, matrix, weights[matrix]!, `${block}.attn.b_${part}`);
    }
    neutral(`${block}.ln1`);
    if (mlp === undefined) continue;
    for (const part of mlp.gated ? ["gate", "in"] : ["in"]) {
      const matrix = `${block}.mlp.W_${part}`;
      fold(`${block}.ln2`, matrix, weights[matrix]!, `${block}.mlp.b_${part}`);
    }
    neutral(`${block}.ln2`);
  }
  fold("ln_final", "unembed.W_U", unembeddingOf(given), "unembed.b_U");
  neutral("ln_final");
  return processed(given, STEP, folded, changed);
}
