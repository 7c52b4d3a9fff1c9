/** Named settings of dictionaries: as published, and our own for small networks. */
import type { Preset } from "../../settings.ts";

type Presets = Readonly<Record<string, Preset>>;

const ours = (settings: Preset["settings"]): Presets => ({
  default: { summary: "for small networks", source: "Mechanist", settings },
  quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...settings, steps: 1000 } },
});

export const DICTIONARY_PRESETS = {
  sae: ours({}),
  gated: ours({}),
  topk: ours({}),
  batchtopk: ours({}),
  jumprelu: ours({}),
  matryoshka: ours({}),
} as const;
