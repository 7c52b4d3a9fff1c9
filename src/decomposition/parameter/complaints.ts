/**
 * Settings that contradict one another or the network, found before any work starts. Each complaint is one line, `setting: expected X, got Y`. What
 * names something that is not there is found where names are read: `expectFitting` asks for all of it.
 */
import { MechanistError } from "../../error.ts";
import type { Network } from "../../network/network.ts";
import { namesLike } from "../../network/site-patterns.ts";
import type { Tensor } from "../../tensor/index.ts";
import { isPersistent } from "./losses/adversarial-reconstructions.ts";
import { importanceFunction } from "./importance/function.ts";
import type { ParameterSettings } from "./settings.ts";
import { expectPatterns, slotsAskedFor } from "./optimisation/slots.ts";
import { isTargeted, targetedBatch } from "./targeted.ts";

/** The coefficients of which one must be above 0: without a reconstruction nothing says what components are for. */
const RECONSTRUCTIONS = [
  "stochasticRecon",
  "layerwiseRecon",
  "subsetRecon",
  "ciMaskedRecon",
  "unmaskedRecon",
  "adversarialRecon",
  "persistentRecon",
  "mergedRecon",
  "hiddenRecon",
] as const satisfies readonly (keyof ParameterSettings)[];

/**
 * What settings contradict.
 *
 * @param network with the sites that are taken apart
 */
function complaints(settings: ParameterSettings, network: Network): string[] {
  return [...startComplaints(settings, network), ...lossComplaints(settings, network)];
}

function startComplaints(settings: ParameterSettings, network: Network): string[] {
  const { sites } = network;
  const slots = slotsAskedFor(network, settings);
  const found: string[] = [];
  if (settings.start === "nonlinearity-aligned") {
    if (!sites.some(({ units }) => units !== undefined))
      found.push("start: expected sites that face neurons or heads for nonlinearity-aligned, got none");
    for (const { site, C } of slots) {
      const numbers = site.dIn * site.dOut;
      if (site.units !== undefined && C > numbers)
        found.push(
          `components at ${site.name}: expected at most ${numbers}, one for each number of the matrix, for an aligned start, got ${C}`,
        );
    }
  }
  if (settings.tied) {
    const ties = slots.filter(({ site }) => site.tiedTo !== undefined);
    if (ties.length === 0)
      found.push("tied: expected a network that uses one matrix twice at its sites, got one without");
    for (const { site, C } of ties) {
      const other = slots.find((s) => s.site.name === site.tiedTo)!;
      if (site.transposeOf === site.tiedTo && other.C !== C)
        found.push(
          `componentsAt ${site.name}: expected ${other.C} as at ${site.tiedTo}, to which it is tied, got ${C}`,
        );
    }
  }
  return found;
}

function lossComplaints(settings: ParameterSettings, network: Network): string[] {
  const found: string[] = [];
  if (RECONSTRUCTIONS.every((name) => settings[name] === 0))
    found.push(`reconstructions: expected a coefficient above 0, of ${RECONSTRUCTIONS.join(", ")}, got 0 of each`);
  if (settings.persistentScope === "pool" && !isPersistent(settings))
    found.push(
      "persistentScope: expected persistentRecon or mergedRecon above 0 for a pool of adversaries, got 0 of both",
    );
  if (settings.locality > 0 && !network.sites.some(({ units }) => units !== undefined))
    found.push("locality: expected sites that face neurons or heads, got none");
  return found;
}

/**
 * Refuses settings that contradict one another or the network.
 *
 * @param whole   the network with all that it could be taken apart at
 * @param network with the sites that are
 * @throws `BadArgument` for the first complaint, `UnknownName` with the nearest for what is not there
 */
export function expectFitting(settings: ParameterSettings, whole: Network, network: Network): void {
  expectPatterns(whole, settings.componentsAt);
  const [first] = complaints(settings, network);
  if (first !== undefined) throw new MechanistError("BadArgument", first);
  importanceFunction(settings, network);
  if (settings.hiddenRecon > 0)
    namesLike(
      "hiddenPoints",
      settings.hiddenPoints,
      network.points.map(({ name }) => name),
    );
  if (isTargeted(settings)) targetedBatch(network, settings, unread);
}

/** Stands for batches that nobody draws. */
function unread(): Tensor {
  throw new MechanistError("Internal", "complaints: expected no batch to be drawn, got a request for one");
}
