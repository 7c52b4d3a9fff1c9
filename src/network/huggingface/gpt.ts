/** GPT-2, GPT-Neo and GPT-NeoX: layer norms, plain MLPs, biases. */
import { z } from "zod";
import type { MlpConfig, NormConfig, TransformerConfig } from "../transformer/config.ts";
import type { Family, Stored } from "./family.ts";
import { activation, layerCount, maybe, orElse, positive, readFields, size, wrongField } from "./fields.ts";
import { ropeFields, rotaryPositions } from "./rope.ts";

const layerNorm = (epsilon: number): NormConfig => ({ kind: "layer", epsilon, unitOffset: false, post: false });
const plainMlp = (dMlp: number, act: MlpConfig["activation"]): MlpConfig => ({
  dMlp,
  activation: act,
  gated: false,
  bias: true,
});

/** What these have in common. */
const PLAIN = { parallel: false, embedScale: 1, unembedBias: false, logitCap: 0 } as const;
const LEARNED = { kind: "absolute", table: "learned", addedTo: "residual" } as const;

/** The dimensions of a head where heads share the width among them. */
function shared(width: number, heads: number, fields: readonly [string, string], where: string): number {
  if (width % heads === 0) return width / heads;
  throw wrongField(where, fields[0], `a multiple of ${fields[1]}, ${heads}`, width);
}

const normed = (ours: string, theirs: string): Record<string, Stored> => ({
  [`${ours}.w`]: [`${theirs}.weight`, "d_model"],
  [`${ours}.b`]: [`${theirs}.bias`, "d_model"],
});

/** GPT-2 (Radford et al. 2019): its matrices lie as ours do, queries, keys and values side by side. */
export const GPT2: Family = {
  architectures: ["GPT2LMHeadModel", "GPT2Model"],
  prefix: "transformer.",
  ignored: /^h\.\d+\.attn\.(bias|masked_bias)$/,
  weights: {
    "embed.W_E": ["wte.weight", "vocab d_model"],
    "pos_embed.W_pos": ["wpe.weight", "context d_model"],
    ...normed("blocks.#.ln1", "h.#.ln_1"),
    "blocks.#.attn.W_Q": ["h.#.attn.c_attn.weight", "d_model (qkv head d_head)"],
    "blocks.#.attn.W_K": ["h.#.attn.c_attn.weight", "d_model (qkv head d_head)"],
    "blocks.#.attn.W_V": ["h.#.attn.c_attn.weight", "d_model (qkv head d_head)"],
    "blocks.#.attn.b_Q": ["h.#.attn.c_attn.bias", "(qkv head d_head)"],
    "blocks.#.attn.b_K": ["h.#.attn.c_attn.bias", "(qkv head d_head)"],
    "blocks.#.attn.b_V": ["h.#.attn.c_attn.bias", "(qkv head d_head)"],
    "blocks.#.attn.W_O": ["h.#.attn.c_proj.weight", "(head d_head) d_model"],
    "blocks.#.attn.b_O": ["h.#.attn.c_proj.bias", "d_model"],
    ...normed("blocks.#.ln2", "h.#.ln_2"),
    "blocks.#.mlp.W_in": ["h.#.mlp.c_fc.weight", "d_model d_mlp"],
    "blocks.#.mlp.b_in": ["h.#.mlp.c_fc.bias", "d_mlp"],
    "blocks.#.mlp.W_out": ["h.#.mlp.c_proj.weight", "d_mlp d_model"],
    "blocks.#.mlp.b_out": ["h.#.mlp.c_proj.bias", "d_model"],
    ...normed("ln_final", "ln_f"),
    "unembed.W_U": ["lm_head.weight", "vocab d_model"],
  },
  describe(config, where): TransformerConfig {
    const given = readFields(gpt2Fields, config, where);
    const { n_embd: dModel, n_head: heads, n_layer: layers } = given;
    const dHead = shared(dModel, heads, ["n_embd", "n_head"], where);
    const scale = given.scale_attn_weights ? Math.sqrt(dHead) : 1;
    return {
      ...PLAIN,
      vocab: given.vocab_size,
      context: given.n_positions,
      layers,
      dModel,
      positions: LEARNED,
      norm: layerNorm(given.layer_norm_epsilon),
      attention: {
        heads,
        kvHeads: heads,
        dHead,
        scale: given.scale_attn_by_inverse_layer_idx
          ? Array.from({ length: layers }, (_, layer) => scale * (layer + 1))
          : scale,
        queryKeyValueBias: true,
        outputBias: true,
        queryKeyNorm: false,
        scoreCap: 0,
        causal: true,
        windows: Array.from({ length: layers }, () => 0),
      },
      mlp: plainMlp(given.n_inner ?? 4 * dModel, given.activation_function),
      tied: given.tie_word_embeddings,
    };
  },
};

