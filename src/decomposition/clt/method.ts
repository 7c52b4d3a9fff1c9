/** Cross-layer transcoders as an entry in the table of methods. */
import { z } from "zod";
import type { Preset } from "../../settings.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";
import { MechanistError } from "../../error.ts";
import { ActivationDecomposition } from "../activation/activation-decomposition.ts";
import { activationSource } from "../dictionary/method.ts";
import { jumpReluSettings, severalPointFields } from "../dictionary/settings.ts";
import { trainOnActivations } from "../dictionary/train.ts";
import { latentCount } from "../dictionary/training.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { pairObjection, type PointPair, pointPairs, STREAM_INPUTS } from "../transcoder/pairs.ts";
import { crossLayerCoder, crossLayerWeights } from "./cross-layer.ts";
import { type CrossLayerTrainingSettings, crossLayerTraining, type PlacedLayer } from "./training.ts";

const { tanhScale, preActivationCoefficient, bandwidth, thresholdStart } = jumpReluSettings.shape;

const cltSettings = z.strictObject({
  reads: z
    .string()
    .default("")
    .describe(
      "hook points that are read, with commas between and * for any part of a name; empty: the stream before each MLP",
    ),
  writes: z
    .string()
    .default("")
    .describe("hook points that are written, in the same order; empty: what each MLP writes"),
  code: z
    .enum(["jumprelu", "relu"])
    .default("jumprelu")
    .describe("thresholds for latents and tanh of what they write in the penalty; or neither"),
  ...severalPointFields,
  sparsityCoefficient: z.number().min(0).default(0.02).describe("weight of the penalty on what latents write"),
  sparsityWarmUp: z.number().min(0).max(1).default(1).describe("fraction of the run over which it rises from 0"),
  ...{ tanhScale, preActivationCoefficient, bandwidth, thresholdStart },
  activationNormalization: z
    .enum(["none", "expected_average_only_in"])
    .default("expected_average_only_in")
    .describe("how activations are scaled in training, each point's by itself"),
});

type Settings = z.infer<typeof cltSettings>;
const settingsOf = ({ settings }: DecomposeDocument): Settings => settings as unknown as Settings;

function pairsOf(
  { target, settings }: TrainDocument,
  names: { readonly reads: string; readonly writes: string },
): PointPair[] {
  const found = targetNamed(target);
  return pointPairs(found.network(settings), names, (size) => found.batch("data", settings, size), STREAM_INPUTS);
}

/** The layers that settings ask for, called after the points they are the first to write. */
function layersOf(document: DecomposeDocument): PlacedLayer[] {
  const settings = settingsOf(document);
  const pairs = pairsOf(document.target, settings);
  const [first] = pairs;
  const other = pairs.find(({ writes }) => writes.width !== first!.writes.width);
  if (other !== undefined) {
    const got = `${first!.writes.width} at ${first!.writes.name} and ${other.writes.width} at ${other.writes.name}`;
    throw new MechanistError("BadArgument", `clt writes: expected hook points of one width, got ${got}`);
  }
  return pairs.map(({ reads, writes }, l) => ({
    site: writes.name,
    code: settings.code,
    reads: reads.name,
    writes: pairs.slice(l).map((pair) => pair.writes.name),
    ...{ from: reads, to: writes, dIn: reads.width, dOut: writes.width },
    C: latentCount(settings as unknown as CrossLayerTrainingSettings, reads.width),
  }));
}

const ours = { lr: 3e-3, bandwidth: 0.3, thresholdStart: 0.1 };
const presets: Readonly<Record<string, Preset>> = {
  default: { summary: "for small networks", source: "Mechanist", settings: ours },
  quick: { summary: "a first look in seconds", source: "Mechanist", settings: { ...ours, steps: 1000 } },
  "after-ameisen-2025": {
    summary:
      "JumpReLU with a wide window, tanh of what latents write, the penalty rising to the end; its weight is ours",
    source: "after Ameisen et al. 2025 (Circuit Tracing), appendix on training; not yet checked against it",
    settings: {
      ...{ batch: 4096, steps: 200_000, lr: 2e-4, lrWarmUp: 0, lrDecay: 1, expansion: 32 },
      ...{ bandwidth: 1, thresholdStart: 0.03, tanhScale: 4, preActivationCoefficient: 3e-6, sparsityCoefficient: 5 },
    },
  },
};

export const cltMethod: Method = {
  summary: "cross-layer transcoder: sparse latents that read at one layer and write at it and all later ones",
  schema: cltSettings,
  objection: pairObjection,
  presets: () => presets,
  check: (document) => void layersOf(document),
  run: async (document, weights, options) => {
    const settings = settingsOf(document) as unknown as CrossLayerTrainingSettings;
    const source = await activationSource(document.target, weights);
    return trainOnActivations(source, crossLayerTraining(layersOf(document), settings), settings, options);
  },
  open: (document, weights, components) => {
    const layers = layersOf(document);
    const network = targetNamed(document.target.target).network(document.target.settings);
    const specs = layers.flatMap((layer) => crossLayerWeights(layer));
    return new ActivationDecomposition(network, weights, layers.map(crossLayerCoder), specs, components);
  },
};
