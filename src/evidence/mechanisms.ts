/**
 * Components held against the mechanisms that a network is known to have: one component a feature in the matrices that carry
 * features, a block of the matrix's rank where something is always needed.
 */
import type { Decomposition } from "../decomposition/decomposition.ts";
import { faithfulness } from "../decomposition/parameter/losses/faithfulness.ts";
import { subcomponentsOf, weightDelta } from "../decomposition/parameter/subcomponents.ts";
import { interpret, itemOf, type Values } from "../engine/index.ts";
import type { Site } from "../network/network.ts";
import { aliveComponents } from "./alive.ts";
import { matchColumns } from "./mean-max-cosine.ts";
import { probeImportances } from "./probe.ts";
import { denseError, identityError } from "./target-ci-error.ts";

/** What one site's components look like beside its known mechanisms. */
export interface SiteMechanisms {
  /** `identity`: one component a feature; `dense`: as many as the matrix has rank, for every input. */
  readonly pattern: "identity" | "dense";
  readonly targetCiError: number;
  /** Components alive on the probe, and how many the known mechanisms ask for. */
  readonly alive: number;
  readonly expectedAlive: number;
  /** Only where the pattern is `identity`. */
  readonly mmcs?: number;
  readonly ml2r?: number;
}

/** The part of a verdict that the weights alone decide. */
export interface MechanismVerdict {
  readonly sites: Readonly<Record<string, SiteMechanisms>>;
  /** Sum over sites. */
  readonly targetCiError: number;
  /** Means over the sites whose pattern is `identity`; NaN where there is none. */
  readonly mmcs: number;
  readonly ml2r: number;
  /** Sum over sites. */
  readonly alive: number;
  readonly expectedAlive: number;
  readonly faithfulness: number;
  /** All of `PASS`, at every site. */
  readonly passed: boolean;
}

/** What passing takes: error 0, every site's MMCS and ML2R within these, exactly the expected components alive. */
export const PASS = { mmcs: 0.995, ml2r: [0.97, 1.03] } as const;

/** Scores against the known mechanisms alone: cheap, in float64, for watching a run as it goes. */
export function judgeMechanisms(decomposition: Decomposition, features: number): MechanismVerdict {
  const importances = probeImportances(decomposition, features);
  const matrices = siteMatrices(decomposition);
  const sites = Object.fromEntries(
    decomposition.sites.map((site) => [
      site.name,
      judgeSite(decomposition, site, features, importances[site.name]!, matrices[site.name]!),
    ]),
  );
  const all = Object.values(sites);
  const matched = all.filter((site) => site.pattern === "identity");
  const total = (f: (site: (typeof all)[number]) => number): number => all.reduce((sum, site) => sum + f(site), 0);
  const mean = (f: (site: (typeof all)[number]) => number): number =>
    matched.reduce((sum, site) => sum + f(site), 0) / matched.length;
  return {
    sites,
    targetCiError: total((site) => site.targetCiError),
    mmcs: mean((site) => site.mmcs!),
    ml2r: mean((site) => site.ml2r!),
    alive: total((site) => site.alive),
    expectedAlive: total((site) => site.expectedAlive),
    faithfulness: itemOf(matrices["faithfulness"]!),
    passed: all.every(sitePasses),
  };
}

function sitePasses(site: SiteMechanisms): boolean {
  const matches =
    site.pattern === "dense" || (site.mmcs! >= PASS.mmcs && site.ml2r! >= PASS.ml2r[0] && site.ml2r! <= PASS.ml2r[1]);
  return site.targetCiError === 0 && site.alive === site.expectedAlive && matches;
}

function judgeSite(
  decomposition: Decomposition,
  site: Site,
  features: number,
  importances: Values,
  W: Values,
): SiteMechanisms {
  const alive = aliveComponents(importances).filter(Boolean).length;
  // A matrix between feature spaces has a mechanism for each feature; one within the hidden space serves them all.
  const side = site.features;
  if (side === undefined) {
    const rank = Math.min(site.dIn, site.dOut);
    return { pattern: "dense", targetCiError: denseError(importances, rank), alive, expectedAlive: rank };
  }
  const { values } = decomposition;
  const { mmcs, ml2r } = matchColumns(W, values[`${site.name}.V`]!, values[`${site.name}.U`]!, side);
  return { pattern: "identity", targetCiError: identityError(importances), alive, expectedAlive: features, mmcs, ml2r };
}

/** Each site's matrix, and the faithfulness of all of them under the name `faithfulness`, in float64. */
function siteMatrices(decomposition: Decomposition): Readonly<Record<string, Values>> {
  const { network, tensors, values } = decomposition;
  const matrices = Object.fromEntries(network.sites.map(({ name }) => [name, network.matrix(tensors, name)]));
  const deltas = network.sites.map((site) => weightDelta(matrices[site.name]!, subcomponentsOf(tensors, site)));
  return interpret({ ...matrices, faithfulness: faithfulness(deltas) }, values);
}
