import { describe, expect, test } from "vitest";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { resolvePoint } from "./hook-names.ts";
import { describeNetwork } from "./huggingface/checkpoint.ts";
import { tms } from "./tms.ts";
import { toyTransformer } from "./transformer/config.ts";
import { type Transformer, transformer } from "./transformer/transformer.ts";

const golden = (name: string): Transformer => {
  const path = join(import.meta.dirname, "../../test/golden/networks", name, "config.json");
  return describeNetwork(JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>).network;
};
const networks = {
  gpt2: golden("gpt2"),
  neox: golden("gpt-neox"),
  llama: golden("llama"),
  qwen3: golden("qwen3"),
  gemma2: golden("gemma2"),
  toy: transformer(toyTransformer({ vocab: 5, context: 4, layers: 2, dModel: 4, heads: 2 })),
};

test("every name there is means itself", () => {
  for (const network of Object.values(networks)) {
    for (const point of network.points) expect(resolvePoint(network, point.name)).toBe(point);
  }
});

describe("other names", () => {
  test.each([
    // TransformerLens's get_act_name.
    ["gpt2", "pattern1", "blocks.1.attn.hook_pattern"],
    ["gpt2", "attn1", "blocks.1.attn.hook_pattern"],
    ["gpt2", "resid_post0", "blocks.0.hook_resid_post"],
    ["gpt2", "k1", "blocks.1.attn.hook_k"],
    ["gpt2", "scale1ln2", "blocks.1.ln2.hook_scale"],
    ["gemma2", "normalized0ln1_post", "blocks.0.ln1_post.hook_normalized"],
    ["gpt2", "pre1", "blocks.1.mlp.hook_pre"],
    ["gpt2", "mlp_post1", "blocks.1.mlp.hook_post"],
    ["gpt2", "embed", "hook_embed"],
    ["gpt2", "normalized", "ln_final.hook_normalized"],
    ["gemma2", "attn_out1", "blocks.1.hook_attn_out"],
    ["gemma2", "mlp_in1", "blocks.1.hook_mlp_in"],
    // TransformerLens 4.
    ["gpt2", "blocks.0.hook_in", "blocks.0.hook_resid_pre"],
    ["gpt2", "blocks.0.hook_out", "blocks.0.hook_resid_post"],
    ["gpt2", "blocks.0.attn.q.hook_out", "blocks.0.attn.hook_q"],
    ["gpt2", "blocks.0.attn.o.hook_in", "blocks.0.attn.hook_z"],
    ["gpt2", "blocks.0.attn.hook_out", "blocks.0.hook_attn_out"],
    ["gpt2", "blocks.0.mlp.hook_in", "blocks.0.ln2.hook_out"],
    ["gpt2", "blocks.0.mlp.in.hook_out", "blocks.0.mlp.hook_pre"],
    ["llama", "blocks.0.mlp.in.hook_out", "blocks.0.mlp.hook_pre_linear"],
    ["llama", "blocks.0.mlp.gate.hook_out", "blocks.0.mlp.hook_pre"],
    ["qwen3", "blocks.1.attn.q_norm.hook_out", "blocks.1.attn.hook_q_normed"],
    ["gpt2", "ln_final.hook_in", "blocks.1.hook_resid_post"],
    ["gpt2", "unembed.hook_in", "ln_final.hook_out"],
    ["toy", "unembed.hook_in", "blocks.1.hook_resid_post"],
    // interp-engine.
    ["gpt2", "resid_post.1", "blocks.1.hook_resid_post"],
    ["gpt2", "attn_out.1", "blocks.1.hook_attn_out"],
    ["gemma2", "attn_out_post.1", "blocks.1.hook_attn_out"],
    ["gpt2", "mlp_act.0", "blocks.0.mlp.hook_post"],
    ["gpt2", "attn_probs.0", "blocks.0.attn.hook_pattern"],
    ["gpt2", "value.0", "blocks.0.attn.hook_v"],
    ["qwen3", "q_norm_in.0", "blocks.0.attn.hook_q"],
    ["gpt2", "embeddings", "hook_embed"],
    ["gpt2", "final_norm", "ln_final.hook_out"],
    // Modules of transformers.
    ["gpt2", "transformer.h.1", "blocks.1.hook_resid_post"],
    ["gpt2", "transformer.h.1.attn.c_proj", "blocks.1.hook_attn_out"],
    ["neox", "gpt_neox.layers.0.mlp.dense_h_to_4h", "blocks.0.mlp.hook_pre"],
    ["llama", "model.layers.0.self_attn.k_proj", "blocks.0.attn.hook_k"],
    ["llama", "model.layers.0.post_attention_layernorm", "blocks.0.ln2.hook_out"],
    ["gemma2", "model.layers.0.post_attention_layernorm", "blocks.0.ln1_post.hook_out"],
    ["llama", "model.norm", "ln_final.hook_out"],
    ["llama", "lm_head", "unembed.hook_out"],
  ] as const)("%s: %s is %s", (network, name, point) => {
    expect(resolvePoint(networks[network], name).name).toBe(point);
  });
});

