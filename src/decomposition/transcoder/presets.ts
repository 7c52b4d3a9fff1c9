/** Named settings of transcoders: our own for small networks, one for each kind of latents, and those of papers. */
import type { Preset } from "../../settings.ts";
import { type KindName, KINDS } from "../dictionary/kinds/kinds.ts";
import { dictionaryPresets } from "../dictionary/presets.ts";

/** Ours where none is asked for: the k largest latents, which need no weight of a penalty. */
const USUAL: KindName = "topk";

/**
 * The presets of transcoders whose inputs are so wide. Papers sweep what decides sparsity; the number here is one of the middle of what they plot.
 *
 * @param skip whether what is read also goes on linearly
 */
export function transcoderPresets(width: number, skip: boolean): Readonly<Record<string, Preset>> {
  const ours = (kind: KindName): Preset["settings"] => ({ kind, ...dictionaryPresets(kind, width).default!.settings });
  const byKind = (Object.keys(KINDS) as KindName[]).map((kind): [string, Preset] => [
    kind,
    { summary: `latents as ${kind} has them, for small networks`, source: "Mechanist", settings: ours(kind) },
  ]);
  return {
    default: { summary: `for small networks: latents as ${USUAL}`, source: "Mechanist", settings: ours(USUAL) },
    quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...ours(USUAL), steps: 1000 } },
    ...Object.fromEntries(byKind),
    ...(skip ? paulo : dunefsky),
  };
}

const dunefsky: Readonly<Record<string, Preset>> = {
  "after-dunefsky-2024": {
    summary:
      "GPT-2 small: 24,576 ReLU latents of what each MLP reads after its norm, 60 million positions; the penalty's weight is ours",
    source:
      "after Dunefsky, Chlenski & Nanda 2024 (Transcoders find interpretable LLM feature circuits); not yet checked against it",
    settings: {
      ...{ kind: "sae", expansion: 32, batch: 4096, steps: 14_648, lr: 4e-4, lrWarmUp: 0, lrDecay: 0 },
      ...{ normalizeDecoder: true, activationNormalization: "expected_average_only_in", l1Coefficient: 5 },
    },
  },
};

const paulo: Readonly<Record<string, Preset>> = {
  "after-paulo-2025": {
    summary: "the 32 largest of 32 latents for each dimension, beside an affine map",
    source:
      "after Paulo, Shabalin & Belrose 2025 (Transcoders beat sparse autoencoders), and its repository's defaults; not yet checked against it",
    settings: {
      ...{ kind: "topk", k: 32, expansion: 32, batch: 65_536, steps: 122_070, lr: 2e-4, lrWarmUp: 0.01, lrDecay: 1 },
      ...{ normalizeDecoder: true, auxCoefficient: 0, auxK: 0 },
    },
  },
};
