/**
 * Hook points by the names that other tools have for them: TransformerLens's short names and those of its version 4, interp-engine's
 * points, and the modules of `transformers`. A name is taken where it means the same value, read or replaced; where it means two things
 * on the network at hand it is refused, with both names. `docs/decisions/010-hook-point-names.md` has the comparison.
 */
import { MechanistError } from "../error.ts";
import { quoted } from "../file/json.ts";
import { nearest } from "../nearest.ts";
import type { HookPoint, Network } from "./network.ts";
import type { TransformerConfig } from "./transformer/config.ts";

/** What a name means on a network: a part of a block or a whole name, or why neither. */
type Meaning =
  string | { readonly refused: string } | ((config: TransformerConfig) => string | { readonly refused: string });

const refused = (why: string): { readonly refused: string } => ({ refused: why });

/** What a part of the block computes before its own norm: a point only where there is no such norm. */
const raw =
  (part: "attn" | "mlp"): Meaning =>
  ({ norm }) =>
    norm.post
      ? refused(
          `the ${part === "attn" ? "attention" : "MLP"}'s output before its own norm, which is no point here; hook_${part}_out is after it`,
        )
      : `hook_${part}_out`;

/** What interp-engine has before a part's own norm under the name that TransformerLens has for what comes after it. */
const ambiguousOut =
  (part: "attn" | "mlp"): Meaning =>
  ({ norm }) =>
    norm.post
      ? refused(
          `it is after the part's own norm in TransformerLens, before it in interp-engine; say blocks.N.hook_${part}_out or ${part}_out_post.N for the former`,
        )
      : `hook_${part}_out`;

const ambiguousIn =
  (after: string, before: string): Meaning =>
  ({ norm }) =>
    norm.kind === "none"
      ? before
      : refused(
          `it is before the norm in TransformerLens, after it in interp-engine; say blocks.N.${before} or blocks.N.${after}`,
        );

const readByOne = (all: string): Meaning =>
  refused(`replacing it changes what one matrix reads; here all that read blocks.N.${all} read the same`);

/** A gated MLP's second projection, or the only one of a plain MLP. */
const input: Meaning = ({ mlp }) => (mlp?.gated ? "mlp.hook_pre_linear" : "mlp.hook_pre");

const fused = refused("it holds queries, keys and values together; say blocks.N.attn.hook_q, hook_k or hook_v");

/** The parts of a block by TransformerLens's `get_act_name`, beside those that begin with `hook_`: `pattern5`, `resid_post.5`. */
const SHORT: Readonly<Record<string, Meaning>> = {
  ...Object.fromEntries(
    ["q", "k", "v", "z", "rot_q", "rot_k", "q_normed", "k_normed", "result", "pattern", "attn_scores"].map((part) => [
      part,
      `attn.hook_${part}`,
    ]),
  ),
  ...Object.fromEntries(["pre", "post", "pre_linear"].map((part) => [part, `mlp.hook_${part}`])),
  ...Object.fromEntries(
    ["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "mlp_in", "q_input", "k_input", "v_input"].map(
      (part) => [part, `hook_${part}`],
    ),
  ),
  attn: "attn.hook_pattern",
  attn_logits: "attn.hook_attn_scores",
  query: "attn.hook_q",
  key: "attn.hook_k",
  value: "attn.hook_v",
  mlp_pre: "mlp.hook_pre",
  mlp_post: "mlp.hook_post",
};

/** interp-engine's points of a layer, `mlp_act.5`; where the two tools have one name, it must mean one thing. */
const DOTTED: Readonly<Record<string, Meaning>> = {
  ...SHORT,
  attn_in: ambiguousIn("ln1.hook_out", "hook_resid_pre"),
  mlp_in: ambiguousIn("ln2.hook_out", "hook_mlp_in"),
  q_norm_in: "attn.hook_q",
  k_norm_in: "attn.hook_k",
  q_norm_out: "attn.hook_q_normed",
  k_norm_out: "attn.hook_k_normed",
  attn_probs: "attn.hook_pattern",
  attn_out: ambiguousOut("attn"),
  attn_out_post: "hook_attn_out",
  mlp_pre_linear: "mlp.hook_pre_linear",
  mlp_act: "mlp.hook_post",
  mlp_out: ambiguousOut("mlp"),
  mlp_out_post: "hook_mlp_out",
};

