/** What a method is given: a network, its weights, and the data it is taken apart on. */
import type { NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { type Network, withSites } from "../../network/network.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { TrainDocument } from "../../training/target.ts";
import { targetNamed } from "../../training/targets.ts";

export interface DecompositionTarget {
  readonly network: Network;
  readonly weights: NamedValues;
  /** Tables that batches are drawn from. */
  readonly tables?: NamedValues;
  /** A batch of inputs, as a program of draws. */
  readonly batch: (size: number) => Tensor;
}

/** The settings that choose it. */
export interface TargetSettings {
  /** Names of the sites to take apart, with commas between; empty: all. */
  readonly sites: string;
  /** How likely a feature is active in the data; 0: as the target was trained. */
  readonly featureProbability: number;
}

/** The network of a document, with the sites that are taken apart. */
export function networkOf({ target, settings }: TrainDocument, sites: string): Network {
  return withSites(targetNamed(target).network(settings), sites);
}

/** The same with its weights and data. */
export async function decompositionTarget(
  document: TrainDocument,
  weights: NamedValues,
  { sites, featureProbability }: TargetSettings,
): Promise<DecompositionTarget> {
  const target = targetNamed(document.target);
  const settings = { ...document.settings, ...(featureProbability > 0 && { featureProbability }) };
  const tables = await target.tables?.(document.settings);
  return {
    network: networkOf(document, sites),
    weights,
    ...(tables && { tables }),
    batch: (size) => target.batch("data", settings, size),
  };
}

/** Why these methods cannot take a network apart; nothing where they can. */
export function objectionTo(document: TrainDocument): string | undefined {
  // Gradients of examples are kept as outer products, one a site: with positions they would be sums of many.
  return networkOf(document, "").input.axes.includes("pos")
    ? "a network without positions, tms for instance"
    : undefined;
}

/** What a number of factors contradicts; nothing where some matrix has that rank. */
export function factorsComplaint(network: Network, factors: number): string | undefined {
  const rank = Math.max(...network.sites.map(({ dIn, dOut }) => Math.min(dIn, dOut)));
  return factors > rank ? `factors: expected at most ${rank}, the largest rank of a matrix, got ${factors}` : undefined;
}

/** Refuses settings for the first complaint there is. */
export function expectNone(method: string, complaints: readonly (string | undefined)[]): void {
  const first = complaints.find((complaint) => complaint !== undefined);
  if (first !== undefined) throw new MechanistError("BadArgument", `${method} ${first}`);
}
