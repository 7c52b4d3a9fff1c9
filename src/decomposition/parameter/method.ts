/** The methods that mask subcomponents of weights: one way of running, with presets of their own. */
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { identityAt, withIdentities } from "../../network/identities.ts";
import { type Network, withSites, withTies } from "../../network/network.ts";
import { fitsPattern } from "../../network/site-patterns.ts";
import type { Preset } from "../../settings.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";
import type { DecomposeDocument, Method } from "../methods.ts";
import { expectFitting } from "./complaints.ts";
import { importanceFunction } from "./importance/function.ts";
import { ParameterDecomposition } from "./parameter-decomposition.ts";
import { type DecompositionTarget, decomposeParameters } from "./run.ts";
import { type ParameterSettings, parameterSettings } from "./settings.ts";
import { isTargeted, targetedBatch } from "./targeted.ts";

/** What sets one of these methods apart. */
export interface ParameterMethod {
  readonly summary: string;
  presets(network: Network): Readonly<Record<string, Preset>>;
  /** What settings have to be besides valid, `expected X, got Y`; nothing where they are. */
  complaint?(settings: ParameterSettings): string | undefined;
}

/** A method as the table of methods has it. */
export function parameterMethod({ summary, presets, complaint }: ParameterMethod): Method {
  return {
    summary,
    schema: parameterSettings,
    objection: (target) => (networkOf(target).sites.length > 0 ? undefined : "a network with matrices to take apart"),
    presets: (target) => presets(networkOf(target)),
    check: (document) => {
      const settings = settingsOf(document);
      const why = complaint?.(settings);
      if (why !== undefined) throw new MechanistError("BadArgument", `${document.method}: ${why}`);
      const network = networkOf(document.target);
      const preset = presets(network)[document.preset];
      expectSitesOf(document, preset, network);
      expectFitting(settings, withIdentities(network, settings.identities), networkTakenApart(document));
    },
    run: async (document, weights, options) =>
      decomposeParameters(await targetOf(document, weights), settingsOf(document), options),
    open: (document, weights, components) => {
      const network = networkTakenApart(document);
      const settings = settingsOf(document);
      const importance = importanceFunction(settings, network);
      return new ParameterDecomposition(network, weights, components, importance, settings.lowerLeak);
    },
  };
}

/** Refuses a paper's preset on a network that has none of the sites it speaks of. */
function expectSitesOf(document: DecomposeDocument, preset: Preset | undefined, network: Network): void {
  const { method, preset: name } = document;
  const { componentsAt } = preset?.settings ?? {};
  if (componentsAt === undefined || componentsAt !== settingsOf(document).componentsAt) return;
  const patterns = String(componentsAt)
    .split(",")
    .filter((entry) => entry !== "")
    .map((entry) => entry.split("=")[0]!);
  const names = network.sites.map((site) => site.name);
  const lacking = patterns.filter((pattern) => !names.some((site) => fitsPattern(pattern, site)));
  if (lacking.length === 0) return;
  const some = names.length > 4 ? `${names.slice(0, 4).join(", ")} and ${names.length - 4} more` : names.join(", ");
  const wanted = `a network with sites ${lacking.join(", ")}`;
  throw new MechanistError("BadArgument", `${method} preset ${name}: expected ${wanted}, got one with ${some}`);
}

function settingsOf(document: DecomposeDocument): ParameterSettings {
  // A document is made of settings that this schema has checked.
  return document.settings as unknown as ParameterSettings;
}

function networkOf({ target, settings }: TrainDocument): Network {
  return targetNamed(target).network(settings);
}

/** The network with the sites that are taken apart. */
function networkTakenApart(document: DecomposeDocument): Network {
  return withSitesOf(networkOf(document.target), settingsOf(document));
}

/** A network with the sites that settings ask for: some of its own, all identities, tied where they are to be. */
function withSitesOf(network: Network, settings: ParameterSettings): Network {
  const { sites, identities, tied } = settings;
  const inserted = withIdentities(network, identities);
  const points = identities === "" ? [] : identities.split(",").map((point) => identityAt(point.trim()));
  const chosen = sites === "" ? inserted : withSites(inserted, [sites, ...points].join(","));
  return tied ? withTies(chosen) : chosen;
}

/** The network with its weights and its data. */
async function targetOf(document: DecomposeDocument, weights: NamedValues): Promise<DecompositionTarget> {
  const settings = settingsOf(document);
  const { target, settings: trained } = document.target;
  const { featureProbability, keepEmpty } = settings;
  const data = { keepEmpty, ...(featureProbability > 0 && { featureProbability }) };
  const network = networkTakenApart(document);
  const drawn = (size: number, name: string): Tensor => targetNamed(target).batch(name, { ...trained, ...data }, size);
  const tables = await targetNamed(target).tables?.(trained);
  return {
    network,
    weights,
    batch: (size) => drawn(size, "data"),
    ...(isTargeted(settings) && { targeted: targetedBatch(network, settings, drawn) }),
    ...(tables && { tables }),
  };
}
