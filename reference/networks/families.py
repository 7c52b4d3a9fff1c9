"""The tiny networks, one for each family: a config of `transformers`, and where its modules keep what the hook points show."""

from dataclasses import dataclass

import torch
import transformers as hf

VOCAB = 37
CONTEXT = 16
SMALL = {"vocab_size": VOCAB, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
LLAMA_LIKE = {**SMALL, "max_position_embeddings": CONTEXT, "num_key_value_heads": 2}


@dataclass
class Modules:
    """Paths of modules from the model's root; `{}` is the layer."""

    embed: str
    block: str
    ln1: str
    ln2: str
    attention: str
    projections: tuple[str, ...]
    output: str
    mlp: str
    mlp_in: str
    mlp_out: str
    ln_final: str
    head: str = "lm_head"
    pos_embed: str | None = None
    gate: str | None = None
    ln1_post: str | None = None
    ln2_post: str | None = None
    fused: str | None = None
    """How queries, keys and values lie in one projection: `halves` beside each other, `heads` within each head."""
    conv: bool = False
    """Whether matrices are stored as `in out`."""


LLAMA = Modules(
    embed="model.embed_tokens",
    block="model.layers.{}",
    ln1="model.layers.{}.input_layernorm",
    ln2="model.layers.{}.post_attention_layernorm",
    attention="model.layers.{}.self_attn",
    projections=tuple(f"model.layers.{{}}.self_attn.{part}_proj" for part in "qkv"),
    output="model.layers.{}.self_attn.o_proj",
    mlp="model.layers.{}.mlp",
    gate="model.layers.{}.mlp.gate_proj",
    mlp_in="model.layers.{}.mlp.up_proj",
    mlp_out="model.layers.{}.mlp.down_proj",
    ln_final="model.norm",
)
GEMMA2 = Modules(
    **{
        **vars(LLAMA),
        "ln1_post": "model.layers.{}.post_attention_layernorm",
        "ln2": "model.layers.{}.pre_feedforward_layernorm",
        "ln2_post": "model.layers.{}.post_feedforward_layernorm",
    }
)
GPT2 = Modules(
    embed="transformer.wte",
    pos_embed="transformer.wpe",
    block="transformer.h.{}",
    ln1="transformer.h.{}.ln_1",
    ln2="transformer.h.{}.ln_2",
    attention="transformer.h.{}.attn",
    projections=("transformer.h.{}.attn.c_attn",),
    fused="halves",
    conv=True,
    output="transformer.h.{}.attn.c_proj",
    mlp="transformer.h.{}.mlp",
    mlp_in="transformer.h.{}.mlp.c_fc",
    mlp_out="transformer.h.{}.mlp.c_proj",
    ln_final="transformer.ln_f",
)
GPT_NEO = Modules(
    **{
        **vars(GPT2),
        "attention": "transformer.h.{}.attn.attention",
        "projections": tuple(f"transformer.h.{{}}.attn.attention.{part}_proj" for part in "qkv"),
        "fused": None,
        "conv": False,
        "output": "transformer.h.{}.attn.attention.out_proj",
    }
)
GPT_NEOX = Modules(
    embed="gpt_neox.embed_in",
    block="gpt_neox.layers.{}",
    ln1="gpt_neox.layers.{}.input_layernorm",
    ln2="gpt_neox.layers.{}.post_attention_layernorm",
    attention="gpt_neox.layers.{}.attention",
    projections=("gpt_neox.layers.{}.attention.query_key_value",),
    fused="heads",
    output="gpt_neox.layers.{}.attention.dense",
    mlp="gpt_neox.layers.{}.mlp",
    mlp_in="gpt_neox.layers.{}.mlp.dense_h_to_4h",
    mlp_out="gpt_neox.layers.{}.mlp.dense_4h_to_h",
    ln_final="gpt_neox.final_layer_norm",
)


@dataclass
class Network:
    """One golden."""

    config: hf.PretrainedConfig
    modules: Modules
    dtype: torch.dtype = torch.float32
    """Of the file; the numbers are computed in float32 from what the file holds."""
    shard: str | None = None
    parallel: bool = False


NETWORKS = {
    "gpt2": lambda: Network(
        hf.GPT2Config(vocab_size=VOCAB, n_positions=CONTEXT, n_embd=16, n_layer=2, n_head=4, n_inner=24), GPT2
    ),
    # With what Stanford's GPT-2s have: scores divided by the layer's number too.
    "gpt2-scaled": lambda: Network(
        hf.GPT2Config(
            vocab_size=VOCAB, n_positions=CONTEXT, n_embd=8, n_layer=2, n_head=2, n_inner=12,
            scale_attn_by_inverse_layer_idx=True, reorder_and_upcast_attn=True, tie_word_embeddings=False,
        ),
        GPT2,
    ),
    "gpt-neo": lambda: Network(
        hf.GPTNeoConfig(
            vocab_size=VOCAB, max_position_embeddings=CONTEXT, hidden_size=16, num_layers=2, num_heads=4,
            intermediate_size=24, attention_types=[[["global", "local"], 1]], window_size=3,
        ),
        GPT_NEO,
    ),
    "gpt-neox": lambda: Network(
        hf.GPTNeoXConfig(**{**SMALL, "num_attention_heads": 2}, max_position_embeddings=CONTEXT, rotary_pct=0.5, rotary_emb_base=100),
        GPT_NEOX,
        dtype=torch.float16,
        parallel=True,
    ),
    "gpt-neox-sequential": lambda: Network(
        hf.GPTNeoXConfig(
            **SMALL, max_position_embeddings=CONTEXT, rotary_pct=1.0, use_parallel_residual=False, attention_bias=False,
            hidden_act="relu", tie_word_embeddings=True,
        ),
        GPT_NEOX,
    ),
    "llama": lambda: Network(
        hf.LlamaConfig(
            **LLAMA_LIKE, head_dim=8,
            rope_parameters={
                "rope_type": "llama3", "rope_theta": 50.0, "factor": 4.0, "low_freq_factor": 1.0,
                "high_freq_factor": 3.0, "original_max_position_embeddings": 12,
            },
        ),
        LLAMA,
        shard="12KB",
    ),
    "llama-biased": lambda: Network(
        hf.LlamaConfig(
            **{**LLAMA_LIKE, "num_key_value_heads": 4}, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
            rope_parameters={"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0},
        ),
        LLAMA,
    ),
    "mistral": lambda: Network(
        hf.MistralConfig(**{**LLAMA_LIKE, "num_key_value_heads": 1}, sliding_window=3), LLAMA, dtype=torch.bfloat16
    ),
    "qwen2": lambda: Network(
        hf.Qwen2Config(
            **LLAMA_LIKE, use_sliding_window=True, sliding_window=3, max_window_layers=1, tie_word_embeddings=True,
            rope_parameters={
                "rope_type": "yarn", "rope_theta": 200.0, "factor": 2.0, "original_max_position_embeddings": 8,
                "beta_fast": 2.0, "beta_slow": 0.25,
            },
        ),
        LLAMA,
    ),
    "qwen3": lambda: Network(hf.Qwen3Config(**LLAMA_LIKE, head_dim=6, attention_bias=True), LLAMA),
    "gemma": lambda: Network(hf.GemmaConfig(**{**LLAMA_LIKE, "num_key_value_heads": 1}, head_dim=6), LLAMA),
    "gemma2": lambda: Network(
        hf.Gemma2Config(
            **LLAMA_LIKE, head_dim=6, sliding_window=3, query_pre_attn_scalar=10, attn_logit_softcapping=2.0,
            final_logit_softcapping=3.0,
        ),
        GEMMA2,
    ),
}
