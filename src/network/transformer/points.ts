/** The hook points of a transformer, under TransformerLens's names, in the order they are met. */
import type { HookPoint } from "../network.ts";
import type { NormConfig, TransformerConfig } from "./config.ts";

const STREAM = "batch pos d_model";

/** Every hook point. */
export function transformerPoints(config: TransformerConfig): HookPoint[] {
  const { positions, layers, norm } = config;
  const points: HookPoint[] = [{ name: "hook_embed", axes: STREAM }];
  if (positions.kind === "absolute") points.push({ name: "hook_pos_embed", axes: STREAM });
  for (let layer = 0; layer < layers; layer++) points.push(...blockPoints(config, `blocks.${layer}`));
  points.push(...normPoints(norm, "ln_final"), { name: "unembed.hook_out", axes: "batch pos vocab" });
  return points;
}

function normPoints({ kind }: NormConfig, name: string): HookPoint[] {
  if (kind === "none") return [];
  return [
    { name: `${name}.hook_scale`, axes: "batch pos" },
    { name: `${name}.hook_normalized`, axes: STREAM },
    { name: `${name}.hook_out`, axes: STREAM },
  ];
}

function blockPoints({ attention, mlp, norm, positions, parallel }: TransformerConfig, name: string): HookPoint[] {
  const kv = attention.heads === attention.kvHeads ? "head" : "kv_head";
  const points: HookPoint[] = [];
  const add = (part: string, axes: string): void => {
    points.push({ name: `${name}.${part}`, axes });
  };
  add("hook_resid_pre", STREAM);
  points.push(...normPoints(norm, `${name}.ln1`));
  add("hook_q_input", "batch pos head d_model");
  add("attn.hook_q", "batch pos head d_head");
  if (attention.queryKeyNorm) add("attn.hook_q_normed", "batch pos head d_head");
  if (positions.kind === "rotary") add("attn.hook_rot_q", "batch pos head d_head");
  add("hook_k_input", `batch pos ${kv} d_model`);
  add("attn.hook_k", `batch pos ${kv} d_head`);
  if (attention.queryKeyNorm) add("attn.hook_k_normed", `batch pos ${kv} d_head`);
  if (positions.kind === "rotary") add("attn.hook_rot_k", `batch pos ${kv} d_head`);
  add("hook_v_input", `batch pos ${kv} d_model`);
  add("attn.hook_v", `batch pos ${kv} d_head`);
  add("attn.hook_attn_scores", "batch head query key");
  add("attn.hook_pattern", "batch head query key");
  add("attn.hook_z", "batch pos head d_head");
  add("attn.hook_result", "batch pos head d_model");
  if (norm.post) points.push(...normPoints(norm, `${name}.ln1_post`));
  add("hook_attn_out", STREAM);
  if (mlp !== undefined) {
    if (!parallel) add("hook_resid_mid", STREAM);
    add("hook_mlp_in", STREAM);
    points.push(...normPoints(norm, `${name}.ln2`));
    add("mlp.hook_pre", "batch pos d_mlp");
    if (mlp.gated) add("mlp.hook_pre_linear", "batch pos d_mlp");
    add("mlp.hook_post", "batch pos d_mlp");
    if (norm.post) points.push(...normPoints(norm, `${name}.ln2_post`));
    add("hook_mlp_out", STREAM);
  }
  add("hook_resid_post", STREAM);
  return points;
}
