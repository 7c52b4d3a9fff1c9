/** The ways to take a network apart, by name. A new one is an entry in this table. */
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { named, type Preset, type SettingsSchema, settingsFrom } from "../settings.ts";
import { withSites } from "../network/network.ts";
import type { LoopOptions } from "../training/loop.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";
import type { Decomposition } from "./decomposition.ts";
import { ParameterDecomposition } from "./parameter/parameter-decomposition.ts";
import { ownPresets, PUBLISHED } from "./parameter/presets.ts";
import { importanceFunction } from "./parameter/importance/settings.ts";
import { decomposeParameters } from "./parameter/run.ts";
import { type ParameterSettings, parameterSettings } from "./parameter/settings.ts";

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
  /** Why it cannot take a network apart, in a few words; nothing where it can. */
  objection(target: TrainDocument): string | undefined;
  /** The presets for a network it can take apart; the same names for every one. */
  presets(target: TrainDocument): Readonly<Record<string, Preset>>;
  run(
    document: DecomposeDocument,
    weights: NamedValues,
    options: LoopOptions,
  ): Promise<Omit<Decomposed, "document" | "weights">>;
  /** The components as something that can be masked. */
  open(document: DecomposeDocument, weights: NamedValues, components: NamedValues): Decomposition;
}

const networkOf = ({ target, settings }: TrainDocument): ReturnType<ReturnType<typeof targetNamed>["network"]> =>
  targetNamed(target).network(settings);

export const METHODS: Readonly<Record<string, Method>> = {
  spd: {
    summary: "stochastic parameter decomposition: rank-one subcomponents of weights, with scalar gates",
    schema: parameterSettings,
    // Verdicts know only what the mechanisms of networks of features should be; without one a result would look like more than it is.
    objection: (target) =>
      networkOf(target).sites.some(({ features }) => features !== undefined)
        ? undefined
        : "a network of features, tms for instance; the others cannot be judged yet",
    presets: (target) => ({ ...ownPresets(networkOf(target)), ...PUBLISHED }),
    run: async (document, weights, options) => {
      const settings = document.settings as unknown as ParameterSettings;
      const { target } = document;
      const { featureProbability, keepEmpty } = settings;
      const data = { keepEmpty, ...(featureProbability > 0 && { featureProbability }) };
      const batch = (size: number): ReturnType<ReturnType<typeof targetNamed>["batch"]> =>
        targetNamed(target.target).batch("data", { ...target.settings, ...data }, size);
      const tables = await targetNamed(target.target).tables?.(target.settings);
      const network = withSites(networkOf(target), settings.sites);
      return decomposeParameters({ network, weights, batch, ...(tables && { tables }) }, settings, options);
    },
    open: (document, weights, components) =>
      new ParameterDecomposition(
        withSites(networkOf(document.target), (document.settings as unknown as ParameterSettings).sites),
        weights,
        components,
        importanceFunction(document.settings as unknown as ParameterSettings),
      ),
  },
};

/** The method called `name`, or the nearest name there is. */
export function methodNamed(name: string): Method {
  return named("method", name, METHODS);
}

/** Fills a document in: the preset's settings, then each of `set`'s, then the schema's defaults for the rest. */
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
  return { method: name, preset, settings: settings as DecomposeDocument["settings"], target: options.target };
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
