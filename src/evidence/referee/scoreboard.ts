/**
 * What the referee says: several decompositions of one network and their controls under one protocol, as plain data that goes through JSON
 * unchanged. Terminal, page and report are made from it and add nothing.
 */
import type { Interval } from "../../intervention/bootstrap.ts";

/** What stands in for what is removed; see `ablations.ts`. */
export const ABLATIONS = ["zero", "mean", "resample"] as const;
export type AblationKind = (typeof ABLATIONS)[number];

/** By what units are put in order; see `ranking.ts`. */
export const RANKINGS = ["own", "gradient"] as const;
export type Ranking = (typeof RANKINGS)[number];

/** What the size of an explanation is counted in. */
const AXES = ["units", "bits"] as const;
export type SizeAxis = (typeof AXES)[number];

/** What is not a method but a yardstick; see `controls.ts`. */
export const CONTROLS = {
  oracle: "the mechanisms that are known",
  "oracle ranking": "the method's components by the damage that each one's removal does",
  random: "the method's components by random numbers",
  permuted: "the method's components, activities credited to others of the same site",
  "random directions": "what the same sites write, in a random orthonormal basis",
} as const;
export type ControlKind = keyof typeof CONTROLS;

/** What one subject is made of, at one site. */
export interface SiteGranularity {
  readonly site: string;
  readonly components: number;
  /** Of each of them. */
  readonly rank: number;
}

/** One row of the board. */
export interface SubjectRow {
  /** Unique on the board: the run's name, for a control with its kind behind it. */
  readonly name: string;
  /** Absent for a method. */
  readonly control?: ControlKind;
  /** The subject that a control is made of; absent for methods and for controls of the network itself. */
  readonly of?: string;
  /** `spd`, `sae`, …, with the seed and digest of its document; absent for controls. */
  readonly method?: string;
  readonly seed?: number;
  readonly digest?: string;
  /** What `activity` is. */
  readonly measure: "importance" | "magnitude";
  /** A unit is one component on one row (an example, or a position of one). */
  readonly granularity: readonly SiteGranularity[];
  readonly components: number;
  /** Units a row, all of them. */
  readonly units: number;
  /** Units a row that the method itself calls active, mean over rows: its natural size, and what that costs to say, in bits a row. */
  readonly size: number;
  readonly bits: number;
  /** The divergence with every component and the remainder out, over that of chance: what part of the network it speaks of. */
  readonly coverage: number;
  /** What making it took, `flops` in floating-point operations of its steps' products; absent where it is not known. */
  readonly cost?: { readonly steps?: number; readonly seconds?: number; readonly flops?: number };
  /** Seconds that judging it took. */
  readonly seconds: number;
  /** Measures made, and those that could not be. */
  readonly executed: number;
  readonly skipped: number;
}

/** One subject's number under one measure. */
export interface Score {
  readonly subject: string;
  readonly value: number;
  /** 95 % of the bootstrap over prompts. */
  readonly interval: Interval;
  /**
   * How far from `value` another evaluation is 95 times in 100, whose prompts, what stands in for what is removed and random sources come from a seed of its own: of the difference of two,
   * so √2 times as wide as what holds the true value. Reference data, controls and where an attack starts are the same for every seed.
   */
  readonly band: number;
  readonly n: number;
}

/** Two subjects under one measure, on the same prompts. */
export interface Difference {
  readonly a: string;
  readonly b: string;
  /** a's score less b's. */
  readonly difference: number;
  /** 95 % of the paired bootstrap. */
  readonly interval: Interval;
  /** Two-sided, and Holm's over all pairs of methods under this measure. */
  readonly p: number;
  readonly holm: number;
  /** Whether it is larger than what seeds alone make; `null` where seeds of neither are known. */
  readonly beyondSeeds: boolean | null;
  /** Whether one may be called better: Holm's below 0.05, not within what seeds make, and about as much of the network spoken of. */
  readonly decided: boolean;
  /** Why not; absent where it is. */
  readonly because?: "noise" | "seeds" | "coverage";
}

/**
 * A subject that should do well beside one that should not: a yardstick of known worth, which says something of the measure, or a method beside its own
 * components at random, which says something of the method.
 */
export interface Discrimination {
  readonly good: string;
  readonly bad: string;
  readonly difference: number;
  readonly interval: Interval;
  /** Whether the good one is better and the interval excludes 0. */
  readonly separates: boolean;
}

/** A measure's text, the same on every board. */
export interface MeasureText {
  readonly title: string;
  readonly formula: string;
  readonly source: string;
  readonly unit: string;
  /** Over what the number is a mean or a sum. */
  readonly reduction: string;
  readonly better: "lower" | "higher";
  readonly establishes: string;
  readonly doesNotEstablish: string;
}

