/**
 * Named settings of APD. Presets named after a toy are the paper's; `default` and `quick` are ours and choose theirs from the size of the
 * network.
 */
import type { Network } from "../../network/network.ts";
import type { Preset } from "../../settings.ts";

const published = "Braun et al. 2025 (APD), appendix: training details";

const PUBLISHED: Readonly<Record<string, Preset>> = {
  "apd-tms-5-2": {
    summary: "APD paper, TMS 5-2",
    source: published,
    settings: {
      components: 5,
      factors: 1,
      topK: 0.211,
      attributionsAt: "components",
      simplicity: 0.7,
      batch: 2048,
      steps: 20_000,
      learningRate: 0.03,
      warmUp: 0.05,
      finalLearningRate: 1,
    },
  },
  "apd-tms-40-10": {
    summary: "APD paper, TMS 40-10; that parts have rank one is ours, after 5-2",
    source: published,
    settings: {
      components: 50,
      factors: 1,
      topK: 1,
      reconstruction: 10,
      simplicity: 20,
      p: 0.9,
      batch: 2048,
      steps: 20_000,
      learningRate: 1e-3,
      warmUp: 0.05,
    },
  },
  "apd-resid-mlp-1": {
    summary: "APD paper, residual MLP of 1 layer; hours to days of a processor",
    source: published,
    settings: {
      components: 130,
      topK: 1.28,
      hiddenReconstruction: 1,
      simplicity: 10,
      p: 0.9,
      unitNorm: true,
      batch: 2048,
      steps: 40_000,
      learningRate: 1e-3,
      warmUp: 0.01,
    },
  },
  "apd-resid-mlp-2": {
    summary: "APD paper, residual MLP of 2 layers; hours to days of a processor",
    source: published,
    settings: {
      components: 200,
      topK: 1.28,
      reconstruction: 2,
      hiddenReconstruction: 1,
      simplicity: 7,
      p: 0.9,
      batch: 2048,
      steps: 10_000,
      learningRate: 1e-3,
      warmUp: 0.01,
    },
  },
};

/** All presets for a network. */
export function apdPresets(network: Network): Readonly<Record<string, Preset>> {
  const features = Math.max(...network.sites.flatMap(({ dIn, dOut }) => [dIn, dOut]));
  // A quarter of the examples have a feature, and about so many components are active.
  const settings = {
    components: features,
    factors: 1,
    topK: 0.211,
    simplicity: 0.7,
    featureProbability: Math.min(1, 0.25 / features),
    batch: 1024,
    steps: 5000,
    learningRate: 0.03,
    warmUp: 0.05,
    // A rate that stays high gets out of components that two features share.
    finalLearningRate: 1,
  };
  return {
    default: { summary: "chosen from the network's size", source: "Mechanist", settings },
    quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...settings, steps: 2000 } },
    ...PUBLISHED,
  };
}
