/** Llama and what was made after it: RMS norms, rotary positions, gated MLPs, keys and values that query heads share. */
import { z } from "zod";
import type { AttentionConfig, MlpConfig, NormConfig, TransformerConfig } from "../transformer/config.ts";
import type { Family, Stored } from "./family.ts";
import {
  activation,
  headSize,
  layerCount,
  maybe,
  nullOr,
  orElse,
  positive,
  readFields,
  size,
  wrongField,
} from "./fields.ts";
import { ropeFields, type RopeFields, rotaryPositions } from "./rope.ts";

const WEIGHTS: Readonly<Record<string, Stored>> = {
  "embed.W_E": ["embed_tokens.weight", "vocab d_model"],
  "blocks.#.ln1.w": ["layers.#.input_layernorm.weight", "d_model"],
  "blocks.#.attn.W_Q": ["layers.#.self_attn.q_proj.weight", "(head d_head) d_model"],
  "blocks.#.attn.b_Q": ["layers.#.self_attn.q_proj.bias", "(head d_head)"],
  "blocks.#.attn.W_K": ["layers.#.self_attn.k_proj.weight", "(kv_head d_head) d_model"],
  "blocks.#.attn.b_K": ["layers.#.self_attn.k_proj.bias", "(kv_head d_head)"],
  "blocks.#.attn.W_V": ["layers.#.self_attn.v_proj.weight", "(kv_head d_head) d_model"],
  "blocks.#.attn.b_V": ["layers.#.self_attn.v_proj.bias", "(kv_head d_head)"],
  "blocks.#.attn.W_O": ["layers.#.self_attn.o_proj.weight", "d_model (head d_head)"],
  "blocks.#.attn.b_O": ["layers.#.self_attn.o_proj.bias", "d_model"],
  "blocks.#.ln2.w": ["layers.#.post_attention_layernorm.weight", "d_model"],
  "blocks.#.mlp.W_gate": ["layers.#.mlp.gate_proj.weight", "d_mlp d_model"],
  "blocks.#.mlp.b_gate": ["layers.#.mlp.gate_proj.bias", "d_mlp"],
  "blocks.#.mlp.W_in": ["layers.#.mlp.up_proj.weight", "d_mlp d_model"],
  "blocks.#.mlp.b_in": ["layers.#.mlp.up_proj.bias", "d_mlp"],
  "blocks.#.mlp.W_out": ["layers.#.mlp.down_proj.weight", "d_model d_mlp"],
  "blocks.#.mlp.b_out": ["layers.#.mlp.down_proj.bias", "d_model"],
  "ln_final.w": ["norm.weight", "d_model"],
  "unembed.W_U": ["lm_head.weight", "vocab d_model"],
};

/** What every family here has. */
const shared = {
  prefix: "model.",
  weights: WEIGHTS,
  ignored: /^layers\.\d+\.self_attn\.rotary_emb\.inv_freq$/,
} as const;

/** The fields that every family here reads; the sizes have no defaults, for a config without them is none. */
const fields = {
  ...ropeFields,
  vocab_size: size,
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: layerCount,
  num_attention_heads: size,
  num_key_value_heads: maybe(size),
  head_dim: maybe(headSize),
  rms_norm_eps: orElse(positive, 1e-6),
};
const bias = orElse(z.boolean(), false);
const windowed = { sliding_window: nullOr(size, 4096) };
const layered = { layer_types: maybe(z.array(z.enum(["full_attention", "sliding_attention"])).max(10_000)) };

interface Common extends RopeFields {
  readonly vocab_size: number;
  readonly max_position_embeddings: number;
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads?: number | undefined;
  readonly head_dim?: number | undefined;
  readonly rms_norm_eps: number;
  readonly tie_word_embeddings: boolean;
}

interface Own {
  readonly mlp: Pick<MlpConfig, "dMlp" | "activation"> & Partial<MlpConfig>;
  readonly attention?: Partial<AttentionConfig>;
  readonly norm?: Partial<NormConfig>;
  readonly embedScale?: number;
  readonly logitCap?: number;
}

