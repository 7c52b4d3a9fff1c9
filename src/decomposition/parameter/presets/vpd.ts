/** Named settings of adversarial parameter decomposition: the paper's language model run, and the trainer's current form with its toys. */
import type { Network } from "../../../network/network.ts";
import type { Preset } from "../../../settings.ts";
import { ownPresets } from "./spd.ts";

const paper = "Interpreting Language Model Parameters (VPD), 5 May 2026, run s-55ea3f9b";
const current = "param-decomp, configurations of August 2026";

/** The paper's run on a language model of four layers. */
const may2026: Preset["settings"] = {
  components: 1024,
  componentsAt: "*.W_Q=512,*.W_K=512,*.W_V=1024,*.W_O=1024,*.W_in=3072,*.W_out=3584",
  importance: "transformer",
  importanceDModel: 2048,
  importanceBlocks: 8,
  importanceHeads: 16,
  importanceDMlp: 8192,
  faithfulness: 1e7,
  stochasticRecon: 0,
  layerwiseRecon: 0,
  subsetRecon: 0.5,
  persistentRecon: 0.5,
  delta: true,
  importanceMinimality: 2e-4,
  pStart: 2,
  pEnd: 0.4,
  penaltyEpsilon: 1e-12,
  frequencyMinimality: 0.5,
  frequencyReference: 0,
  frequencyOf: "penalty",
  persistentScope: "row",
  persistentLearningRate: 0.01,
  persistentWarmUps: 2,
  batch: 64,
  steps: 400_000,
  learningRate: 5e-5,
  finalLearningRate: 0.1,
  clipNorm: 0.01,
  warmupSteps: 400,
  warmupLearningRate: 1e-3,
};

/** What the current form has in common on all networks. */
const shared: Preset["settings"] = {
  stochasticRecon: 0,
  layerwiseRecon: 0,
  mergedRecon: 1,
  adversarialFraction: 0.5,
  delta: true,
  relativeFaithfulness: true,
  penalty: "smooth-l0",
  gammaStart: 1,
  gammaEnd: 0.01,
  gammaUntil: 0.9,
  frequencyOf: "penalty",
  finalLearningRate: 0.1,
  clipNorm: 1,
};

/** The current run on a language model of four layers: pooled adversary, Muon, starts that are neurons and heads, locality. */
const currentModel: Preset["settings"] = {
  ...shared,
  components: 768,
  componentsAt: "*.W_in=3072,*.W_out=3072",
  start: "nonlinearity-aligned",
  importance: "transformer",
  importanceDModel: 1088,
  importanceBlocks: 8,
  importanceHeads: 32,
  importanceDMlp: 4352,
  importanceCausal: true,
  importanceTaps: "residual",
  faithfulness: 1e3,
  normalizeAtOne: true,
  importanceMinimality: 1.275e-4,
  frequencyMinimality: 4.2e-5 / 1.275e-4,
  frequencyReference: 6_553_600,
  frequencyHalfLife: 200,
  locality: 3e-5,
  adversarialFraction: 0.9,
  persistentScope: "pool",
  particles: 4,
  persistentLearningRate: 0.02,
  batch: 2048,
  steps: 100_000,
  optimiser: "muon",
  learningRate: 2.8e-4,
  importanceClipNorm: 1,
  warmupSteps: 0,
};

/** The current form on toys: layerwise MLPs, an adversary for each example. */
function toy(components: number, hidden: number, pressure: number, more: Preset["settings"] = {}): Preset["settings"] {
  return {
    ...shared,
    components,
    importance: "layerwise-mlp",
    importanceHidden: String(hidden),
    faithfulness: 1,
    importanceMinimality: pressure,
    frequencyMinimality: 0.5,
    frequencyReference: 32_768,
    persistentScope: "example",
    persistentLearningRate: 0.01,
    persistentBeta1: 0.01,
    persistentBeta2: 0.99,
    batch: 4096,
    steps: 20_000,
    learningRate: 1e-3,
    warmupSteps: 200,
    warmupLearningRate: 0.01,
    ...more,
  };
}

const residual = { batch: 2048, learningRate: 2e-3 };

/** The presets of `vpd`. */
export function vpdPresets(network: Network): Readonly<Record<string, Preset>> {
  const own = ownPresets(network);
  const attacked = { stochasticRecon: 0.5, persistentRecon: 0.5, persistentScope: "row", delta: true };
  const ours = (preset: Preset): Preset => ({
    ...preset,
    settings: network.input.vocab === undefined ? { ...preset.settings, ...attacked } : preset.settings,
  });
  return {
    default: ours(own.default),
    quick: ours(own.quick),
    "vpd-2026-05": { summary: "VPD paper, language model of four layers", source: paper, settings: may2026 },
    "vpd-current": {
      summary: "the current form, language model of four layers",
      source: current,
      settings: currentModel,
    },
    "tms-5-2-current": { summary: "the current form, TMS 5-2", source: current, settings: toy(20, 50, 8e-4) },
    "tms-40-10-current": { summary: "the current form, TMS 40-10", source: current, settings: toy(100, 200, 6e-5) },
    "resid-mlp-1-current": {
      summary: "the current form, residual MLP of one layer",
      source: current,
      settings: toy(200, 400, 1e-6, { ...residual, steps: 50_000 }),
    },
    "resid-mlp-2-current": {
      summary: "the current form, residual MLP of two layers",
      source: current,
      settings: toy(200, 400, 2e-6, { ...residual, steps: 100_000 }),
    },
    "simplestories-2l": {
      summary: "the current form, language model of two layers on SimpleStories",
      source: `${current}, p-5926d125`,
      settings: {
        ...shared,
        components: 384,
        componentsAt: "*.W_Q=288,*.W_K=288,*.W_V=384,*.W_O=480,*.W_in=1152,*.W_out=960",
        importance: "transformer",
        importanceDModel: 512,
        importanceBlocks: 4,
        importanceHeads: 8,
        importanceDMlp: 2048,
        faithfulness: 1e3,
        importanceMinimality: 6.32e-4,
        frequencyMinimality: 0.5,
        frequencyReference: 32_768,
        persistentScope: "row",
        batch: 64,
        steps: 400_000,
        learningRate: 3e-4,
        warmupSteps: 400,
        warmupLearningRate: 1e-3,
      },
    },
  };
}
