/**
 * Named settings of stochastic parameter decomposition. Presets named after a paper's experiment are that paper's settings;
 * `default` and `quick` are ours and choose theirs from the size of the network.
 */
import type { Network } from "../../../network/network.ts";
import type { Preset } from "../../../settings.ts";

const published = "Bushnaq, Braun & Sharkey 2025 (SPD), appendix: table of hyperparameters";

const small: Preset["settings"] = {
  components: 20,
  importanceMinimality: 3e-3,
  pStart: 1,
  pEnd: 1,
  batch: 4096,
  steps: 40_000,
  learningRate: 1e-3,
};
const large: Preset["settings"] = { ...small, components: 200, importanceMinimality: 1e-4, pStart: 2, pEnd: 2 };

const residual = (components: number, steps: number, more: Preset["settings"] = {}): Preset["settings"] => ({
  components,
  importanceMinimality: 1e-5,
  pStart: 2,
  pEnd: 2,
  batch: 2048,
  steps,
  learningRate: 1e-3,
  finalLearningRate: 1,
  ...more,
});

/** The published presets. */
export const PUBLISHED: Readonly<Record<string, Preset>> = {
  "resid-mlp-1": {
    summary: "SPD paper, residual MLP of one layer",
    source: published,
    settings: residual(100, 30_000, { learningRate: 2e-3 }),
  },
  "resid-mlp-2": {
    summary: "SPD paper, residual MLP of two layers",
    source: published,
    settings: residual(400, 50_000),
  },
  "resid-mlp-3": {
    summary: "SPD paper, residual MLP of three layers",
    source: published,
    settings: residual(500, 200_000, { importanceMinimality: 5e-6, gateWidth: 128 }),
  },
  "tms-5-2": { summary: "SPD paper, TMS 5-2", source: published, settings: small },
  "tms-5-2-id": { summary: "SPD paper, TMS 5-2 with identity", source: published, settings: small },
  "tms-40-10": { summary: "SPD paper, TMS 40-10", source: published, settings: large },
  "tms-40-10-id": { summary: "SPD paper, TMS 40-10 with identity", source: published, settings: large },
};

/**
 * Our own presets, for a network of any size. Beside more slots than mechanisms they change, against the paper: sparser data with few
 * empty examples, gates that start out rising, a sparsity pressure that comes up slowly and goes down again, frequency minimality, and
 * pruning of what as good as never matters. `docs/results.md` has them side by side with the published settings.
 */
export function ownPresets(network: Network): Readonly<Record<"default" | "encoder" | "quick", Preset>> {
  const [settings, few] = network.input.vocab === undefined ? [forFeatures(network), 2000] : [forTokens(network), 300];
  return {
    default: { summary: "chosen from the network's size", source: "Mechanist", settings },
    encoder: {
      summary: "the default on the first matrix alone, the rest frozen",
      source: "Mechanist",
      settings: { ...settings, sites: network.sites[0]!.name },
    },
    quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...settings, steps: few } },
  };
}

function forFeatures(network: Network): Preset["settings"] {
  const sizes = network.sites.flatMap((site) => [site.dIn, site.dOut]);
  const features = network.input.sizes.feature ?? Math.max(...sizes);
  // With many features the pressure must come up more slowly, or features pair up before each has a component.
  const many = features > 16;
  const crowded = !many && features / Math.min(...sizes) >= 3;
  return {
    components: (many ? 5 : 8) * features,
    gateStart: "rising",
    importanceMinimality: 0.015 / features,
    importanceRise: many ? 0.6 : 0.4,
    importanceFall: 0.5,
    importanceEnd: 0.1,
    frequencyMinimality: 1,
    frequencyReference: 4 * features,
    featureProbability: Math.min(1, (many ? 0.5 : 0.25) / features),
    keepEmpty: 0.1,
    batch: 512,
    steps: many ? 4000 : 3000,
    learningRate: 3e-3,
    pruneBelow: 1e-4,
    pruneAt: 0.6,
    ...(crowded && forCrowded(features)),
    ...(many && hasInnerSites(network, features) && forBlocks(features)),
    ...(network.logits !== undefined && forLogits(features)),
  };
}

