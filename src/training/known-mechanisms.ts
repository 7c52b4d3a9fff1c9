/**
 * What is known of the mechanisms of a network that was trained here: data that verdicts on decompositions are made with. Where nothing is known,
 * a verdict says how well components stand in for the network, and no more.
 */
import type { Circuit } from "../network/compiled/circuit.ts";

/**
 * What the importances of a site's components look like on one-hot inputs, one at a time: one component for each input, one for each group of
 * inputs that share it, or so many that some input needs, whichever they are.
 */
export type SitePattern =
  | {
      readonly pattern: "identity";
      readonly inputs: number;
      /** The weight, `feature d_in`, that says how the site reads each input, and nothing else; absent where it reads, or writes, inputs themselves. */
      readonly embedding?: string;
    }
  | {
      readonly pattern: "shared";
      /** Inputs from 0, each in one group. */
      readonly groups: readonly (readonly number[])[];
    }
  | { readonly pattern: "dense"; readonly rank: number };

/** One-hot inputs, and what each site should make of them. */
export interface KnownPatterns {
  readonly inputs: number;
  readonly magnitude: number;
  readonly sites: Readonly<Record<string, SitePattern>>;
}

/** One bound that a number of a verdict has to keep. */
export interface Bound {
  /** The number's name in the verdict. */
  readonly measure: string;
  /** It is each of these sites', or every site's that has it; absent, the whole verdict's. */
  readonly sites?: readonly string[] | "all";
  readonly least?: number;
  readonly most?: number;
  /** It is to be another number of the same site or verdict. */
  readonly equals?: string;
}

/** What a decomposition has to reach to count as right. */
export interface Gate {
  /** Where the bounds come from. */
  readonly source: string;
  readonly bounds: readonly Bound[];
}

/** Where a residual MLP keeps what its neurons contribute: read in through `embedding`, out through its transpose. */
export interface KnownContributions {
  readonly embedding: string;
  readonly layers: readonly { readonly reads: string; readonly writes: string }[];
}

/** Sequences that end in a marker, after which the token that followed the first marker is wanted. */
export interface KnownMarker {
  readonly marker: number;
  /** Queries and keys of the first layer and of the last: the previous token, and what to copy. */
  readonly previousToken: readonly string[];
  readonly matching: readonly string[];
  /** Of a uniform guess. */
  readonly chance: number;
}

/** Numbers whose sum modulo p is wanted. */
export interface KnownModulus {
  readonly modulus: number;
  /** Token after both numbers, where there is one. */
  readonly equals?: number;
}

/** Features whose directions at a hook point are known: the rows of a weight, which inputs multiply one each. */
export interface KnownDirections {
  readonly point: string;
  /** `feature d`. */
  readonly weight: string;
  /** Features that have to do with one another. */
  readonly families?: readonly { readonly structure: string; readonly members: readonly number[] }[];
}

/** What belongs to a circuit, and all other parts there are; see `network/compiled`. */
export interface KnownCircuit {
  readonly circuit: Pick<Circuit, "nodes">;
  readonly outside: Pick<Circuit, "nodes">;
}

export interface KnownMechanisms {
  readonly patterns?: KnownPatterns;
  readonly directions?: KnownDirections;
  readonly contributions?: KnownContributions;
  readonly marker?: KnownMarker;
  readonly modulus?: KnownModulus;
  readonly circuit?: KnownCircuit;
  /** Its output at a position is about the next token; `padding` fills rows up and does not count. */
  readonly languageModel?: { readonly padding?: number };
  readonly gate?: Gate;
}

/** The magnitude of a one-hot probe's one input (SPD repository). */
export const PROBE_MAGNITUDE = 0.75;

/** How near the directions and lengths of components must come to a network's own: mean cosine at least, mean ratio of lengths within. */
export const PASS = { mmcs: 0.995, ml2r: [0.97, 1.03] } as const;

/** Every site's importances exactly as they should be, with the directions and lengths of the network's own features. */
export const RECOVERY_GATE: Gate = {
  source: "Mechanist, stricter than the published tables",
  bounds: [
    { measure: "targetCiError", sites: "all", most: 0 },
    { measure: "alive", sites: "all", equals: "expectedAlive" },
    { measure: "mmcs", sites: "all", least: PASS.mmcs },
    { measure: "ml2r", sites: "all", least: PASS.ml2r[0], most: PASS.ml2r[1] },
  ],
};

/** What goodfire-ai/param-decomp asks of its own toys without superposition, at these sites. */
export function portGate(sites: readonly string[]): Gate {
  return {
    source: "goodfire-ai/param-decomp, end-to-end tests of toys without superposition",
    bounds: [{ measure: "targetCiError0p2", sites, most: 0 }],
  };
}

/** What a small language model's components should reach (VPD, how runs are judged). */
export const LANGUAGE_MODEL_GATE: Gate = {
  source: "Mechanist, after the published runs on SimpleStories",
  bounds: [
    { measure: "unmaskedRecon", most: 0.01 },
    { measure: "adversarialRecon", most: 2 },
    { measure: "l0OverRank", most: 0.15 },
    // A network that knows nothing is one whose components are not missed: it says nothing of the method.
    { measure: "zeroRecon", least: 1 },
  ],
};