const gpt2Fields = z.object({
  vocab_size: orElse(size, 50_257),
  n_positions: orElse(size, 1024),
  n_embd: orElse(size, 768),
  n_layer: orElse(layerCount, 12),
  n_head: orElse(size, 12),
  n_inner: maybe(size),
  activation_function: orElse(activation, "geluTanh"),
  layer_norm_epsilon: orElse(positive, 1e-5),
  scale_attn_weights: orElse(z.boolean(), true),
  scale_attn_by_inverse_layer_idx: orElse(z.boolean(), false),
  tie_word_embeddings: orElse(z.boolean(), true),
});

/** GPT-Neo (Black et al. 2021; TinyStories): scores are not divided by anything, every other layer may see only near tokens. */
export const GPT_NEO: Family = {
  architectures: ["GPTNeoForCausalLM", "GPTNeoModel"],
  prefix: "transformer.",
  ignored: /^h\.\d+\.attn\.attention\.(bias|masked_bias)$/,
  weights: {
    "embed.W_E": ["wte.weight", "vocab d_model"],
    "pos_embed.W_pos": ["wpe.weight", "context d_model"],
    ...normed("blocks.#.ln1", "h.#.ln_1"),
    "blocks.#.attn.W_Q": ["h.#.attn.attention.q_proj.weight", "(head d_head) d_model"],
    "blocks.#.attn.W_K": ["h.#.attn.attention.k_proj.weight", "(head d_head) d_model"],
    "blocks.#.attn.W_V": ["h.#.attn.attention.v_proj.weight", "(head d_head) d_model"],
    "blocks.#.attn.W_O": ["h.#.attn.attention.out_proj.weight", "d_model (head d_head)"],
    "blocks.#.attn.b_O": ["h.#.attn.attention.out_proj.bias", "d_model"],
    ...normed("blocks.#.ln2", "h.#.ln_2"),
    "blocks.#.mlp.W_in": ["h.#.mlp.c_fc.weight", "d_mlp d_model"],
    "blocks.#.mlp.b_in": ["h.#.mlp.c_fc.bias", "d_mlp"],
    "blocks.#.mlp.W_out": ["h.#.mlp.c_proj.weight", "d_model d_mlp"],
    "blocks.#.mlp.b_out": ["h.#.mlp.c_proj.bias", "d_model"],
    ...normed("ln_final", "ln_f"),
    "unembed.W_U": ["lm_head.weight", "vocab d_model"],
  },
  describe(config, where): TransformerConfig {
    const given = readFields(gptNeoFields, config, where);
    const { hidden_size: dModel, num_heads: heads, num_layers: layers } = given;
    return {
      ...PLAIN,
      vocab: given.vocab_size,
      context: given.max_position_embeddings,
      layers,
      dModel,
      positions: LEARNED,
      norm: layerNorm(given.layer_norm_epsilon),
      attention: {
        heads,
        kvHeads: heads,
        dHead: shared(dModel, heads, ["hidden_size", "num_heads"], where),
        scale: 1,
        queryKeyValueBias: false,
        outputBias: true,
        queryKeyNorm: false,
        scoreCap: 0,
        causal: true,
        windows: gptNeoWindows(given, where),
      },
      mlp: plainMlp(given.intermediate_size ?? 4 * dModel, given.activation_function),
      tied: given.tie_word_embeddings,
    };
  },
};

const gptNeoFields = z.object({
  vocab_size: orElse(size, 50_257),
  max_position_embeddings: orElse(size, 2048),
  hidden_size: orElse(size, 2048),
  num_layers: orElse(layerCount, 24),
  num_heads: orElse(size, 16),
  intermediate_size: maybe(size),
  attention_types: orElse(
    z.array(
      z.tuple([
        z
          .array(z.enum(["global", "local"]))
          .min(1)
          .max(10_000),
        layerCount,
      ]),
    ),
    [[["global", "local"], 12]],
  ),
  window_size: orElse(size, 256),
  activation_function: orElse(activation, "geluTanh"),
  layer_norm_epsilon: orElse(positive, 1e-5),
  tie_word_embeddings: orElse(z.boolean(), true),
});