/** A description from the common fields and what a family has of its own. */
function described(given: Common, own: Own, where: string): TransformerConfig {
  const { hidden_size: dModel, num_attention_heads: heads, max_position_embeddings: context } = given;
  const kvHeads = given.num_key_value_heads ?? heads;
  if (heads % kvHeads !== 0) {
    throw wrongField(where, "num_key_value_heads", `a number that divides num_attention_heads, ${heads}`, kvHeads);
  }
  if (given.head_dim === undefined && dModel % heads !== 0) {
    throw wrongField(where, "hidden_size", `a multiple of num_attention_heads, ${heads}`, dModel);
  }
  const dHead = given.head_dim ?? dModel / heads;
  return {
    vocab: given.vocab_size,
    context,
    layers: given.num_hidden_layers,
    dModel,
    positions: rotaryPositions(given, { dHead, context }, where),
    norm: { kind: "rms", epsilon: given.rms_norm_eps, unitOffset: false, post: false, ...own.norm },
    attention: {
      heads,
      kvHeads,
      dHead,
      scale: Math.sqrt(dHead),
      queryKeyValueBias: false,
      outputBias: false,
      queryKeyNorm: false,
      scoreCap: 0,
      causal: true,
      windows: Array.from({ length: given.num_hidden_layers }, () => 0),
      ...own.attention,
    },
    mlp: { gated: true, bias: false, ...own.mlp },
    parallel: false,
    embedScale: own.embedScale ?? 1,
    tied: given.tie_word_embeddings,
    unembedBias: false,
    logitCap: own.logitCap ?? 0,
  };
}

const gated = (given: { readonly intermediate_size: number; readonly hidden_act: MlpConfig["activation"] }) => ({
  dMlp: given.intermediate_size,
  activation: given.hidden_act,
});

const llamaFields = z.object({
  ...fields,
  max_position_embeddings: orElse(size, 2048),
  hidden_act: orElse(activation, "silu"),
  attention_bias: bias,
  mlp_bias: bias,
  tie_word_embeddings: bias,
});

/** Llama 1 to 3.2 (Touvron et al. 2023), SmolLM, TinyLlama, SimpleStories. */
export const LLAMA: Family = {
  ...shared,
  architectures: ["LlamaForCausalLM", "LlamaModel"],
  describe(config, where) {
    const given = readFields(llamaFields, config, where);
    const attention = { queryKeyValueBias: given.attention_bias, outputBias: given.attention_bias };
    return described(given, { attention, mlp: { ...gated(given), bias: given.mlp_bias } }, where);
  },
};

const mistralFields = z.object({
  ...fields,
  ...windowed,
  num_key_value_heads: orElse(size, 8),
  max_position_embeddings: orElse(size, 131_072),
  hidden_act: orElse(activation, "silu"),
  tie_word_embeddings: bias,
});

/** Mistral 7B (Jiang et al. 2023): every layer sees `sliding_window` tokens. */
export const MISTRAL: Family = {
  ...shared,
  architectures: ["MistralForCausalLM", "MistralModel"],
  describe(config, where) {
    const given = readFields(mistralFields, config, where);
    const windows = Array.from({ length: given.num_hidden_layers }, () => given.sliding_window ?? 0);
    return described(given, { attention: { windows }, mlp: gated(given) }, where);
  },
};

const qwenFields = z.object({
  ...fields,
  ...windowed,
  ...layered,
  max_position_embeddings: orElse(size, 32_768),
  hidden_act: orElse(activation, "silu"),
  use_sliding_window: bias,
  max_window_layers: orElse(z.int().min(0), 28),
  tie_word_embeddings: bias,
});

/** The windows of Qwen: those of `layer_types`, else of the layers from `max_window_layers` on, where they are used at all. */
function qwenWindows(given: z.output<typeof qwenFields>, where: string): number[] {
  const { num_hidden_layers: layers, max_window_layers: first } = given;
  const window = given.use_sliding_window ? (given.sliding_window ?? 0) : 0;
  const types =
    given.layer_types ??
    Array.from({ length: layers }, (_, i) => (window > 0 && i >= first ? "sliding_attention" : "full_attention"));
  return typedWindows(types, layers, window, where);
}

/** The window of each layer by its type. */
function typedWindows(types: readonly string[], layers: number, window: number, where: string): number[] {
  if (types.length !== layers) {
    throw wrongField(where, "layer_types", `${layers} types, as num_hidden_layers says`, types.length);
  }
  if (window === 0 && types.includes("sliding_attention")) {
    throw wrongField(where, "sliding_window", "a number, for layer_types has sliding_attention", null);
  }
  return types.map((type) => (type === "sliding_attention" ? window : 0));
}

