/**
 * Identity matrices one after the other, written down rather than learnt: what goes in comes out, as the logits of a distribution. Each input is a
 * mechanism of its own in every layer, so that a decomposition has depth to get through and one right answer (goodfire-ai/spd, deep linear
 * toy: 30 layers of 50 dimensions, 5 of them active, softmax of 10 x).
 */
import { z } from "zod";
import { SPARSE_FEATURE_MODES, sparseFeatures } from "../../data/sparse-feature.ts";
import { type NamedValues, values } from "../../engine/index.ts";
import { mlp } from "../../network/mlp.ts";
import type { Network } from "../../network/network.ts";
import { mean, mul, relabel, square, sub, type Tensor } from "../../tensor/index.ts";
import type { KnownMechanisms } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import { constantSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a network of identities. */
const identityLayersSettings = z.strictObject({
  dimensions: z.int().min(2).max(1000).default(50).describe("width of every layer"),
  layers: z.int().min(1).max(100).default(30).describe("identity matrices"),
  active: z.int().min(1).max(5).default(5).describe("inputs active at once, each from U(0, 1)"),
  scale: z.number().gt(0).default(10).describe("β: the logits are β times what the last matrix writes"),
  steps: z.int().min(1).max(10_000_000).default(1).describe("steps that change nothing: nothing is to be learnt"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of the data"),
});
type IdentityLayersSettings = z.infer<typeof identityLayersSettings>;

/** The magnitude of the one-hot probe. */
const MAGNITUDE = 0.5;
/** The part of the layers that must be taken apart without error. */
const MOST_LAYERS = 0.9;

/** The network that these settings describe: logits along `output`. Its last hook point holds them before they are scaled. */
function identityLayers({ dimensions, layers, scale }: IdentityLayersSettings): Network {
  const network = mlp({
    features: dimensions,
    hidden: Array.from({ length: layers - 1 }, () => dimensions),
    outputs: dimensions,
    activation: "none",
    bias: false,
  });
  return {
    ...network,
    logits: "output",
    forward: (weights, x, hooks) => mul(network.forward(weights, x, hooks), scale),
  };
}

function identities(settings: IdentityLayersSettings): NamedValues {
  const { dimensions } = settings;
  const eye = Float32Array.from({ length: dimensions ** 2 }, (_, i) => Number(i % (dimensions + 1) === 0));
  return Object.fromEntries(
    identityLayers(settings).weights.map(({ name, axes, shape }) => [name, values(axes, shape, eye.slice())]),
  );
}

function batchOf(name: string, { dimensions, active }: IdentityLayersSettings, batch: number): Tensor<"batch feature"> {
  return sparseFeatures(name, { features: dimensions, batch, probability: 0, mode: SPARSE_FEATURE_MODES[active]! });
}

/** Takes the steps, whose gradient is 0: the weights stay as they were written. */
function settle(settings: IdentityLayersSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = identityLayers(settings);
  const x = batchOf("data", settings, 64);
  return trainNetwork(
    {
      network,
      start: identities(settings),
      objective: (weights) => {
        const wanted = mul(relabel(x, "batch output"), settings.scale);
        const distance = mean(square(sub(network.forward(weights, x), wanted as Tensor)));
        return { loss: distance, distance };
      },
      steps: settings.steps,
      seed: settings.seed,
      learningRate: constantSchedule(1e-3),
      adamW: { weightDecay: 0 },
    },
    options,
  );
}

/** One component for each dimension in every layer. */
function knownIdentities(settings: IdentityLayersSettings): KnownMechanisms {
  const { dimensions } = settings;
  const perInput = { pattern: "identity", inputs: dimensions } as const;
  return {
    patterns: {
      inputs: dimensions,
      magnitude: MAGNITUDE,
      sites: Object.fromEntries(identityLayers(settings).sites.map(({ name }) => [name, perInput])),
    },
    gate: { source: "Mechanist", bounds: [{ measure: "solvedSites", least: MOST_LAYERS }] },
  };
}

const asIdentityLayers = (settings: TrainDocument["settings"]): IdentityLayersSettings =>
  settings as unknown as IdentityLayersSettings;

/** The stack of identities as a target. */
export const identityLayersTarget: Target = {
  summary: "identity matrices one after the other, written down: one mechanism an input in every layer",
  schema: identityLayersSettings,
  presets: {
    default: { summary: "30 layers of 50 dimensions, 5 active", source: "goodfire-ai/spd, deep linear", settings: {} },
    quick: {
      summary: "3 layers of 10 dimensions, 2 active",
      source: "Mechanist",
      settings: { dimensions: 10, layers: 3, active: 2 },
    },
  },
  success: [
    { metric: "distance", meaning: "squared distance of the logits from β x, mean over outputs; 0 throughout" },
  ],
  title: (settings) => {
    const { layers, dimensions } = asIdentityLayers(settings);
    return `identity-layers-${layers}-${dimensions}`;
  },
  network: (settings) => identityLayers(asIdentityLayers(settings)),
  batch: (name, settings, batch) => batchOf(name, asIdentityLayers(settings), batch),
  known: (settings) => knownIdentities(asIdentityLayers(settings)),
  train: (settings, options) => settle(asIdentityLayers(settings), options),
};
