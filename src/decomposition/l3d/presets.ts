/** Named settings of L3D, from the size of the network. */
import type { Network } from "../../network/network.ts";
import type { Preset } from "../../settings.ts";

/** Presets for a network. Rate, fraction kept and how sparse data are come from the paper's script for TMS; the rest is ours. */
export function l3dPresets(network: Network): Readonly<Record<"default" | "quick", Preset>> {
  const features = Math.max(...network.sites.flatMap(({ dIn, dOut }) => [dIn, dOut]));
  const settings = { subnetworks: features, featureProbability: 0.1, batch: 512, steps: 4000 };
  return {
    default: { summary: "chosen from the network's size", source: "Mechanist", settings },
    quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...settings, steps: 1000 } },
  };
}
