/**
 * What is wrong with a decomposition, as far as its numbers tell: the name of the trouble, what causes it, and which setting to turn. Troubles and
 * remedies are those that people who run these methods report; a bound is where each begins to matter, not where it is proved.
 */
import { meanOfNumbers } from "../intervention/bootstrap.ts";

/** One trouble. */
export interface Warning {
  readonly name: WarningName;
  /** Where, when it is one site's. */
  readonly site?: string;
  /** What was seen, with the number, and what causes it. */
  readonly cause: string;
  /** The setting to turn, and which way. */
  readonly knob: string;
}

export type WarningName =
  | "shrinkage"
  | "all on"
  | "negative masks"
  | "importance divergence"
  | "weak adversary"
  | "faithfulness drift"
  | "dead site"
  | "importance collapse"
  | "L0 not falling"
  | "too few components";

/** What is known of one site; what was not measured is absent. */
export interface SiteSymptoms {
  readonly components: number;
  /** Of its matrix. */
  readonly rank: number;
  /** Components an input uses, mean over data. */
  readonly l0?: number;
  /** Components with mean importance above 1e-6. */
  readonly aliveMean?: number;
  /** Components with importance 1 on every input. */
  readonly allOn?: number;
  /** The smallest and the largest importance seen. */
  readonly lowest?: number;
  readonly highest?: number;
  /** `‖W - Σ components‖² / ‖W‖²`. */
  readonly relativeFaithfulness?: number;
}

/** One recorded step of a run. */
export interface SymptomsAtStep {
  readonly step: number;
  readonly faithfulness?: number;
  readonly importanceMinimality?: number;
  readonly l0?: number;
}

/** What is known of a decomposition, at the end or while it is made. */
export interface Symptoms {
  readonly ml2r?: number;
  /** Divergences; `zero` is that of every component taken out. */
  readonly stochastic?: number;
  readonly adversarial?: number;
  readonly zero?: number;
  readonly sites?: Readonly<Record<string, SiteSymptoms>>;
  /** Steps in order, earliest first. */
  readonly history?: readonly SymptomsAtStep[];
}

/** ML2R below this is shrinkage: APD's published 0.89 and 0.94 are, SPD's 0.99 is not. */
const SHRUNK = 0.95;
/** A relative squared error of a matrix above this is seen in outputs. */
const UNFAITHFUL = 0.01;
/** Divergences below this part of zero ablation's are rounding. */
const NOTHING = 1e-6;
/** From this part of zero ablation's on a divergence has exploded. */
const EXPLODED = 0.5;
/** Where no importance reaches this, the pressure holds all of them down. */
const HELD_DOWN = 0.9;
/** How many times its least value a quantity must be to have diverged, or drifted. */
const DIVERGED = 10;
/** L0 must fall at least by this part from the first to the last quarter of a run. */
const FALLS = 0.02;
/** Fewer recorded steps say nothing of a trend. */
const TREND = 8;

/** Warnings that components do not make up the whole network, which a targeted decomposition does not want. */
const OF_THE_WHOLE: readonly WarningName[] = ["shrinkage", "faithfulness drift"];

/** Whether a decomposition's settings ask for a part of the network alone. */
export function isTargeted({ targetFeatures = "", targetPrompts = "" }: Readonly<Record<string, unknown>>): boolean {
  return targetFeatures !== "" || targetPrompts !== "";
}

/** The warnings that concern a decomposition of a part as well. */
export function ofAPart(warnings: readonly Warning[]): Warning[] {
  return warnings.filter(({ name }) => !OF_THE_WHOLE.includes(name));
}

/** What there is cause to warn of. */
export function warningsOf(symptoms: Symptoms): Warning[] {
  const { sites = {}, history = [] } = symptoms;
  return [
    ...wholeWarnings(symptoms),
    ...Object.entries(sites).flatMap(([site, found]) =>
      siteWarnings(found, symptoms).map((warning) => ({ ...warning, site })),
    ),
    ...(history.length >= TREND ? trendWarnings(history, sites) : []),
  ];
}

function wholeWarnings({ ml2r, stochastic, adversarial, zero = Infinity }: Symptoms): Warning[] {
  const found: Warning[] = [];
  if (ml2r !== undefined && ml2r < SHRUNK) {
    found.push({
      name: "shrinkage",
      cause: `components have ${shown(ml2r)} of the length of what they stand for; a penalty on size, or slots that share a mechanism, take the rest`,
      knob: "raise faithfulness, or lower importanceMinimality; pruning gives the rest back",
    });
  }
  const weak = stochastic !== undefined && adversarial !== undefined && adversarial < stochastic;
  if (weak && stochastic > NOTHING * zero) {
    found.push({
      name: "weak adversary",
      cause: `the attack does ${shown(adversarial)}, random masks ${shown(stochastic)}: its numbers bound nothing`,
      knob: "give the adversary more steps or a larger rate; judge --ladder attacks for longer",
    });
  }
  return found;
}