/** What TransformerLens 4 calls parts of a block. */
const CANONICAL: Readonly<Record<string, Meaning>> = {
  hook_in: "hook_resid_pre",
  hook_out: "hook_resid_post",
  hook_attn_in: refused(
    "it is what all heads read before the norm; say blocks.N.hook_q_input, hook_k_input or hook_v_input",
  ),
  "ln1.hook_in": refused(
    "replacing it changes what the norm reads and not the stream; say blocks.N.hook_q_input, hook_k_input or hook_v_input",
  ),
  "ln2.hook_in": "hook_mlp_in",
  "ln1_post.hook_in": raw("attn"),
  "ln2_post.hook_in": raw("mlp"),
  "attn.hook_in": "ln1.hook_out",
  "attn.q.hook_in": readByOne("ln1.hook_out"),
  "attn.k.hook_in": readByOne("ln1.hook_out"),
  "attn.v.hook_in": readByOne("ln1.hook_out"),
  "attn.q.hook_out": "attn.hook_q",
  "attn.k.hook_out": "attn.hook_k",
  "attn.v.hook_out": "attn.hook_v",
  "attn.q_norm.hook_in": "attn.hook_q",
  "attn.k_norm.hook_in": "attn.hook_k",
  "attn.q_norm.hook_out": "attn.hook_q_normed",
  "attn.k_norm.hook_out": "attn.hook_k_normed",
  "attn.hook_q_input": "hook_q_input",
  "attn.hook_k_input": "hook_k_input",
  "attn.hook_v_input": "hook_v_input",
  "attn.o.hook_in": "attn.hook_z",
  "attn.o.hook_out": raw("attn"),
  "attn.hook_out": raw("attn"),
  "attn.hook_hidden_states": raw("attn"),
  "mlp.hook_in": "ln2.hook_out",
  "mlp.in.hook_in": ({ mlp }) =>
    mlp?.gated
      ? refused("replacing it changes what one matrix reads; here both read blocks.N.ln2.hook_out")
      : "ln2.hook_out",
  "mlp.gate.hook_in": readByOne("ln2.hook_out"),
  "mlp.in.hook_out": input,
  "mlp.gate.hook_out": "mlp.hook_pre",
  "mlp.out.hook_in": "mlp.hook_post",
  "mlp.out.hook_out": raw("mlp"),
  "mlp.hook_out": raw("mlp"),
};

/** The modules of a block in `transformers`; a module's name means its output. */
const MODULES: Readonly<Record<string, Meaning>> = {
  "": "hook_resid_post",
  ...named("ln1.hook_out", "ln_1", "input_layernorm"),
  ln_2: "ln2.hook_out",
  post_attention_layernorm: ({ norm }) => (norm.post ? "ln1_post.hook_out" : "ln2.hook_out"),
  pre_feedforward_layernorm: "ln2.hook_out",
  post_feedforward_layernorm: "ln2_post.hook_out",
  ...named(
    raw("attn"),
    "attn",
    "attn.c_proj",
    "attn.attention",
    "attn.attention.out_proj",
    "attention",
    "attention.dense",
  ),
  ...named(raw("attn"), "self_attn", "self_attn.o_proj"),
  ...named(fused, "attn.c_attn", "attention.query_key_value"),
  ...named("attn.hook_q", "self_attn.q_proj", "attn.attention.q_proj"),
  ...named("attn.hook_k", "self_attn.k_proj", "attn.attention.k_proj"),
  ...named("attn.hook_v", "self_attn.v_proj", "attn.attention.v_proj"),
  "self_attn.q_norm": "attn.hook_q_normed",
  "self_attn.k_norm": "attn.hook_k_normed",
  ...named(raw("mlp"), "mlp", "mlp.c_proj", "mlp.dense_4h_to_h", "mlp.down_proj"),
  ...named("mlp.hook_pre", "mlp.c_fc", "mlp.dense_h_to_4h", "mlp.gate_proj"),
  "mlp.up_proj": "mlp.hook_pre_linear",
  ...named(
    ({ mlp }) =>
      mlp?.gated
        ? refused("the activation before it is multiplied is no point here; blocks.N.mlp.hook_post is after")
        : "mlp.hook_post",
    "mlp.act",
    "mlp.act_fn",
  ),
};

/** What is not in a block. */
const OUTSIDE: Readonly<Record<string, Meaning>> = {
  ...named(
    "hook_embed",
    "embed",
    "embed.hook_out",
    "embeddings",
    "transformer.wte",
    "model.embed_tokens",
    "gpt_neox.embed_in",
  ),
  ...named("hook_pos_embed", "hook_pos_embed", "pos_embed", "pos_embed.hook_out", "transformer.wpe"),
  ...named("ln_final.hook_scale", "ln_final.hook_scale", "scale"),
  ...named("ln_final.hook_normalized", "ln_final.hook_normalized", "normalized"),
  "ln_final.hook_in": ({ layers }) => `blocks.${layers - 1}.hook_resid_post`,
  ...named(
    ({ norm, layers }) => (norm.kind === "none" ? `blocks.${layers - 1}.hook_resid_post` : "ln_final.hook_out"),
    "unembed.hook_in",
    "final_norm",
  ),
  ...named("ln_final.hook_out", "transformer.ln_f", "model.norm", "gpt_neox.final_layer_norm"),
  ...named("unembed.hook_out", "hook_unembed", "lm_head", "embed_out"),
};

