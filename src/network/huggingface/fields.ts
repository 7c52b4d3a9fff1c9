/**
 * The fields of a `config.json`: checked one by one before anything is made of them. What would change the function that a network
 * computes is either read or refused, never passed over.
 */
import { z } from "zod";
import { MechanistError } from "../../error.ts";
import { describeJson } from "../../file/json.ts";
import type { Activation } from "../transformer/config.ts";

/** A size: each must agree with the tensors before memory is taken for it. */
export const size = z
  .int()
  .min(1)
  .max(2 ** 31 - 1);

/** How many layers; a description has entries for each, so there must not be any number of them. */
export const layerCount = z.int().min(1).max(10_000);

/** A head's dimensions, for each pair of which there is a frequency. */
export const headSize = z.int().min(1).max(65_536);

export const positive = z.number().gt(0);

/** A field whose absence and whose `null` both mean what `transformers` takes in its place. */
export function orElse<S extends z.ZodType>(schema: S, value: z.output<S>) {
  return schema.nullish().transform((given) => (given ?? value) as z.output<S>);
}

/** A field that may be absent or `null`. */
export function maybe<S extends z.ZodType>(schema: S) {
  return schema.nullish().transform((given) => given ?? undefined);
}

/** A field that may be `null`, which means something else than its absence. */
export function nullOr<S extends z.ZodType>(schema: S, absent: z.output<S>) {
  return schema.nullable().default(absent as never);
}

/** The activation functions by the names that `transformers` has for them. */
const ACTIVATIONS = {
  relu: "relu",
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "geluTanh",
  gelu_fast: "geluTanh",
  gelu_pytorch_tanh: "geluTanh",
  gelu_python_tanh: "geluTanh",
  silu: "silu",
  swish: "silu",
} as const satisfies Readonly<Record<string, Activation>>;

/** An activation function's name. */
export const activation = z
  .enum(Object.keys(ACTIVATIONS) as (keyof typeof ACTIVATIONS)[])
  .transform((name): Activation => ACTIVATIONS[name]);

/**
 * Fields that change what some network computes, each with the values that change nothing. A family reads those that it honours; any
 * other value of the rest is refused. No value at all means that the field itself must not be there.
 */
const NEUTRAL: Readonly<Record<string, readonly unknown[]>> = {
  add_cross_attention: [false],
  alibi: [false],
  attention_bias: [false],
  attention_multiplier: [],
  attn_logit_softcapping: [],
  clip_qkv: [],
  embedding_multiplier: [1],
  final_logit_softcapping: [],
  is_encoder_decoder: [false],
  layer_types: [],
  logit_scale: [1],
  logits_scaling: [1],
  mlp_bias: [false],
  no_rope_layers: [],
  num_experts: [],
  num_local_experts: [],
  partial_rotary_factor: [1],
  qk_layernorm: [false],
  quantization_config: [],
  query_pre_attn_scalar: [],
  residual_multiplier: [1],
  rope_interleaved: [false],
  rope_scaling: [],
  rotary_pct: [1],
  scale_attn_by_inverse_layer_idx: [false],
  sliding_window: [],
  use_bidirectional_attention: [false],
  use_qk_norm: [false],
  use_sliding_window: [false],
};

/**
 * The fields that a family reads, with its defaults.
 *
 * @throws `BadFile` naming the field, what it should be and what it is
 */
export function readFields<S extends z.ZodObject<Record<string, z.ZodType>>>(
  schema: S,
  config: Readonly<Record<string, unknown>>,
  where: string,
): z.output<S> {
  for (const [field, neutral] of Object.entries(NEUTRAL)) {
    const given = config[field];
    if (field in schema.shape || given === undefined || given === null || neutral.includes(given)) continue;
    const expected = neutral.length === 0 ? "no such field" : `${String(neutral[0])}, or no such field`;
    throw wrongField(where, field, `${expected}, for its networks compute without it`, given);
  }
  const result = schema.safeParse(config);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  if (issue.code === "unrecognized_keys") {
    throw wrongField(where, issue.keys[0]!, "no such field", config[issue.keys[0]!]);
  }
  const value = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], config);
  throw wrongField(where, issue.path.join("."), expectation(issue), value);
}

/** What zod expected, in the form our errors have. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_value") return `one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "invalid_type") return issue.expected === "int" ? "a whole number" : `a ${issue.expected}`;
  if (issue.code === "too_small") return `a number ${issue.inclusive ? "from" : "above"} ${issue.minimum}`;
  if (issue.code === "too_big") return `at most ${issue.maximum}`;
  return issue.message;
}

/** A field that is not what it should be. */
export function wrongField(where: string, field: string, expected: string, got: unknown): MechanistError {
  return new MechanistError("BadFile", `${where}: ${field}: expected ${expected}, got ${describeJson(got)}`, { field });
}