function siteWarnings(site: SiteSymptoms, { stochastic, zero }: Symptoms): Omit<Warning, "site">[] {
  const { components, rank, l0, aliveMean, allOn, lowest, highest, relativeFaithfulness } = site;
  const found: Omit<Warning, "site">[] = [];
  const unfaithful = relativeFaithfulness !== undefined && relativeFaithfulness > UNFAITHFUL;
  if (components < rank) {
    found.push({
      name: "too few components",
      cause: `${components} components cannot add up to a matrix of rank ${rank}`,
      knob: `components of at least ${rank}`,
    });
  } else if (unfaithful) {
    found.push({
      name: "faithfulness drift",
      cause: `the components miss ${shown(relativeFaithfulness)} of the matrix, squared; other losses pulled them away`,
      knob: "raise faithfulness, or warmupSteps",
    });
  }
  if (lowest !== undefined && highest !== undefined && (lowest < 0 || highest > 1)) {
    found.push({
      name: "negative masks",
      cause: `importances from ${shown(lowest)} to ${shown(highest)} make masks outside 0 to 1: a leak that only gradients should have`,
      knob: "lowerLeak=straight-through",
    });
  }
  if (allOn !== undefined && (allOn > rank || (allOn === components && components > 1))) {
    found.push({
      name: "all on",
      cause: `${allOn} of ${components} components matter on every input, where ${rank} would do: nothing presses them down`,
      knob: "raise importanceMinimality, or train for more steps",
    });
  } else if (l0 !== undefined && l0 > rank) {
    found.push({
      name: "L0 not falling",
      cause: `an input uses ${shown(l0)} components of a matrix of rank ${rank}`,
      knob: "raise importanceMinimality, or train for more steps",
    });
  }
  const exploded = stochastic !== undefined && zero !== undefined && stochastic > EXPLODED * zero;
  if (aliveMean === 0) {
    found.push({
      name: "dead site",
      cause: "no component matters on any input",
      knob: exploded
        ? "lower importanceMinimality, or let it rise later"
        : "none, if the network does not need the site",
    });
  } else if (exploded && highest !== undefined && highest < HELD_DOWN) {
    found.push({
      name: "importance collapse",
      cause: `no importance is above ${shown(highest)} while random masks cost ${shown(stochastic / zero)} of zero ablation: sparsity outweighs reconstruction`,
      knob: "lower importanceMinimality",
    });
  }
  return found;
}

function trendWarnings(history: readonly SymptomsAtStep[], sites: Readonly<Record<string, SiteSymptoms>>): Warning[] {
  const found: Warning[] = [];
  const series = (name: Exclude<keyof SymptomsAtStep, "step">): number[] =>
    history.flatMap((row) => (row[name] === undefined ? [] : [row[name]]));
  const times = (values: readonly number[]): number => values.at(-1)! / Math.min(...values);
  const faithfulness = series("faithfulness");
  // As long as the matrices are as good as met, a rise is one from nothing to nothing.
  const met = Object.values(sites).every(({ relativeFaithfulness = 1 }) => relativeFaithfulness < UNFAITHFUL / 10);
  const drifts = faithfulness.length >= TREND && times(faithfulness) > DIVERGED;
  if (drifts && !(met && Object.keys(sites).length > 0)) {
    found.push({
      name: "faithfulness drift",
      cause: `faithfulness has risen from ${shown(Math.min(...faithfulness))} to ${shown(faithfulness.at(-1)!)}: other losses pull the components away`,
      knob: "raise faithfulness, or lower learningRate",
    });
  }
  const importance = series("importanceMinimality");
  if (importance.length >= TREND && times(importance) > DIVERGED) {
    found.push({
      name: "importance divergence",
      cause: `importance minimality has risen from ${shown(Math.min(...importance))} to ${shown(importance.at(-1)!)}: steps are too long, or p falls too fast`,
      knob: "lower learningRate or set clipNorm; raise pEnd",
    });
  }
  const l0 = series("l0");
  const quarter = Math.floor(l0.length / 4);
  const [first, last] = [l0.slice(0, quarter), l0.slice(-quarter)].map(meanOfNumbers);
  const ranks = Object.values(sites).reduce((sum, { rank }) => sum + rank, 0);
  if (l0.length >= TREND && last! > (1 - FALLS) * first! && last! > ranks) {
    found.push({
      name: "L0 not falling",
      cause: `an input still uses ${shown(last!)} components, ${shown(first!)} at the start; the matrices have rank ${ranks} in all`,
      knob: "raise importanceMinimality, or train for more steps",
    });
  }
  return found;
}

const shown = (x: number): string => String(Number(x.toPrecision(3)));
