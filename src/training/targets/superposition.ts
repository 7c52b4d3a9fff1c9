/** Features of known directions in superposition, as a target: there is nothing to train, and every direction is known. */
import { z } from "zod";
import {
  FEATURE_GEOMETRIES,
  FEATURE_STRUCTURES,
  featureCoefficients,
  featureDirections,
  featureFamilies,
} from "../../data/superposed-features.ts";
import { values, type Values } from "../../engine/index.ts";
import { superposition } from "../../network/superposition.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";
import { PROBE_MAGNITUDE } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";

const superpositionSettings = z.strictObject({
  features: z.int().min(1).max(10_000).default(64).describe("n, features"),
  dimensions: z.int().min(1).max(10_000).default(32).describe("d, dimensions they share"),
  probability: z.number().min(0).max(1).default(0.05).describe("how likely a feature is there"),
  low: z.number().default(0).describe("least value of a feature that is there"),
  high: z.number().default(1).describe("its largest value"),
  geometry: z.enum(FEATURE_GEOMETRIES).default("random").describe("how directions lie"),
  structure: z.enum(FEATURE_STRUCTURES).default("independent").describe("what features have to do with one another"),
  families: z
    .int()
    .min(0)
    .default(0)
    .describe("families of features; those after them are independent; 0: as many as fit"),
  familySize: z.int().min(2).default(2).describe("features of a family: a parent and its children, or near directions"),
  familyProbability: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe("how likely a family, its parent, or either of a pair is there"),
  childProbability: z.number().min(0).max(1).default(0.2).describe("how likely a child is there where its parent is"),
  correlation: z.number().min(-1).max(1).default(0.5).describe("of being there, between the two of a pair"),
  closeness: z.number().min(0).lt(1).default(0.9).describe("cosine between the directions of a family"),
  animals: z.int().min(2).max(4).default(3).describe("combinations of legs and tail that there are"),
  steps: z.int().min(0).max(0).default(0).describe("none: nothing is trained"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of the directions"),
});
type SuperpositionSettings = z.infer<typeof superpositionSettings>;

const settingsOf = (settings: TrainDocument["settings"]): SuperpositionSettings =>
  settings as unknown as SuperpositionSettings;

/** The directions, `feature d`. */
function directionsOf(settings: SuperpositionSettings): Values<"feature d"> {
  const { features, dimensions, seed } = settings;
  return values("feature d", [features, dimensions], featureDirections(settings, foldIn(keyFromSeed(seed), "F")));
}

/** The largest cosine between two different directions, 0 where there is one alone. */
function coherence({ data, shape }: Values): number {
  const [n, d] = shape as [number, number];
  let most = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      let dot = 0;
      for (let k = 0; k < d; k++) dot += data[i * d + k]! * data[j * d + k]!;
      most = Math.max(most, Math.abs(dot));
    }
  }
  return most;
}

/** Makes the directions; they are the only weights, and final. */
async function make(settings: SuperpositionSettings, { onCheckpoint }: LoopOptions): Promise<Trained> {
  const weights = { F: directionsOf(settings) };
  await onCheckpoint?.({ step: 0, tensors: weights });
  return { weights, metrics: { coherence: coherence(weights.F) }, stepsPerSecond: 0 };
}

const toys = "Mechanist";

export const superpositionTarget: Target = {
  summary: "known directions in superposition: n features in d dimensions, nothing to train",
  schema: superpositionSettings,
  presets: {
    default: {
      summary: "64 independent features in 32 dimensions, 1 in 20 there, values U[0, 1)",
      source: "Mechanist, after Sharkey, Braun & Millidge 2022 at an eighth of the size",
      settings: {},
    },
    "sharkey-512-256": {
      summary: "512 features in 256 dimensions, 5 there on average",
      source: "Sharkey, Braun & Millidge 2022 (independent features)",
      settings: { features: 512, dimensions: 256, probability: 5 / 512 },
    },
    shrinkage: {
      summary: "one feature that is 1 or 0",
      source: toys,
      settings: { features: 1, dimensions: 4, probability: 0.5, low: 1, high: 1 },
    },
    absorption: {
      summary: "a parent with a child and two others, each a dimension of its own",
      source: "after Chanin et al. 2024 (A is for Absorption)",
      settings: {
        ...{ features: 4, dimensions: 50, geometry: "orthogonal", structure: "hierarchy", families: 1 },
        ...{ low: 1, high: 1 },
      },
    },
    hedging: {
      summary: "two features that tend to come together",
      source: "after Chanin & Garriga-Alonso 2025 (feature hedging)",
      settings: { features: 2, dimensions: 50, geometry: "orthogonal", structure: "pairs", low: 1, high: 1 },
    },
    splitting: {
      summary: "8 families of 8 near directions in 64 dimensions",
      source: toys,
      settings: { dimensions: 64, structure: "families", familySize: 8, familyProbability: 0.1 },
    },
    circles: {
      summary: "8 circles in 32 dimensions",
      source: "after Engels et al. 2024",
      settings: { features: 16, structure: "circles", familyProbability: 0.1, low: 1, high: 1 },
    },
    animals: {
      summary: "snake, giraffe and dog: legs and tail in three combinations",
      source: toys,
      settings: { features: 2, dimensions: 8, geometry: "orthogonal", structure: "animals", low: 1, high: 1 },
    },
  },
  success: [{ metric: "coherence", meaning: "largest cosine between two directions; 0 where none share a dimension" }],
  title: (settings) => {
    const { features, dimensions, structure } = settingsOf(settings);
    return `superposition-${features}-${dimensions}${structure === "independent" ? "" : `-${structure}`}`;
  },
  network: (settings) => superposition(settingsOf(settings)),
  known: (settings) => {
    const { features } = settingsOf(settings);
    return {
      patterns: {
        inputs: features,
        magnitude: PROBE_MAGNITUDE,
        sites: { embed: { pattern: "identity", inputs: features } },
      },
      directions: { point: "hook_hidden", weight: "F", families: featureFamilies(settingsOf(settings)) },
    };
  },
  batch: (name, settings, batch) => featureCoefficients(name, settingsOf(settings), batch),
  train: (settings, options = {}) => make(settingsOf(settings), options),
};
