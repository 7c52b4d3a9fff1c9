/** The ways to take a network apart, by name. A new one is an entry in this table. */
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { named, type Preset, type SettingsSchema, settingsFrom } from "../settings.ts";
import type { LoopOptions } from "../training/loop.ts";
import type { TrainDocument } from "../training/target.ts";
import { apdMethod } from "./apd/method.ts";
import { baselineMethods } from "./baselines/method.ts";
import { cltMethod } from "./clt/method.ts";
import { crosscoderMethod } from "./crosscoder/method.ts";
import type { Decomposition } from "./decomposition.ts";
import { dictionaryMethods } from "./dictionary/method.ts";
import { l3dMethod } from "./l3d/method.ts";
import { parameterMethod } from "./parameter/method.ts";
import { ownPresets, PUBLISHED } from "./parameter/presets/spd.ts";
import { tpdPresets } from "./parameter/presets/tpd.ts";
import { vpdPresets } from "./parameter/presets/vpd.ts";
import { isTargeted } from "./parameter/targeted.ts";
import { transcoderMethods } from "./transcoder/method.ts";

/** Everything needed to take a network apart again. */
export interface DecomposeDocument {
  readonly method: string;
  readonly preset: string;
  readonly settings: Readonly<Record<string, unknown>> & { readonly steps: number; readonly seed: number };
  /** How the network was trained. */
  readonly target: TrainDocument;
}

/** A finished decomposition. */
export interface Decomposed {
  readonly document: DecomposeDocument;
  readonly weights: NamedValues;
  readonly components: NamedValues;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number;
}

/** A way to take a network apart. */
export interface Method {
  readonly summary: string;
  readonly schema: SettingsSchema;
  /** Whether it has no optimiser whose state checkpoints keep: it begins anew where it was stopped. */
  readonly computed?: boolean;
  /** Why it cannot take a network apart, in a few words; nothing where it can. */
  objection(target: TrainDocument): string | undefined;
  /** The presets for a network it can take apart; the same names for every one. */
  presets(target: TrainDocument): Readonly<Record<string, Preset>>;
  /**
   * Refuses settings that contradict one another or the network.
   *
   * @throws `BadArgument` or `UnknownName`, in one line
   */
  check(document: DecomposeDocument): void;
  run(
    document: DecomposeDocument,
    weights: NamedValues,
    options: LoopOptions,
  ): Promise<Omit<Decomposed, "document" | "weights">>;
  /** The components as something that can be masked. */
  open(document: DecomposeDocument, weights: NamedValues, components: NamedValues): Decomposition;
}

export const METHODS: Readonly<Record<string, Method>> = {
  spd: parameterMethod({
    summary: "stochastic parameter decomposition: rank-one subcomponents of weights under random masks",
    presets: (network) => ({ ...ownPresets(network), ...PUBLISHED }),
  }),
  vpd: parameterMethod({
    summary: "the same with an adversary that chooses masks: adversarial parameter decomposition",
    presets: vpdPresets,
  }),
  tpd: parameterMethod({
    summary: "targeted parameter decomposition: only what some features or prompts use",
    presets: tpdPresets,
    complaint: (settings) =>
      isTargeted(settings) ? undefined : "expected --set targetFeatures=… or --set targetPrompts=…, got neither",
  }),
  apd: apdMethod,
  l3d: l3dMethod,
  ...dictionaryMethods,
  ...transcoderMethods,
  crosscoder: crosscoderMethod,
  clt: cltMethod,
  ...baselineMethods,
};

/** The method called `name`, or the nearest name there is. */
export function methodNamed(name: string): Method {
  return named("method", name, METHODS);
}

/**
 * Fills a document in: the preset's settings, then each of `set`'s, then the schema's defaults for the rest.
 *
 * @throws `BadArgument` or `UnknownName` for settings that contradict one another or the network
 */
export function resolveMethod(
  name: string,
  options: {
    readonly target: TrainDocument;
    readonly preset?: string;
    readonly set?: Readonly<Record<string, unknown>>;
  },
): DecomposeDocument {
  const method = methodNamed(name);
  const objection = method.objection(options.target);
  if (objection !== undefined) {
    throw new MechanistError("BadArgument", `${name} of ${options.target.target}: expected ${objection}`);
  }
  const preset = options.preset ?? "default";
  const chosen = named(`${name} preset`, preset, method.presets(options.target));
  const settings = settingsFrom(name, method.schema, chosen.settings, options.set ?? {});
  const document = {
    method: name,
    preset,
    settings: settings as DecomposeDocument["settings"],
    target: options.target,
  };
  method.check(document);
  return document;
}

/** Takes the network of a document apart. */
export async function decompose(
  document: DecomposeDocument,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Decomposed> {
  const found = await methodNamed(document.method).run(document, weights, options);
  return { ...found, document, weights };
}
