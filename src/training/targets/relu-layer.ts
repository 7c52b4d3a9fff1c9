/**
 * One layer of rectified neurons whose matrix is written down: `y = ReLU(W x)`. Nothing is trained; it is here so that anybody can ask what a method makes of
 * a matrix of their own: which inputs share a component, where the answer is a tie, what is split that belongs together.
 */
import { z } from "zod";
import { sparseFeatures } from "../../data/sparse-feature.ts";
import { type NamedValues, values } from "../../engine/index.ts";
import { mlp } from "../../network/mlp.ts";
import type { Network } from "../../network/network.ts";
import { type KnownMechanisms, PROBE_MAGNITUDE, RECOVERY_GATE, type SitePattern } from "../known-mechanisms.ts";
import type { LoopOptions } from "../loop.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";

const reluLayerSettings = z.strictObject({
  matrix: z
    .string()
    .refine((text) => rowsIn(text) !== undefined, "expected rows of equally many numbers, ; between rows")
    .default("1 1 0 0; 0 0 1 1")
    .describe("W, a row an output: numbers with spaces between, ; between rows"),
  // Where two inputs are hardly ever there together, it saves as good as nothing that they share a component.
  featureProbability: z.number().min(0).max(1).default(0.2).describe("how likely an input is there"),
  keepEmpty: z.number().min(0).max(1).default(1).describe("how likely an example without any is kept"),
  low: z.number().default(-1).describe("least value of an input that is there"),
  high: z.number().default(1).describe("its largest value"),
  steps: z.literal(0).default(0).describe("none: nothing is trained"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("changes nothing: nothing is random"),
});
type ReluLayerSettings = z.infer<typeof reluLayerSettings>;

const settingsOf = (settings: TrainDocument["settings"]): ReluLayerSettings => settings as unknown as ReluLayerSettings;

/** The matrix that a text has, row by row; nothing where it has none. */
function rowsIn(text: string): number[][] | undefined {
  const rows = text.split(";").map((row) => row.split(/[\s,]+/).filter((entry) => entry !== ""));
  const width = rows[0]!.length;
  const right = width > 0 && rows.every((row) => row.length === width && row.every((x) => Number.isFinite(Number(x))));
  return right ? rows.map((row) => row.map(Number)) : undefined;
}

/** `W`, row by row. */
const matrixOf = (settings: ReluLayerSettings): number[][] => rowsIn(settings.matrix)!;

const SITE = "blocks.0.mlp.W_in";

/** The layer, and after it an identity that is no matter of its own and taken apart only where it is asked for. */
function reluLayer(settings: ReluLayerSettings): Network {
  const W = matrixOf(settings);
  const shape = { features: W[0]!.length, hidden: [W.length], outputs: W.length };
  const network = mlp({ ...shape, activation: "relu", bias: false });
  const [layer, last] = network.sites;
  return {
    ...network,
    sites: [{ ...layer!, features: "in" }],
    furtherSites: [last!],
    weights: network.weights.map((spec) => ({ ...spec, frozen: true })),
  };
}

function written(settings: ReluLayerSettings): NamedValues {
  const W = matrixOf(settings);
  const [outputs, inputs] = [W.length, W[0]!.length];
  const entries = (rows: number, at: (i: number, o: number) => number): Float32Array =>
    Float32Array.from({ length: rows * outputs }, (_, k) => at(Math.floor(k / outputs), k % outputs));
  return {
    [SITE]: values(
      "d_in d_out",
      [inputs, outputs],
      entries(inputs, (i, o) => W[o]![i]!),
    ),
    "unembed.W_U": values(
      "d_in d_out",
      [outputs, outputs],
      entries(outputs, (i, o) => Number(i === o)),
    ),
  };
}

async function make(settings: ReluLayerSettings, { onCheckpoint }: LoopOptions): Promise<Trained> {
  const weights = written(settings);
  await onCheckpoint?.({ step: 0, tensors: weights });
  return { weights, metrics: { groups: groupsOf(matrixOf(settings)).length }, stepsPerSecond: 0 };
}

/**
 * Inputs by what they do: those whose columns are multiples of one another. One component says what all of a group do. An input that does nothing is in no
 * group.
 */
function groupsOf(W: readonly (readonly number[])[]): number[][] {
  const column = (i: number): number[] => W.map((row) => row[i]!);
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, x, o) => sum + x * b[o]!, 0);
  const groups: number[][] = [];
  W[0]!.forEach((_, i) => {
    const own = column(i);
    if (dot(own, own) === 0) return;
    const group = groups.find(([first]) => {
      const other = column(first!);
      return dot(own, other) ** 2 > (1 - 1e-9) * dot(own, own) * dot(other, other);
    });
    if (group) group.push(i);
    else groups.push([i]);
  });
  return groups;
}

/**
 * A component for each group, where there is one answer: where every input does something, and not all do the same, for then an input uses one component
 * however they are shared out.
 */
function knownGroups(settings: ReluLayerSettings): KnownMechanisms | undefined {
  const W = matrixOf(settings);
  const inputs = W[0]!.length;
  const groups = groupsOf(W);
  if (groups.flat().length < inputs || groups.length === 1) return undefined;
  const pattern: SitePattern =
    groups.length === inputs ? { pattern: "identity", inputs } : { pattern: "shared", groups };
  return { patterns: { inputs, magnitude: PROBE_MAGNITUDE, sites: { [SITE]: pattern } }, gate: RECOVERY_GATE };
}

const preset = (summary: string, matrix: string): Target["presets"][string] => ({
  summary,
  source: "Mechanist",
  settings: { matrix },
});

export const reluLayerTarget: Target = {
  summary: "y = ReLU(W x) with W written down: which inputs share a component; nothing to train",
  schema: reluLayerSettings,
  presets: {
    default: preset("two outputs, each of two inputs: inputs that share a component", "1 1 0 0; 0 0 1 1"),
    separate: preset("four inputs with an output each", "1 0 0 0; 0 1 0 0; 0 0 1 0; 0 0 0 1"),
    tie: preset("four inputs of one output: any partition of them is right", "1 1 1 1"),
    pair: preset("two inputs with an output each, two with one between them", "1 0 0 0; 0 1 0 0; 0 0 1 1"),
  },
  success: [{ metric: "groups", meaning: "groups of inputs that do the same, up to how strongly" }],
  title: (settings) => {
    const W = matrixOf(settingsOf(settings));
    return `relu-layer-${W[0]!.length}-${W.length}`;
  },
  network: (settings) => reluLayer(settingsOf(settings)),
  known: (settings) => knownGroups(settingsOf(settings)),
  batch: (name, settings, batch) => {
    const { featureProbability: probability, keepEmpty, low, high } = settingsOf(settings);
    const features = matrixOf(settingsOf(settings))[0]!.length;
    return sparseFeatures(name, { features, batch, probability, keepEmpty, low, high });
  },
  train: (settings, options = {}) => make(settingsOf(settings), options),
};
