/** The networks that can be trained here, by name. A new one is an entry in this table. */
import type { NamedValues } from "../engine/index.ts";
import type { Network } from "../network/network.ts";
import { named, type Preset, type SettingsSchema, settingsFrom } from "../settings.ts";
import type { Tensor } from "../tensor/index.ts";
import type { LoopOptions } from "./loop.ts";
import { type TmsSettings, tmsBatch, tmsNetwork, tmsSettings, trainTms } from "./targets/tms.ts";

/** Everything needed to train a network again. */
export interface TrainDocument {
  readonly target: string;
  readonly preset: string;
  readonly settings: Readonly<Record<string, unknown>> & { readonly steps: number; readonly seed: number };
}

/** A trained network. */
export interface Trained {
  readonly weights: NamedValues;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number;
}

/** A kind of network, with what it takes to train it and to feed it. */
export interface Target {
  readonly summary: string;
  readonly schema: SettingsSchema;
  readonly presets: Readonly<Record<string, Preset>>;
  /** A short name for a trained one, from its settings. */
  title(settings: TrainDocument["settings"]): string;
  network(settings: TrainDocument["settings"]): Network;
  /** A batch of the data it is trained on, as a traced program of draws called `name`. */
  batch(name: string, settings: TrainDocument["settings"], batch: number): Tensor;
  train(settings: TrainDocument["settings"], options?: LoopOptions): Promise<Trained>;
}

const asTms = (settings: TrainDocument["settings"]): TmsSettings => settings as unknown as TmsSettings;
/** What the published targets have in common, where ours differ. */
const plain = { start: "linear", featureProbability: 0.05, attempts: 1 };
const published = "Bushnaq, Braun & Sharkey 2025 (SPD), appendix";

export const TARGETS: Readonly<Record<string, Target>> = {
  tms: {
    summary: "toy model of superposition: n features through m < n hidden dimensions",
    schema: tmsSettings,
    presets: {
      default: { summary: "any size, trained until every feature has a place", source: "Mechanist", settings: {} },
      quick: {
        summary: "any size, 3,000 steps: for a first look",
        source: "Mechanist",
        settings: { steps: 3000 },
      },
      "tms-5-2": {
        summary: "5 features, 2 dimensions",
        source: published,
        settings: { ...plain, features: 5, hidden: 2, bias: "uniform" },
      },
      "tms-5-2-id": {
        summary: "5-2 with a frozen identity between",
        source: published,
        settings: { ...plain, features: 5, hidden: 2, bias: "uniform", identity: true },
      },
      "tms-40-10": {
        summary: "40 features, 10 dimensions",
        source: published,
        settings: { ...plain, features: 40, hidden: 10, batch: 8192 },
      },
      "tms-40-10-id": {
        summary: "40-10 with a frozen identity between",
        source: published,
        settings: { ...plain, features: 40, hidden: 10, batch: 8192, identity: true },
      },
    },
    title: (settings) => {
      const { features, hidden, identity } = asTms(settings);
      return `tms-${features}-${hidden}${identity ? "-id" : ""}`;
    },
    network: (settings) => tmsNetwork(asTms(settings)),
    batch: (name, settings, batch) => tmsBatch(name, asTms(settings), batch),
    train: (settings, options) => trainTms(asTms(settings), options),
  },
};

/** The target called `name`, or the nearest name there is. */
export function targetNamed(name: string): Target {
  return named("target", name, TARGETS);
}

/**
 * Fills a document in: the preset's settings, then `set`'s, then the schema's defaults for the rest.
 *
 * @param set values by key; text is read as the schema needs it
 */
export function resolveTarget(
  name: string,
  options: { readonly preset?: string; readonly set?: Readonly<Record<string, unknown>> } = {},
): TrainDocument {
  const target = targetNamed(name);
  const preset = options.preset ?? "default";
  const chosen = named(`${name} preset`, preset, target.presets);
  const settings = settingsFrom(name, target.schema, chosen.settings, options.set ?? {});
  return { target: name, preset, settings: settings as TrainDocument["settings"] };
}

/** Trains the network of a document. */
export function train(document: TrainDocument, options: LoopOptions = {}): Promise<Trained> {
  return targetNamed(document.target).train(document.settings, options);
}