describe("names that mean something else", () => {
  test.each([
    [
      "gemma2",
      "attn_out.1",
      /after the part's own norm in TransformerLens, before it in interp-engine; say blocks.1.hook_attn_out or attn_out_post.1/,
    ],
    [
      "gpt2",
      "mlp_in.1",
      /before the norm in TransformerLens, after it in interp-engine; say blocks.1.hook_mlp_in or blocks.1.ln2.hook_out/,
    ],
    ["gemma2", "blocks.0.attn.hook_out", /before its own norm, which is no point here; hook_attn_out is after it/],
    ["gemma2", "model.layers.0.mlp.down_proj", /before its own norm/],
    ["gpt2", "transformer.h.0.attn.c_attn", /queries, keys and values together; say blocks.0.attn.hook_q/],
    ["gpt2", "blocks.0.attn.q.hook_in", /replacing it changes what one matrix reads/],
    ["gpt2", "blocks.0.ln1.hook_in", /not the stream/],
    ["llama", "model.layers.0.mlp.act_fn", /no point here; blocks.0.mlp.hook_post is after/],
  ] as const)("%s: %s", (network, name, why) => {
    expect(() => resolvePoint(networks[network], name)).toThrow(why);
    expect(() => resolvePoint(networks[network], name)).toThrow(expect.objectContaining({ code: "Refused" }));
  });
});

describe("names of nothing", () => {
  test.each([
    [
      "neox",
      "blocks.0.hook_resid_mid",
      "hook point blocks.0.hook_resid_mid: expected attention and MLP one after the other, for only then there is a stream between them, got none in this network",
    ],
    [
      "llama",
      "hook_pos_embed",
      "hook point hook_pos_embed: expected positions that are embedded, got none in this network",
    ],
    ["llama", "pos_embed", "hook point pos_embed: expected positions that are embedded, got none in this network"],
    ["gpt2", "rot_q1", "hook point rot_q1: expected rotary positions, got none in this network"],
    ["toy", "blocks.0.ln1.hook_scale", "hook point blocks.0.ln1.hook_scale: expected norms, got none in this network"],
    ["toy", "mlp_act.0", "hook point mlp_act.0: expected an MLP, got none in this network"],
    ["gpt2", "resid_post.2", "hook point resid_post.2: expected a layer from 0 to 1, got 2"],
    ["gpt2", "blocks.9.hook_resid_pre", "hook point blocks.9.hook_resid_pre: expected a layer from 0 to 1, got 9"],
    ["gpt2", "blocks.0.hook_resid_pots", "hook point: expected blocks.0.hook_resid_post, got blocks.0.hook_resid_pots"],
  ] as const)("%s: %s", (network, name, message) => {
    expect(() => resolvePoint(networks[network], name)).toThrow(message);
    expect(() => resolvePoint(networks[network], name)).toThrow(expect.objectContaining({ code: "UnknownName" }));
  });

  test("other networks have their own names alone", () => {
    const network = tms({ features: 3, hidden: 2, identity: false });
    expect(resolvePoint(network, "hook_pre").axes).toBe("batch feature");
    expect(() => resolvePoint(network, "hook_prs")).toThrow("hook point: expected hook_pre, got hook_prs");
  });
});