/** `[[["global", "local"], 12]]`: these two, twelve times over. */
function gptNeoWindows(given: z.output<typeof gptNeoFields>, where: string): number[] {
  const { attention_types: types, num_layers: layers, window_size: window } = given;
  const count = types.reduce((sum, [kinds, times]) => sum + kinds.length * times, 0);
  if (count !== layers) throw wrongField(where, "attention_types", `${layers} layers, as num_layers says`, count);
  return types.flatMap(([kinds, times]) =>
    Array.from({ length: times }, () => kinds.map((kind) => (kind === "local" ? window : 0))).flat(),
  );
}

/** GPT-NeoX (Black et al. 2022; Pythia): rotary positions on a part of each head, attention and MLP side by side, and qkv by head. */
export const GPT_NEOX: Family = {
  architectures: ["GPTNeoXForCausalLM", "GPTNeoXModel"],
  prefix: "gpt_neox.",
  ignored: /^layers\.\d+\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/,
  weights: {
    "embed.W_E": ["embed_in.weight", "vocab d_model"],
    ...normed("blocks.#.ln1", "layers.#.input_layernorm"),
    "blocks.#.attn.W_Q": ["layers.#.attention.query_key_value.weight", "(head qkv d_head) d_model"],
    "blocks.#.attn.W_K": ["layers.#.attention.query_key_value.weight", "(head qkv d_head) d_model"],
    "blocks.#.attn.W_V": ["layers.#.attention.query_key_value.weight", "(head qkv d_head) d_model"],
    "blocks.#.attn.b_Q": ["layers.#.attention.query_key_value.bias", "(head qkv d_head)"],
    "blocks.#.attn.b_K": ["layers.#.attention.query_key_value.bias", "(head qkv d_head)"],
    "blocks.#.attn.b_V": ["layers.#.attention.query_key_value.bias", "(head qkv d_head)"],
    "blocks.#.attn.W_O": ["layers.#.attention.dense.weight", "d_model (head d_head)"],
    "blocks.#.attn.b_O": ["layers.#.attention.dense.bias", "d_model"],
    ...normed("blocks.#.ln2", "layers.#.post_attention_layernorm"),
    "blocks.#.mlp.W_in": ["layers.#.mlp.dense_h_to_4h.weight", "d_mlp d_model"],
    "blocks.#.mlp.b_in": ["layers.#.mlp.dense_h_to_4h.bias", "d_mlp"],
    "blocks.#.mlp.W_out": ["layers.#.mlp.dense_4h_to_h.weight", "d_model d_mlp"],
    "blocks.#.mlp.b_out": ["layers.#.mlp.dense_4h_to_h.bias", "d_model"],
    ...normed("ln_final", "final_layer_norm"),
    "unembed.W_U": ["embed_out.weight", "vocab d_model"],
  },
  describe(config, where): TransformerConfig {
    const given = readFields(gptNeoxFields, config, where);
    const { hidden_size: dModel, num_attention_heads: heads, num_hidden_layers: layers } = given;
    const dHead = shared(dModel, heads, ["hidden_size", "num_attention_heads"], where);
    const context = given.max_position_embeddings;
    const rope = { ...given, rope_theta: given.rotary_emb_base ?? given.rope_theta };
    return {
      ...PLAIN,
      vocab: given.vocab_size,
      context,
      layers,
      dModel,
      positions: rotaryPositions(rope, { dHead, context, fraction: given.rotary_pct }, where),
      norm: layerNorm(given.layer_norm_eps),
      attention: {
        heads,
        kvHeads: heads,
        dHead,
        scale: Math.sqrt(dHead),
        queryKeyValueBias: given.attention_bias,
        outputBias: given.attention_bias,
        queryKeyNorm: false,
        scoreCap: 0,
        causal: true,
        windows: Array.from({ length: layers }, () => 0),
      },
      mlp: plainMlp(given.intermediate_size, given.hidden_act),
      parallel: given.use_parallel_residual,
      tied: given.tie_word_embeddings,
    };
  },
};

const gptNeoxFields = z.object({
  ...ropeFields,
  vocab_size: orElse(size, 50_432),
  max_position_embeddings: orElse(size, 2048),
  hidden_size: orElse(size, 6144),
  num_hidden_layers: orElse(layerCount, 44),
  num_attention_heads: orElse(size, 64),
  intermediate_size: orElse(size, 24_576),
  hidden_act: orElse(activation, "gelu"),
  rotary_pct: orElse(z.number().gt(0).max(1), 0.25),
  rotary_emb_base: maybe(positive),
  layer_norm_eps: orElse(positive, 1e-5),
  use_parallel_residual: orElse(z.boolean(), true),
  attention_bias: orElse(z.boolean(), true),
  tie_word_embeddings: orElse(z.boolean(), false),
});
