/** Named settings of targeted parameter decomposition. */
import type { Network } from "../../../network/network.ts";
import type { Preset } from "../../../settings.ts";
import { ownPresets } from "./spd.ts";

const source = "Vigouroux & Sharkey 2026 (tPD), hyperparameters";

/** What all targeted decompositions have: no faithfulness, a remainder that is free, decay of what is not used. */
const free: Preset["settings"] = {
  faithfulness: 0,
  warmupSteps: 0,
  layerwiseRecon: 0,
  delta: true,
  unusedDecay: 0.1,
};

const published: Preset["settings"] = {
  ...free,
  importance: "global-mlp",
  importanceHidden: "512",
  stochasticRecon: 1,
  persistentRecon: 0.5,
  persistentFrom: 0.8,
  pStart: 2,
  pEnd: 1,
  importanceMinimality: 4e-3,
  importanceRise: 0.2,
  importanceFall: 0.2,
  importanceEnd: 0.25,
  batch: 256,
  targetBatch: 256,
  learningRate: 1e-4,
  steps: 30_000,
  components: 96,
  componentsAt: "*.W_Q=64,*.W_K=64,*.W_V=64",
};

/** The presets of `tpd`. */
export function tpdPresets(network: Network): Readonly<Record<string, Preset>> {
  const { default: own } = ownPresets(network);
  const ours = { ...own.settings, ...free, importanceRise: 0.2, importanceFall: 0.3, importanceEnd: 0.25 };
  return {
    default: { summary: "chosen from the network's size", source: "Mechanist", settings: ours },
    "two-prompts-4l": {
      summary: "tPD paper, two prompts of a language model of four layers",
      source,
      settings: published,
    },
    "two-prompts-12l": {
      summary: "tPD paper, two prompts of a language model of twelve layers",
      source,
      settings: { ...published, persistentFrom: 0.2, batch: 128, targetBatch: 128, learningRate: 5e-4 },
    },
    "css-4l": {
      summary: "tPD paper, one kind of text of a language model of four layers",
      source,
      settings: {
        ...published,
        importance: "transformer",
        importanceDModel: 1024,
        importanceBlocks: 2,
        importanceHeads: 16,
        importanceDMlp: 4096,
        componentsAt: "*.W_Q=126,*.W_K=96,*.W_V=256,*.W_O=256,*.W_in=400,*.W_out=512",
        persistentRecon: 1,
        persistentFrom: 0.2,
        otherUnmasked: 0.2,
        sampling: "binomial",
        pEnd: 0.4,
        importanceMinimality: 3e-3,
        importanceEnd: 0.1,
        batch: 64,
        targetBatch: 64,
        steps: 50_000,
      },
    },
  };
}