/** Whether a matrix has hidden values on both sides, in a network whose other matrices read or write the features. */
function hasInnerSites({ sites }: Network, features: number): boolean {
  const atFeatures = sites.map(({ dIn, dOut }) => dIn === features || dOut === features);
  return atFeatures.includes(true) && atFeatures.includes(false);
}

/**
 * What changes where many features pass a matrix between hidden values, which all of them use as one block. Frequency minimality would forbid the block. An exponent that begins at 2
 * finds it, and one that ends below 1 sets the features apart in the other matrices. The pressure is gone before the end, at a rate that still learns: else importances below 1
 * in the block are made up for by components that are too long.
 */
function forBlocks(features: number): Preset["settings"] {
  return {
    importanceMinimality: 0.052 / features,
    importanceFall: 0.35,
    importanceEnd: 0,
    frequencyMinimality: 0,
    pStart: 2,
    pEnd: 0.5,
    steps: 6000,
    finalLearningRate: 1,
  };
}

/**
 * What changes where outputs are logits: zero ablation then costs nats, a hundred times the squared error of a network that copies its features, and the
 * pressure has to be of that size. So has faithfulness, or components stop adding up to what they are parts of.
 */
function forLogits(features: number): Preset["settings"] {
  return { importanceMinimality: 0.2 / features, importanceRise: 0.6, faithfulness: 100, relativeFaithfulness: true };
}

/**
 * Where inputs are tokens, what matters depends on what stands around: importances are predicted by a transformer. A divergence counts the
 * positions at which the network answers, importances are counted at all of them: where it answers at the last alone, the pressure is that
 * of each answer nevertheless.
 */
function forTokens({ sites, answersAt, input: { context = 1 } }: Network): Preset["settings"] {
  const rank = Math.max(...sites.map(({ dIn, dOut }) => Math.min(dIn, dOut)));
  const positionsAnAnswer = answersAt === "last" ? context : 1;
  const importanceDModel = rank > 32 ? 64 : 32;
  return {
    components: Math.ceil(1.5 * rank),
    importance: "transformer",
    importanceDModel,
    importanceBlocks: 1,
    importanceHeads: 4,
    importanceDMlp: 4 * importanceDModel,
    stochasticRecon: 0,
    layerwiseRecon: 0,
    subsetRecon: 0.5,
    persistentRecon: 0.5,
    delta: true,
    // Where all positions answer, components drift from their matrices at 100; where one does, 1,000 costs what masks preserve.
    faithfulness: answersAt === "last" ? 100 : 1000,
    relativeFaithfulness: true,
    penalty: "smooth-l0",
    importanceMinimality: 5e-4 * positionsAnAnswer,
    importanceRise: 0.2,
    frequencyMinimality: 1,
    frequencyReference: 0,
    frequencyOf: "penalty",
    batch: 32,
    steps: 3000,
    learningRate: 3e-3,
    finalLearningRate: 0.1,
    clipNorm: 1,
    pruneBelow: 1e-5,
    pruneAt: 0.4,
    pruneEvery: 0.1,
  };
}

/**
 * What changes where three features or more share a dimension. One feature then spills into its neighbours' outputs, and a component between
 * two of them is tempting. More slots make good starts likelier; the pressure outweighs what it costs to leave the spill out; serving two
 * features costs more than serving each; and it all ends early enough, with an exponent below 1, for importances to become whole again.
 */
function forCrowded(features: number): Preset["settings"] {
  return {
    components: 16 * features,
    importanceMinimality: 0.018 / features,
    importanceRise: 0.2,
    importanceFall: 0.3,
    frequencyMinimality: 4,
    pEnd: 0.4,
  };
}
