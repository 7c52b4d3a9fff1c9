/**
 * The frequencies of rotary positions as `config.json` tells them, plain or stretched to longer contexts: linear (Chen et al. 2023),
 * NTK-aware "dynamic", YaRN (Peng et al. 2023) and Llama 3.1's.
 *
 * Frequencies are computed in float64. `transformers` computes them in float32, and so turns by slightly other angles far into a
 * sequence: by 10⁻⁷ of the position, in radians.
 */
import { z } from "zod";
import type { RotaryPositions } from "../transformer/config.ts";
import { isTable } from "../../file/json.ts";
import { maybe, orElse, positive, readFields, size, wrongField } from "./fields.ts";

/** The fields that decide the turning: at the top in older configs, all in `rope_parameters` in those of transformers 5. */
export const ropeFields = {
  rope_theta: orElse(positive, 10_000),
  rope_scaling: z.unknown().optional(),
  rope_parameters: z.unknown().optional(),
};

export interface RopeFields {
  readonly rope_theta: number;
  readonly rope_scaling?: unknown;
  readonly rope_parameters?: unknown;
}

/** What all the kinds have. */
const common = {
  rope_theta: maybe(positive),
  partial_rotary_factor: maybe(z.number().gt(0).max(1)),
};
const factor = positive;
const plain = z.strictObject({ ...common });

const KINDS = {
  default: plain,
  linear: z.strictObject({ ...common, factor }),
  dynamic: z.strictObject({ ...common, factor, original_max_position_embeddings: maybe(size) }),
  llama3: z.strictObject({
    ...common,
    factor,
    low_freq_factor: positive,
    high_freq_factor: positive,
    original_max_position_embeddings: maybe(size),
  }),
  yarn: z.strictObject({
    ...common,
    factor: maybe(factor),
    original_max_position_embeddings: maybe(size),
    attention_factor: maybe(positive),
    beta_fast: orElse(positive, 32),
    beta_slow: orElse(positive, 1),
    mscale: maybe(positive),
    mscale_all_dim: maybe(positive),
    truncate: orElse(z.boolean(), true),
  }),
} as const;

interface Turning {
  /** Dimensions that turn. */
  readonly dimensions: number;
  /** The longest sequence. */
  readonly context: number;
}

/**
 * The rotary positions that a config describes.
 *
 * @param dHead    a head's dimensions
 * @param fraction how many of them turn, of 1, unless the rope's own table says; absent where a family turns all
 * @throws `BadFile` for a kind that is not known, naming it
 */
export function rotaryPositions(
  fields: RopeFields,
  { dHead, context, fraction }: { readonly dHead: number; readonly context: number; readonly fraction?: number },
  where: string,
): RotaryPositions {
  const name = (fields.rope_scaling ?? undefined) === undefined ? "rope_parameters" : "rope_scaling";
  const table = fields[name] ?? {};
  if (!isTable(table)) throw wrongField(where, name, "a table", table);
  const { rope_type, type, ...parameters } = table;
  const kind = rope_type ?? type ?? "default";
  if (typeof kind !== "string" || !Object.hasOwn(KINDS, kind)) {
    throw wrongField(where, name, `a kind among ${Object.keys(KINDS).join(", ")}`, kind);
  }
  const inside = `${where}: ${name}`;
  const { rope_theta: theta = fields.rope_theta, partial_rotary_factor: part = fraction ?? 1 } = readFields(
    plain.loose(),
    parameters,
    inside,
  );
  if (part !== 1 && fraction === undefined) throw wrongField(inside, "partial_rotary_factor", "1", part);
  const dimensions = Math.trunc(dHead * part);
  if (dimensions < 2 || dimensions % 2 !== 0) {
    throw wrongField(where, "head_dim", `an even number of dimensions that turn, from 2`, dimensions);
  }
  const turning = { dimensions, context };
  const base = Array.from({ length: dimensions / 2 }, (_, i) => theta ** ((-2 * i) / dimensions));
  const rotary = (frequencies: readonly number[], scale = 1): RotaryPositions => ({
    kind: "rotary",
    frequencies,
    pairs: "halves",
    scale,
  });
  switch (kind as keyof typeof KINDS) {
    case "default":
      readFields(KINDS.default, parameters, inside);
      return rotary(base);
    case "dynamic":
      // Stretches only beyond max_position_embeddings, and a sequence here is never longer.
      readFields(KINDS.dynamic, parameters, inside);
      return rotary(base);
    case "linear": {
      const { factor: by } = readFields(KINDS.linear, parameters, inside);
      return rotary(base.map((frequency) => frequency / by));
    }
    case "llama3":
      return rotary(llama3(base, readFields(KINDS.llama3, parameters, inside), turning));
    case "yarn": {
      const { frequencies, scale } = yarn(base, theta, readFields(KINDS.yarn, parameters, inside), turning);
      return rotary(frequencies, scale);
    }
  }
}

/** Llama 3.1: long wavelengths are stretched by `factor`, short ones stay, those between are interpolated. */
function llama3(base: readonly number[], given: z.output<typeof KINDS.llama3>, { context }: Turning): number[] {
  const { factor: by, low_freq_factor: low, high_freq_factor: high } = given;
  const trained = given.original_max_position_embeddings ?? context;
  return base.map((frequency) => {
    const turns = (trained * frequency) / (2 * Math.PI);
    if (turns > high) return frequency;
    if (turns < low) return frequency / by;
    const smooth = (turns - low) / (high - low);
    return ((1 - smooth) * frequency) / by + smooth * frequency;
  });
}

/** YaRN (Peng et al. 2023, section 3.2): interpolation by how often a dimension turns in the trained context, and hotter attention. */
function yarn(
  base: readonly number[],
  theta: number,
  given: z.output<typeof KINDS.yarn>,
  { dimensions, context }: Turning,
): { frequencies: number[]; scale: number } {
  const trained = given.original_max_position_embeddings ?? context;
  const by = given.factor ?? context / trained;
  const dimensionThatTurns = (times: number): number =>
    (dimensions * Math.log(trained / (times * 2 * Math.PI))) / (2 * Math.log(theta));
  const rounded = (f: (x: number) => number, x: number): number => (given.truncate ? f(x) : x);
  const low = Math.max(rounded(Math.floor, dimensionThatTurns(given.beta_fast)), 0);
  const high = Math.min(rounded(Math.ceil, dimensionThatTurns(given.beta_slow)), dimensions - 1);
  const width = low === high ? 0.001 : high - low;
  const frequencies = base.map((frequency, i) => {
    const interpolated = Math.min(Math.max((i - low) / width, 0), 1);
    return (frequency / by) * interpolated + frequency * (1 - interpolated);
  });
  const temperature = (m: number): number => (by <= 1 ? 1 : 0.1 * m * Math.log(by) + 1);
  const { mscale, mscale_all_dim: overall } = given;
  const suggested = mscale && overall ? temperature(mscale) / temperature(overall) : temperature(1);
  return { frequencies, scale: given.attention_factor ?? suggested };
}
