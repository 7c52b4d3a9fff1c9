/**
 * Named settings of dictionaries: our own for small networks, and those of papers.
 *
 * Where a name begins with "after", the numbers were written down without the paper at hand and are still to be held against it: they are not what
 * the paper's name alone would promise. Papers' settings are for the networks and the billions of positions they had; anything smaller goes by another name. Papers sweep what decides
 * sparsity, so that number, one of the middle of what they plot or ours where they say none, is to be chosen anew for another network.
 */
import type { Preset } from "../../settings.ts";
import type { KindName } from "./kinds/kinds.ts";

type Settings = Preset["settings"];
type Presets = Readonly<Record<string, Preset>>;

/** Dead latents are brought back after a few dozen steps, and strongly: small dictionaries have none to spare. */
const revived = { k: 4, deadAfter: 30, auxCoefficient: 1 };

/**
 * Ours: activations are scaled to a mean length of √width, so that what is right for one network is right for another; coefficients of lengths grow with
 * that length, ones of counts with its square.
 */
function own(width: number): Readonly<Record<KindName, Settings>> {
  const length = Math.sqrt(width);
  const scaled = { activationNormalization: "expected_average_only_in", lr: 3e-3 };
  const two = (x: number): number => Number(x.toPrecision(2));
  return {
    sae: { ...scaled, l1Coefficient: two(0.1 * length) },
    gated: { ...scaled, l1Coefficient: two(0.3 * length) },
    topk: { ...scaled, ...revived },
    batchtopk: { ...scaled, ...revived },
    matryoshka: { ...scaled, ...revived },
    jumprelu: {
      ...scaled,
      l0Coefficient: two(0.02 * width),
      bandwidth: two(0.1 * length),
      thresholdStart: two(0.1 * length),
    },
  };
}

/** Adam without momentum, rows of the decoder at length 1, activations scaled: what Google DeepMind's dictionaries have in common. */
const deepMind = {
  activationNormalization: "expected_average_only_in",
  ...{ batch: 4096, beta1: 0, beta2: 0.999, clipNorm: 0, lrDecay: 0 },
};

const bussmann = {
  ...{ batch: 4096, lr: 3e-4, lrWarmUp: 0, lrDecay: 0, beta2: 0.99 },
  ...{ subtractDecoderBias: true, k: 32, auxCoefficient: 1 / 32, auxK: 512 },
};

const published = (width: number): Readonly<Record<KindName, Presets>> => ({
  sae: {
    "after-bricken-2023": {
      summary: "an MLP of 512 neurons, 4,096 latents, resampling; 8 billion positions",
      source: "after Bricken et al. 2023 (Towards Monosemanticity), appendix; not yet checked against it",
      settings: {
        ...{ C: 4096, batch: 8192, steps: 1_000_000, lr: 1e-3, lrWarmUp: 0, lrDecay: 0, l1WarmUp: 0 },
        ...{ l1Coefficient: 4e-3, geometricMedianStart: true, subtractDecoderBias: true, normalizeDecoder: true },
        ...{ resampleEvery: 25_000, resampleUntil: 0.1 },
      },
    },
    "after-conerly-2024": {
      summary: "the decoder's lengths in the penalty, none kept at 1",
      source: "after Conerly et al. 2024 (Circuits Updates, April); not yet checked against it",
      settings: {
        ...{ batch: 4096, steps: 200_000, lr: 5e-5, lrWarmUp: 0, lrDecay: 0.2, l1WarmUp: 0.05, clipNorm: 1 },
        ...{ l1Coefficient: 5, activationNormalization: "expected_average_only_in" },
        ...{ normalizeDecoder: false, decoderNormInPenalty: true, decoderStart: 0.1 },
      },
    },
  },
  gated: {
    "after-rajamanoharan-2024": {
      summary: "as in the paper on language models",
      source: "after Rajamanoharan et al. 2024a (Gated SAEs), appendix; not yet checked against it",
      settings: { ...deepMind, steps: 300_000, lr: 3e-4, lrWarmUp: 0.005, l1Coefficient: 5, subtractDecoderBias: true },
    },
  },
  topk: {
    "after-gao-2024": {
      summary: "GPT-2 small: 32,768 latents, 32 of them, 512 dead ones for what is left over",
      source:
        "after Gao et al. 2024 (Scaling and evaluating sparse autoencoders), appendix; not yet checked against it",
      settings: {
        ...{ C: 32_768, k: 32, auxK: 512, auxCoefficient: 1 / 32, batch: 131_072, steps: 10_000, deadAfter: 76 },
        ...{ lr: 1.4e-4, lrWarmUp: 0, lrDecay: 0, epsilon: 6.25e-10, clipNorm: 1 },
        ...{ geometricMedianStart: true, subtractDecoderBias: true, normalizeDecoder: true },
      },
    },
  },
  batchtopk: {
    "bussmann-2024": {
      summary: "GPT-2 small: 12,288 latents, 32 a position on average",
      source: "Bussmann et al. 2024 (BatchTopK), and its repository",
      settings: { ...bussmann, C: 12_288, steps: 122_070, deadAfter: 5, activationNormalization: "layer_norm" },
    },
  },
  matryoshka: {
    "bussmann-2025": {
      summary: "Gemma 2 2B: 36,864 latents in nested dictionaries",
      source: "Bussmann et al. 2025 (Matryoshka), and its repository",
      settings: { ...bussmann, C: 36_864, steps: 122_070, deadAfter: 5 },
    },
  },
  jumprelu: {
    "after-rajamanoharan-2024": {
      summary: "as in the paper on Gemma 2 9B",
      source: "after Rajamanoharan et al. 2024b (JumpReLU SAEs), appendix; not yet checked against it",
      settings: {
        ...deepMind,
        ...{ C: 131_072, steps: 2_000_000, lr: 7e-5, lrWarmUp: 0.0005, l0WarmUp: 0.005 },
        // Activations have a mean square of 1 there, of their width here.
        ...{ l0Coefficient: 6e-4 * width, bandwidth: 1e-3 * Math.sqrt(width), thresholdStart: 1e-3 * Math.sqrt(width) },
      },
    },
  },
});

/** The presets of a kind, for activations so wide. */
export function dictionaryPresets(kind: KindName, width: number): Presets {
  const settings = own(width)[kind];
  return {
    default: { summary: "for small networks", source: "Mechanist", settings },
    quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...settings, steps: 1000 } },
    ...published(width)[kind],
  };
}
