/** `cfg.json` of SAELens, of any version, as the settings that decide what a dictionary computes. */
import { z } from "zod";
import { MechanistError } from "../../../error.ts";
import { isTable } from "../../../file/json.ts";
import { named } from "../../../settings.ts";
import type { Code } from "../dictionary.ts";
import { settingsIn } from "./reading.ts";
import type { Claims } from "./stored.ts";

export interface SaeLensConfig {
  readonly architecture: string;
  readonly code: Code;
  readonly skip: boolean;
  readonly k?: number;
  readonly dIn: number;
  readonly C?: number;
  /** Where it is another than `dIn`. */
  readonly dOut?: number;
  /** Whether the encoder reads activations without the decoder's bias. */
  readonly subtractsBias: boolean;
  /** Whether TopK chooses latents by what they write. */
  readonly rescaledByDecoder: boolean;
  /** Whether there may be a factor for each latent. */
  readonly finetuned: boolean;
  readonly normalization: z.infer<typeof normalization>;
  readonly place: {
    readonly model?: string;
    readonly network?: string;
    readonly reads?: string;
    readonly writes?: string;
  };
  readonly claims: Claims;
}

const normalization = z.enum(["none", "expected_average_only_in", "constant_norm_rescale", "layer_norm"]);
const count = z.int().min(1);
const text = z.string().nullish();
const fraction = z.number().nullish();

/** What a network and a point are called, in `metadata` since version 6 and beside everything else before. */
const placeFields = {
  model_name: text,
  hook_name: text,
  hook_name_out: text,
  hook_head_index: z.int().nullish(),
  network_sha256: text,
  l0: fraction,
  explained_variance: fraction,
};

const current = z.looseObject({
  architecture: z.string(),
  d_in: count,
  d_sae: count,
  d_out: count.optional(),
  apply_b_dec_to_input: z.boolean().optional(),
  normalize_activations: normalization.default("none"),
  reshape_activations: z.enum(["none", "hook_z"]).default("none"),
  k: z.number().min(1).optional(),
  rescale_acts_by_decoder_norm: z.boolean().default(false),
  metadata: z.looseObject(placeFields).default({}),
});

/** One flat table; keys of still older versions renamed. */
const flat = z.looseObject({
  ...placeFields,
  architecture: z.string().default("standard"),
  activation_fn: z.string().default("relu"),
  activation_fn_kwargs: z.looseObject({ k: z.number().min(1).optional() }).nullish(),
  d_in: count,
  d_out: count.optional(),
  d_sae: count.nullish(),
  expansion_factor: z.number().gt(0).nullish(),
  apply_b_dec_to_input: z.boolean().optional(),
  finetuning_scaling_factor: z.boolean().default(false),
  normalize_activations: z.union([z.boolean(), normalization]).nullish(),
});

const RENAMED: Readonly<Record<string, string>> = {
  hook_point: "hook_name",
  hook_point_head_index: "hook_head_index",
  activation_fn_str: "activation_fn",
};

const ARCHITECTURES: Readonly<
  Record<string, { readonly code: Code; readonly across?: boolean; readonly skip?: boolean }>
> = {
  standard: { code: "relu" },
  gated: { code: "gated" },
  topk: { code: "topk" },
  jumprelu: { code: "jumprelu" },
  transcoder: { code: "relu", across: true },
  skip_transcoder: { code: "relu", across: true, skip: true },
  jumprelu_transcoder: { code: "jumprelu", across: true },
  jumprelu_skip_transcoder: { code: "jumprelu", across: true, skip: true },
};

/**
 * The settings in a parsed `cfg.json`.
 *
 * @throws `BadFile` for what is none, or contradicts itself; `UnknownName` for an architecture that is not read
 */
export function saeLensConfig(where: string, content: Record<string, unknown>): SaeLensConfig {
  const metadata = isTable(content.metadata) ? content.metadata : {};
  const version = content.sae_lens_version ?? metadata.sae_lens_version;
  const found = isCurrent(version) ? currentOf(where, content) : flatOf(where, content);
  const { code, across = false, skip = false } = named(`${where}: architecture`, found.architecture, ARCHITECTURES);
  const { dIn, dOut, k, reads } = found;
  const contradiction = contradicts({ ...found, code, across });
  if (contradiction !== undefined) throw new MechanistError("BadFile", `${where}: ${contradiction}`);
  return {
    architecture: found.architecture,
    ...{ code, skip, dIn },
    ...(code === "topk" && { k: k! }),
    ...(found.C !== undefined && { C: found.C }),
    ...(across && { dOut: dOut! }),
    subtractsBias: found.subtractsBias ?? !across,
    rescaledByDecoder: found.rescaledByDecoder,
    finetuned: found.finetuned,
    normalization: found.normalization,
    place: {
      ...(found.model && { model: found.model }),
      ...(found.network && { network: found.network }),
      ...(reads && { reads, writes: across ? (found.readsOut ?? reads) : reads }),
    },
    claims: {
      ...(typeof found.l0 === "number" && { l0: found.l0 }),
      ...(typeof found.explainedVariance === "number" && { explainedVariance: found.explainedVariance }),
    },
  };
}