/** Qwen 2 and 2.5 (Yang et al. 2024): biases on queries, keys and values alone. */
export const QWEN2: Family = {
  ...shared,
  architectures: ["Qwen2ForCausalLM", "Qwen2Model"],
  describe(config, where) {
    const given = readFields(qwenFields, config, where);
    const attention = { queryKeyValueBias: true, windows: qwenWindows(given, where) };
    return described(given, { attention, mlp: gated(given) }, where);
  },
};

const qwen3Fields = qwenFields.extend({ attention_bias: bias, head_dim: orElse(headSize, 128) });

/** Qwen 3 (Yang et al. 2025): a norm over each head's queries and keys. */
export const QWEN3: Family = {
  ...shared,
  weights: {
    ...WEIGHTS,
    "blocks.#.attn.q_norm.w": ["layers.#.self_attn.q_norm.weight", "d_head"],
    "blocks.#.attn.k_norm.w": ["layers.#.self_attn.k_norm.weight", "d_head"],
  },
  architectures: ["Qwen3ForCausalLM", "Qwen3Model"],
  describe(config, where) {
    const given = readFields(qwen3Fields, config, where);
    const attention = {
      queryKeyNorm: true,
      queryKeyValueBias: given.attention_bias,
      outputBias: given.attention_bias,
      windows: qwenWindows(given, where),
    };
    return described(given, { attention, mlp: gated(given) }, where);
  },
};

const gemmaFields = {
  ...fields,
  max_position_embeddings: orElse(size, 8192),
  head_dim: orElse(headSize, 256),
  attention_bias: bias,
  tie_word_embeddings: orElse(z.boolean(), true),
};
const gemma1Fields = z.object({ ...gemmaFields, hidden_act: orElse(activation, "geluTanh") });

/**
 * Gemma 1 (Gemma Team 2024): embeddings times √d_model, norm weights as differences from 1.
 *
 * As `transformers` computes it in float32, √d_model is not rounded to bfloat16.
 */
export const GEMMA: Family = {
  ...shared,
  architectures: ["GemmaForCausalLM", "GemmaModel"],
  describe(config, where) {
    // The first configs say "gelu" and mean its tanh form.
    const given = readFields(gemma1Fields, config, where);
    const act = given.hidden_act === "gelu" ? "geluTanh" : given.hidden_act;
    return described(given, { ...gemma(given), mlp: { ...gated(given), activation: act } }, where);
  },
};

const gemma = (given: { readonly hidden_size: number; readonly attention_bias: boolean }) => ({
  norm: { unitOffset: true },
  attention: { queryKeyValueBias: given.attention_bias, outputBias: given.attention_bias },
  embedScale: Math.sqrt(given.hidden_size),
});

const gemma2Fields = z.object({
  ...gemmaFields,
  ...windowed,
  ...layered,
  hidden_activation: orElse(activation, "geluTanh"),
  query_pre_attn_scalar: orElse(positive, 256),
  attn_logit_softcapping: nullOr(positive, 50),
  final_logit_softcapping: nullOr(positive, 30),
});

/** Gemma 2 (Gemma Team 2024): caps on scores and logits, norms on both sides of each part, every other layer with a window. */
export const GEMMA2: Family = {
  ...shared,
  weights: {
    ...WEIGHTS,
    "blocks.#.ln1_post.w": ["layers.#.post_attention_layernorm.weight", "d_model"],
    "blocks.#.ln2.w": ["layers.#.pre_feedforward_layernorm.weight", "d_model"],
    "blocks.#.ln2_post.w": ["layers.#.post_feedforward_layernorm.weight", "d_model"],
  },
  architectures: ["Gemma2ForCausalLM", "Gemma2Model"],
  describe(config, where) {
    const given = readFields(gemma2Fields, config, where);
    const { num_hidden_layers: layers } = given;
    const window = given.sliding_window ?? 0;
    const types =
      given.layer_types ??
      Array.from({ length: layers }, (_, i) => (i % 2 === 0 && window > 0 ? "sliding_attention" : "full_attention"));
    const common = gemma(given);
    return described(
      given,
      {
        ...common,
        norm: { unitOffset: true, post: true },
        attention: {
          ...common.attention,
          scale: Math.sqrt(given.query_pre_attn_scalar),
          scoreCap: given.attn_logit_softcapping ?? 0,
          windows: typedWindows(types, layers, window, where),
        },
        mlp: { dMlp: given.intermediate_size, activation: given.hidden_activation },
        logitCap: given.final_logit_softcapping ?? 0,
      },
      where,
    );
  },
};
