/** Whether a verdict keeps the bounds of a gate: what was asked, in words, and which of it was missed. */
import type { Bound, Gate } from "../training/known-mechanisms.ts";

export interface GateVerdict {
  /** What is asked. */
  readonly text: string;
  readonly source: string;
  readonly passed: boolean;
  /** What was missed, each with the number found. */
  readonly missed: readonly string[];
}

/** A verdict: numbers by name, and sites with theirs. */
export interface Judged {
  readonly sites: Readonly<Record<string, object>>;
}

/** Holds a verdict against a gate. A number that is absent or NaN misses its bound; sites that were not taken apart are not asked. */
export function checkGate({ bounds, source }: Gate, verdict: Judged): GateVerdict {
  const missed = bounds.flatMap((bound) =>
    placesOf(bound, verdict).flatMap(({ where, numbers }) => {
      const found = numbers[bound.measure];
      return keeps(found, bound, numbers) ? [] : [`${where}${nameOf(bound.measure)} ${shown(found)}`];
    }),
  );
  return { text: bounds.map(wording).join("; "), source, passed: missed.length === 0, missed };
}

interface Place {
  readonly where: string;
  readonly numbers: Readonly<Record<string, unknown>>;
}

function placesOf({ measure, sites }: Bound, verdict: Judged): Place[] {
  if (sites === undefined) return [{ where: "", numbers: verdict as unknown as Place["numbers"] }];
  return Object.entries(verdict.sites).flatMap(([name, site]) => {
    const numbers = site as Place["numbers"];
    const asked = sites === "all" ? numbers[measure] !== undefined : sites.includes(name);
    return asked ? [{ where: `${name}: `, numbers }] : [];
  });
}

function keeps(found: unknown, { least, most, equals }: Bound, numbers: Place["numbers"]): boolean {
  if (typeof found !== "number" || Number.isNaN(found)) return false;
  if (equals !== undefined && found !== numbers[equals]) return false;
  return (least === undefined || found >= least) && (most === undefined || found <= most);
}

function wording({ measure, sites, least, most, equals }: Bound): string {
  const where = sites === undefined ? "" : sites === "all" ? " at every site" : ` at ${sites.join(", ")}`;
  const limits = [
    ...(equals === undefined ? [] : [nameOf(equals)]),
    ...(least === undefined ? [] : [`at least ${shown(least)}`]),
    ...(most === undefined ? [] : [least === undefined && most === 0 ? "0" : `at most ${shown(most)}`]),
  ];
  return `${nameOf(measure)}${where} ${limits.join(", ")}`;
}

const shown = (x: unknown): string => (typeof x === "number" ? String(Number(x.toPrecision(4))) : "absent");

/** What people call the numbers that gates ask for. */
const NAMES: Readonly<Record<string, string>> = {
  targetCiError: "target-CI error",
  targetCiError0p2: "target-CI error at tolerance 0.2",
  alive: "alive",
  expectedAlive: "as many as expected",
  mmcs: "MMCS",
  ml2r: "ML2R",
  solvedSites: "part of the sites without error",
  contributionCorrelation: "correlation of neurons' contributions",
  unmaskedRecon: "divergence without masks",
  zeroRecon: "divergence of zero ablation",
  adversarialRecon: "divergence under attack",
  l0OverRank: "L0 over the sum of ranks",
  answer: "the answer's probability",
  answerWithoutPreviousToken: "the answer's probability without previous-token components",
  answerWithoutMatching: "the answer's probability without matching components",
  lossOfAliveAlone: "nats lost by all but the alive components",
};

const nameOf = (measure: string): string => NAMES[measure] ?? measure;
