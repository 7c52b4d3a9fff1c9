/** The weights of a transformer: their names, as TransformerLens has them, and their axes. */
import type { WeightSpec } from "../network.ts";
import type { TransformerConfig } from "./config.ts";

/** Every weight, in the order an activation meets them. Matrices multiply from the right: their first axes are what they read. */
export function transformerWeights(config: TransformerConfig): WeightSpec[] {
  const { vocab, context, dModel, positions, layers, norm, tied, unembedBias } = config;
  const weights: WeightSpec[] = [{ name: "embed.W_E", axes: "vocab d_model", shape: [vocab, dModel] }];
  if (positions.kind === "absolute" && positions.table === "learned") {
    weights.push({ name: "pos_embed.W_pos", axes: "context d_model", shape: [context, dModel] });
  }
  for (let layer = 0; layer < layers; layer++) weights.push(...blockWeights(config, `blocks.${layer}`));
  if (norm.kind !== "none") weights.push(...normWeights(config, "ln_final"));
  if (!tied) weights.push({ name: "unembed.W_U", axes: "d_model vocab", shape: [dModel, vocab] });
  if (unembedBias) weights.push({ name: "unembed.b_U", axes: "vocab", shape: [vocab] });
  return weights;
}

function normWeights({ norm, dModel }: TransformerConfig, name: string): WeightSpec[] {
  if (norm.kind === "none") return [];
  const vector = (part: string): WeightSpec => ({ name: `${name}.${part}`, axes: "d_model", shape: [dModel] });
  return norm.kind === "layer" ? [vector("w"), vector("b")] : [vector("w")];
}

/** The weights of one block, called `<name>.attn.W_Q` and so on. */
export function blockWeights(config: TransformerConfig, name: string): WeightSpec[] {
  const { dModel, attention, mlp, norm } = config;
  const { heads, kvHeads, dHead } = attention;
  const weights: WeightSpec[] = [...normWeights(config, `${name}.ln1`)];
  const add = (part: string, axes: string, shape: readonly number[]): void => {
    weights.push({ name: `${name}.${part}`, axes, shape });
  };
  const parts = [
    ["Q", "head", heads],
    ["K", heads === kvHeads ? "head" : "kv_head", kvHeads],
    ["V", heads === kvHeads ? "head" : "kv_head", kvHeads],
  ] as const;
  for (const [part, axis, count] of parts) {
    add(`attn.W_${part}`, `d_model ${axis} d_head`, [dModel, count, dHead]);
    if (attention.queryKeyValueBias) add(`attn.b_${part}`, `${axis} d_head`, [count, dHead]);
  }
  if (attention.queryKeyNorm) {
    add("attn.q_norm.w", "d_head", [dHead]);
    add("attn.k_norm.w", "d_head", [dHead]);
  }
  add("attn.W_O", "head d_head d_model", [heads, dHead, dModel]);
  if (attention.outputBias) add("attn.b_O", "d_model", [dModel]);
  if (norm.post) weights.push(...normWeights(config, `${name}.ln1_post`));
  if (mlp === undefined) return weights;
  const { dMlp, gated, bias } = mlp;
  weights.push(...normWeights(config, `${name}.ln2`));
  if (gated) add("mlp.W_gate", "d_model d_mlp", [dModel, dMlp]);
  if (gated && bias) add("mlp.b_gate", "d_mlp", [dMlp]);
  add("mlp.W_in", "d_model d_mlp", [dModel, dMlp]);
  if (bias) add("mlp.b_in", "d_mlp", [dMlp]);
  add("mlp.W_out", "d_mlp d_model", [dMlp, dModel]);
  if (bias) add("mlp.b_out", "d_model", [dModel]);
  if (norm.post) weights.push(...normWeights(config, `${name}.ln2_post`));
  return weights;
}