/** One measure on every subject. */
export interface MeasureResult extends MeasureText {
  /** `sufficiency/zero/own/units`: the measure, then what of the protocol varies. */
  readonly id: string;
  readonly measure: MeasureName;
  readonly ablation?: AblationKind;
  readonly ranking?: Ranking;
  readonly axis?: SizeAxis;
  /** What else sets it apart from others of its measure: `adversarial`, `natural`, … */
  readonly variant?: string;
  /** In the order of the board's subjects; those that could not be measured are absent here and among `gaps`. */
  readonly scores: readonly Score[];
  /** All pairs of methods. */
  readonly differences: readonly Difference[];
  /** One plus the number of methods that are decidedly better; equal ranks are ties. */
  readonly ranks: readonly { readonly subject: string; readonly rank: number; readonly tied: boolean }[];
  /** Of a pair of methods, the difference that would be found 4 times in 5 at 5 %: median over pairs, `null` for one method. */
  readonly minimumDetectable: number | null;
  readonly discrimination: readonly Discrimination[];
  /** Whether oracles are told from every random and permuted subject of the same make; `null` where there was nothing to compare. */
  readonly tellsControlsApart: boolean | null;
  /** How many prompts would give every method the asked precision; `null` where those that were used do. */
  readonly promptsNeeded: number | null;
}

export const MEASURES = ["sufficiency", "necessity", "robustness", "remainder", "monotonicity", "edits"] as const;
export type MeasureName = (typeof MEASURES)[number];

/** Divergence against size. */
export interface Curve {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly ablation: AblationKind;
  readonly ranking: Ranking;
  /** By size, rising. */
  readonly points: readonly CurvePoint[];
}

export interface CurvePoint {
  /** Units a row that are kept, removed or turned on, mean over rows, and what saying which ones costs, in bits a row. */
  readonly size: number;
  readonly bits: number | null;
  /** Mean over prompts, in the board's unit. */
  readonly divergence: number;
  /** Whether it is the method's own active set. */
  readonly natural?: boolean;
}

/** A subject held against mechanisms that are known; numbers that have no meaning for a family are absent. */
export interface KnownScores {
  readonly subject: string;
  /** Mean cosine of the nearest component to each known direction, and of random directions, as many. */
  readonly mmcs?: number;
  readonly mmcsByChance?: number;
  /** Mean ratio of lengths. */
  readonly ml2r?: number;
  /** Entries of the probe's importances that are wrong. */
  readonly targetCiError?: number;
  /** Known features that have a component which they activate most and which has them as what it is most active on; a share. */
  readonly mutualBestMatch?: number;
  /** Components active on the probe that no feature has so. */
  readonly falseComponents?: number;
  /** Of a circuit that is known, in parts of the network. */
  readonly circuit?: { readonly precision: number; readonly recall: number };
}

/** What is shown of them, with words for people. */
export const KNOWN_COLUMNS: readonly (readonly [string, (known: KnownScores) => number | undefined])[] = [
  ["MMCS", ({ mmcs }) => mmcs],
  ["of random directions", ({ mmcsByChance }) => mmcsByChance],
  ["ML2R", ({ ml2r }) => ml2r],
  ["target-CI error", ({ targetCiError }) => targetCiError],
  ["mutual best match", ({ mutualBestMatch }) => mutualBestMatch],
  ["false components", ({ falseComponents }) => falseComponents],
  ["circuit precision", ({ circuit }) => circuit?.precision],
  ["circuit recall", ({ circuit }) => circuit?.recall],
];

/** What removing one mechanism does. */
export interface Edit {
  readonly subject: string;
  readonly address: string;
  /** Mean divergence where the component is active, and where it is not; with how many such places there were. */
  readonly onTarget: number;
  readonly offTarget: number;
  readonly active: number;
  readonly inactive: number;
}

/** What has to be known to read a subject's numbers. */
export interface Note {
  readonly subject: string;
  readonly measure: MeasureName;
  readonly text: string;
}

/** Something that could not be made, in one line: the rest of the board still is. */
export interface Gap {
  /** The subject, control or measure that is missing. */
  readonly what: string;
  readonly why: string;
}

/** What all subjects were asked on and with. */
export interface Protocol {
  readonly seed: number;
  /** Examples, and rows of them at the sites. */
  readonly prompts: number;
  readonly rows: number;
  readonly referencePrompts: number;
  readonly ablations: readonly AblationKind[];
  readonly rankings: readonly Ranking[];
  readonly measures: readonly MeasureName[];
  /** Mean units a row that are asked for, beside each method's own size and all. */
  readonly ladder: readonly number[];
  /** At which size robustness, monotonicity and edits compare all subjects. */
  readonly matchedSize: number;
  /** Bits of a unit's strength. */
  readonly precisionBits: number;
  /** The divergence of the network's mean output over all prompts: 1 of every normalised score. */
  readonly chance: number;
  /** Half width of an interval that was asked for, of normalised scores. */
  readonly wantedPrecision: number;
  readonly resamples: number;
}

/** Seeds of one document, and what they do to a measure. */
export interface SeedBand {
  readonly method: string;
  readonly subjects: readonly string[];
  readonly measure: string;
  readonly mean: number;
  readonly deviation: number;
}

export interface Scoreboard {
  readonly schema: 1;
  readonly network: {
    readonly title: string;
    /** Of its weights. */
    readonly digest: string;
    readonly unit: "nats" | "squared error";
  };
  readonly protocol: Protocol;
  /** Methods in the order given, then controls. */
  readonly subjects: readonly SubjectRow[];
  readonly measures: readonly MeasureResult[];
  readonly curves: readonly Curve[];
  readonly known: readonly KnownScores[];
  readonly seeds: readonly SeedBand[];
  readonly edits: readonly Edit[];
  readonly notes: readonly Note[];
  readonly gaps: readonly Gap[];
  readonly seconds: number;
}