type Found = ReturnType<typeof placeOf> & {
  readonly architecture: string;
  readonly dIn: number;
  readonly dOut?: number | undefined;
  readonly C?: number | undefined;
  readonly k?: number | undefined;
  readonly subtractsBias?: boolean | undefined;
  readonly rescaledByDecoder: boolean;
  readonly finetuned: boolean;
  readonly normalization: z.infer<typeof normalization>;
  readonly reshaped: "none" | "hook_z";
};

function placeOf(found: z.infer<z.ZodObject<typeof placeFields>>) {
  return {
    model: found.model_name,
    reads: found.hook_name,
    readsOut: found.hook_name_out,
    head: found.hook_head_index,
    network: found.network_sha256,
    l0: found.l0,
    explainedVariance: found.explained_variance,
  };
}

/** Whether a version is 6 or later. */
function isCurrent(version: unknown): boolean {
  return typeof version === "string" && Number(/^\D{0,2}(\d+)/.exec(version)?.[1] ?? 0) >= 6;
}

function currentOf(where: string, content: Record<string, unknown>): Found {
  const found = settingsIn(where, current, content);
  return {
    ...placeOf(found.metadata),
    architecture: found.architecture,
    dIn: found.d_in,
    dOut: found.d_out,
    C: found.d_sae,
    k: found.k,
    subtractsBias: found.apply_b_dec_to_input,
    rescaledByDecoder: found.rescale_acts_by_decoder_norm,
    finetuned: false,
    normalization: found.normalize_activations,
    reshaped: found.reshape_activations,
  };
}

function flatOf(where: string, content: Record<string, unknown>): Found {
  const renamed = Object.fromEntries(Object.entries(content).map(([key, value]) => [RENAMED[key] ?? key, value]));
  const found = settingsIn(where, flat, renamed);
  const { activation_fn: activation, architecture, normalize_activations: scaling } = found;
  if (activation !== "relu" && activation !== "topk") {
    throw new MechanistError(
      "BadFile",
      `${where}: activation_fn: expected relu or topk, got ${activation.slice(0, 60)}`,
    );
  }
  const k = found.activation_fn_kwargs?.k;
  const { d_in: dIn, d_sae: C, expansion_factor: expansion } = found;
  const size = C ?? (expansion ? Math.round(expansion * dIn) : undefined);
  return {
    ...placeOf(found),
    architecture: activation === "topk" && architecture === "standard" ? "topk" : architecture,
    dIn,
    dOut: found.d_out,
    ...(size !== undefined && { C: size }),
    k,
    subtractsBias: found.apply_b_dec_to_input,
    rescaledByDecoder: false,
    finetuned: found.finetuning_scaling_factor,
    normalization: typeof scaling === "string" ? scaling : scaling ? "expected_average_only_in" : "none",
    reshaped: found.hook_name?.includes("hook_z") ? "hook_z" : "none",
  };
}

/** What contradicts what, or asks for what there is not; nothing where all is well. */
function contradicts(found: Found & { readonly code: Code; readonly across: boolean }): string | undefined {
  const { architecture, across, code, dIn, dOut, k, subtractsBias, rescaledByDecoder, head, reshaped, reads } = found;
  if (code === "topk" && !Number.isInteger(k)) return `k: expected a whole number for topk, got ${k ?? "none"}`;
  if (rescaledByDecoder && code !== "topk")
    return `rescale_acts_by_decoder_norm: expected false for ${architecture}, got true`;
  if (across && dOut === undefined) return `d_out: expected the width ${architecture} writes, got none`;
  if (!across && dOut !== undefined && dOut !== dIn)
    return `d_out: expected ${dIn}, as d_in, for ${architecture}, got ${dOut}`;
  if (across && subtractsBias) return `apply_b_dec_to_input: expected false for ${architecture}, got true`;
  if (across && found.normalization !== "none")
    return `normalize_activations: expected none for ${architecture}, got ${found.normalization}`;
  if (typeof head === "number") return `hook_head_index: expected all heads at once, got head ${head}`;
  if (reshaped === "hook_z" && reads && !reads.endsWith("_z"))
    return `reshape_activations: expected none at ${reads.slice(0, 60)}, got hook_z`;
  return undefined;
}
