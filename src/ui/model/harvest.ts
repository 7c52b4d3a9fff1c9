/** What the server says of a harvest: which components there are, and what each fires on. */

export interface HarvestList {
  /** Positions counted, at the checkpoint of this step. */
  readonly n: number;
  readonly step: number;
  /** Mean number of components that fire at a position. */
  readonly l0: number;
  readonly kind: "tokens" | "features";
  /** What stands between tokens in texts. */
  readonly separator: string;
  /** A component fires where its importance is above this. */
  readonly threshold: number;
  readonly sites: readonly HarvestedSite[];
  readonly rows: readonly HarvestedComponent[];
  /** Of the sites asked for: components that fired, and all. */
  readonly fired: number;
  readonly components: number;
}

export interface HarvestedSite {
  readonly site: string;
  readonly components: number;
  /** The density of each that fired, largest first. */
  readonly densities: readonly number[];
}

export interface HarvestedComponent {
  readonly address: string;
  readonly firings: number;
  /** The share of positions at which it fires. */
  readonly density: number;
  readonly meanImportance: number;
  readonly meanAbsActivation: number | null;
  /** Inputs that tell most of it. */
  readonly telling: readonly string[];
}

export interface HarvestCard {
  readonly component: HarvestedComponent;
  /** A uniform sample of its firings, of highest importance first, and those of highest importance. */
  readonly sample: readonly HarvestExample[];
  readonly top: readonly HarvestExample[];
  readonly input: { readonly telling: readonly HarvestedToken[] };
  readonly output: { readonly telling: readonly HarvestedToken[]; readonly missing: readonly HarvestedToken[] };
  readonly partners: readonly HarvestPartner[];
}

/** One firing: tokens around it with the component's importance at each, or features with their values. */
export interface HarvestExample {
  readonly importance: number;
  readonly focus: number | null;
  readonly ids: readonly number[];
  readonly values: readonly number[] | null;
  readonly importances: readonly number[];
  readonly texts: readonly string[];
}

export interface HarvestedToken {
  readonly text: string;
  readonly pTokenGivenFires: number;
  readonly lift: number;
}

export interface HarvestPartner {
  readonly address: string;
  readonly jaccard: number;
}

/** A text on one line, breaks as signs. */
export const onOneLine = (text: string): string => text.replaceAll("\n", "⏎");

/** How a list can be ordered, with the word for it. */
export const ORDERS = {
  density: "how often",
  importance: "importance",
  activation: "strength",
  address: "place",
} as const;
export type Order = keyof typeof ORDERS;