function named(meaning: Meaning, ...names: readonly string[]): Record<string, Meaning> {
  return Object.fromEntries(names.map((name) => [name, meaning]));
}

/**
 * The hook point that a name means.
 *
 * @throws `Refused` where the name means something else, or two things; `UnknownName` with the nearest that there is
 */
export function resolvePoint(network: Network, name: string): HookPoint {
  const exact = network.points.find((point) => point.name === name);
  if (exact !== undefined) return exact;
  const config = "config" in network ? (network.config as TransformerConfig) : undefined;
  const said = config === undefined ? undefined : meaningOf(name);
  if (config !== undefined && said !== undefined) {
    const { layer, meaning } = said;
    if (layer !== undefined && layer >= config.layers) {
      throw new MechanistError(
        "UnknownName",
        `hook point ${name}: expected a layer from 0 to ${config.layers - 1}, got ${layer}`,
      );
    }
    const target = typeof meaning === "function" ? meaning(config) : meaning;
    if (typeof target !== "string") {
      throw new MechanistError(
        "Refused",
        `hook point ${name}: ${target.refused.replaceAll(/\bN\b/g, String(layer ?? "N"))}`,
      );
    }
    const full = layer === undefined ? target : `blocks.${layer}.${target}`;
    const found = network.points.find((point) => point.name === full);
    if (found !== undefined) return found;
    const why = absence(full, config);
    if (why !== undefined) {
      throw new MechanistError("UnknownName", `hook point ${name}: expected ${why}, got none in this network`);
    }
  }
  const names = network.points.map((point) => point.name);
  const close = nearest(name.slice(0, LONGEST_NAME), names);
  const hint = close ?? (names.length > 9 ? `one of ${names.length}, ${names[0]} for instance` : names.join(", "));
  throw new MechanistError("UnknownName", `hook point: expected ${hint}, got ${quoted(name)}`, {
    name,
    nearest: close,
  });
}

/** Longer than any name: the nearest to what is longer is not worth looking for. */
const LONGEST_NAME = 200;

/** A name taken apart: which layer, and what it means there. */
function meaningOf(name: string): { readonly layer?: number; readonly meaning: Meaning } | undefined {
  if (Object.hasOwn(OUTSIDE, name)) return { meaning: OUTSIDE[name]! };
  const inBlock = /^blocks\.(\d+)\.(.+)$/.exec(name);
  if (inBlock !== null) {
    const [, layer, part] = inBlock as unknown as [string, string, string];
    return { layer: Number(layer), meaning: Object.hasOwn(CANONICAL, part) ? CANONICAL[part]! : part };
  }
  const module = /^(?:transformer\.h|model\.layers|gpt_neox\.layers)\.(\d+)(?:\.(.+))?$/.exec(name);
  if (module !== null && Object.hasOwn(MODULES, module[2] ?? "")) {
    return { layer: Number(module[1]), meaning: MODULES[module[2] ?? ""]! };
  }
  const dotted = /^([a-z_]+)\.(\d+)$/.exec(name);
  if (dotted !== null && Object.hasOwn(DOTTED, dotted[1]!))
    return { layer: Number(dotted[2]), meaning: DOTTED[dotted[1]!]! };
  // Of a norm there are several: `scale4ln1`.
  const [, norm, at, which] = /^(scale|normalized)(\d+)(ln\d(?:_post)?)$/.exec(name) ?? [];
  if (norm !== undefined) return { layer: Number(at), meaning: `${which}.hook_${norm}` };
  const short = /^([a-z_]+)(\d+)$/.exec(name);
  if (short !== null && Object.hasOwn(SHORT, short[1]!)) return { layer: Number(short[2]), meaning: SHORT[short[1]!]! };
  return undefined;
}

/** Why a network has no such point. */
function absence(point: string, { parallel, positions, norm, mlp, attention }: TransformerConfig): string | undefined {
  if (point.endsWith("hook_resid_mid") && parallel)
    return "attention and MLP one after the other, for only then there is a stream between them";
  if (point === "hook_pos_embed" && positions.kind !== "absolute") return "positions that are embedded";
  if (point.includes("hook_rot_") && positions.kind !== "rotary") return "rotary positions";
  if (point.endsWith("_normed") && !attention.queryKeyNorm) return "norms of queries and keys";
  if (/\.ln\d_post\./.test(point) && !norm.post) return "norms after attention and MLP";
  if (/(^|\.)ln\w*\./.test(point) && norm.kind === "none") return "norms";
  if (/mlp/.test(point) && mlp === undefined) return "an MLP";
  if (point.endsWith("hook_pre_linear") && !mlp?.gated) return "a gated MLP";
  return undefined;
}
