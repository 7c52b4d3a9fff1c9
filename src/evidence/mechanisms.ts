/**
 * Components held against the mechanisms that a network is known to have, on one-hot inputs: one component an input in the matrices that carry
 * features, a block of the matrix's rank where something is always needed.
 */
import { componentFactors, type Decomposition } from "../decomposition/decomposition.ts";
import { interpret, type Values } from "../engine/index.ts";
import type { Site } from "../network/network.ts";
import type { KnownPatterns, SitePattern } from "../training/known-mechanisms.ts";
import { aliveComponents } from "./alive.ts";
import { matchColumns } from "./mean-max-cosine.ts";
import { probeImportances } from "./probe.ts";
import { denseError, identityError, sharedError } from "./target-ci-error.ts";

export { PASS } from "../training/known-mechanisms.ts";

/** What one site's components look like beside its known mechanisms. */
export interface SiteMechanisms {
  /** `identity`: one component an input; `shared`: one a group of inputs; `dense`: so many that some input needs. */
  readonly pattern: SitePattern["pattern"];
  readonly targetCiError: number;
  /** The same with a tolerance of 0.2 instead of 0.1. */
  readonly targetCiError0p2: number;
  /** Components alive on the probe, and how many the known mechanisms ask for. */
  readonly alive: number;
  readonly expectedAlive: number;
  /** Only where one side of the matrix runs over features. */
  readonly mmcs?: number;
  readonly ml2r?: number;
}

/** The part of a verdict that the probe and the weights decide. */
export interface MechanismVerdict {
  readonly sites: Readonly<Record<string, SiteMechanisms>>;
  /** Sums over sites. */
  readonly targetCiError: number;
  readonly targetCiError0p2: number;
  readonly alive: number;
  readonly expectedAlive: number;
  /** The part of the sites with error 0. */
  readonly solvedSites: number;
  /** Means over the sites with features; absent where there is none. */
  readonly mmcs?: number;
  readonly ml2r?: number;
}

/** The tolerance at which the published runs are also reported (`total_0p2`). */
const WIDER = 0.2;

/** Scores against the known mechanisms alone: cheap, in float64, for watching a run as it goes. Sites of which nothing is known are left out. */
export function judgeMechanisms(decomposition: Decomposition, known: KnownPatterns): MechanismVerdict {
  const importances = probeImportances(decomposition, known.inputs, known.magnitude);
  const sites = Object.fromEntries(
    decomposition.sites.flatMap((site) => {
      const wanted = known.sites[site.name];
      return wanted ? [[site.name, judgeSite(decomposition, site, wanted, importances[site.name]!)]] : [];
    }),
  );
  const all: readonly SiteMechanisms[] = Object.values(sites);
  const total = (f: (site: SiteMechanisms) => number): number => all.reduce((sum, site) => sum + f(site), 0);
  const matched = all.filter(({ mmcs }) => mmcs !== undefined);
  const mean = (f: (site: SiteMechanisms) => number): number =>
    matched.reduce((sum, site) => sum + f(site), 0) / matched.length;
  return {
    sites,
    targetCiError: total((site) => site.targetCiError),
    targetCiError0p2: total((site) => site.targetCiError0p2),
    alive: total((site) => site.alive),
    expectedAlive: total((site) => site.expectedAlive),
    solvedSites: all.filter(({ targetCiError }) => targetCiError === 0).length / all.length,
    ...(matched.length > 0 && { mmcs: mean((site) => site.mmcs!), ml2r: mean((site) => site.ml2r!) }),
  };
}

function expectedAlive(wanted: SitePattern): number {
  if (wanted.pattern === "identity") return wanted.inputs;
  return wanted.pattern === "shared" ? wanted.groups.length : wanted.rank;
}

function judgeSite(decomposition: Decomposition, site: Site, wanted: SitePattern, importances: Values): SiteMechanisms {
  const error = (tolerance?: number): number =>
    wanted.pattern === "identity"
      ? identityError(importances, tolerance)
      : wanted.pattern === "shared"
        ? sharedError(importances, wanted.groups, tolerance)
        : denseError(importances, wanted.rank, tolerance);
  const scores = {
    pattern: wanted.pattern,
    targetCiError: error(),
    targetCiError0p2: error(WIDER),
    alive: aliveComponents(importances).filter(Boolean).length,
    expectedAlive: expectedAlive(wanted),
  };
  if (site.features === undefined) return scores;
  const { network, tensors, values } = decomposition;
  const matrices = { W: network.matrix(tensors, site.name), ...componentFactors(decomposition, site) };
  const { W, V, U } = interpret(matrices, values);
  const { mmcs, ml2r } = matchColumns(W, V, U, site.features);
  return { ...scores, mmcs, ml2r };
}
