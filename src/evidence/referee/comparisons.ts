/** A measure's numbers of all subjects made into scores, differences, ranks, and a word on whether the measure tells anything. */
import type { Key } from "../../tensor/index.ts";
import { bandOf } from "../cross-seed.ts";
import {
  bandOfSpread,
  holm,
  intervalOf,
  less,
  minimumDetectable,
  promptsFor,
  pValue,
  Resampling,
  type Spread,
} from "./noise.ts";
import type { Difference, Discrimination, MeasureResult, Ranking, Score, SeedBand } from "./scoreboard.ts";
import type { Found } from "./measures/hearing.ts";
import type { Subject } from "./subject.ts";

/** One subject's number, with whose it is. */
export interface Entry {
  readonly subject: Subject;
  /** Of the subject: what part of the network it speaks of. */
  readonly coverage: number;
  readonly found: Found;
}

/** Coverages that differ by more than this part of the larger are of different things. */
const LIKE = 0.1;
const LEVEL = 0.05;
/** Differences below this are what float32 rounds. */
const ROUNDING = 1e-5;
/** 95 % of normal draws lie within so many deviations. */
const WITHIN = 1.959964;

interface Scored extends Entry {
  readonly score: Score;
  readonly spread: Spread;
}

/** Draws prompts anew for scores of so many prompts, the same for all subjects and measures. */
export class Comparisons {
  readonly #key: Key;
  readonly #wanted: number;
  readonly #resamplings = new Map<string, Resampling>();

  /** @param wanted the half width of an interval that was asked for */
  constructor(key: Key, wanted: number) {
    this.#key = key;
    this.#wanted = wanted;
  }

  /** One measure's entries, all of one id. */
  compare(entries: readonly Entry[]): { readonly result: MeasureResult; readonly seeds: readonly SeedBand[] } {
    const scored = entries.map((entry): Scored => this.#scored(entry));
    const methods = scored.filter(({ subject }) => subject.control === undefined);
    const seeds = seedBands(methods);
    const differences = differencesOf(methods, seeds);
    const discrimination = discriminationOf(scored);
    const { text, measured: _, ...about } = entries[0]!.found;
    const needed = methods.map(({ score }) => promptsFor(score.interval, score.n, this.#wanted));
    const most = Math.max(0, ...needed);
    const n = scored[0]!.score.n;
    const detectable = pairs(methods).map(([a, b]) => minimumDetectable(less(a.spread, b.spread)));
    return {
      result: {
        ...about,
        ...text,
        scores: scored.map(({ score }) => score),
        differences,
        ranks: ranksOf(methods, differences, text.better),
        minimumDetectable: detectable.length > 0 ? median(detectable) : null,
        discrimination,
        tellsControlsApart: tellsApart(scored, discrimination, entries[0]!.found.ranking),
        promptsNeeded: most > n ? most : null,
      },
      seeds,
    };
  }

  #scored(entry: Entry): Scored {
    const { measured } = entry.found;
    const n = measured.channels[0]!.length;
    const { groups } = measured;
    const name = `${n} in ${groups ?? "as many"}`;
    const resampling = this.#resamplings.get(name) ?? new Resampling(this.#key, n, groups);
    this.#resamplings.set(name, resampling);
    const spread = resampling.spread(measured);
    return { ...entry, spread, score: scoreOf(entry.subject.name, n, spread) };
  }
}

function scoreOf(subject: string, n: number, spread: Spread): Score {
  return { subject, value: spread.value, interval: intervalOf(spread), band: bandOfSpread(spread), n };
}

function pairs<T>(all: readonly T[]): (readonly [T, T])[] {
  return all.flatMap((a, i) => all.slice(i + 1).map((b) => [a, b] as const));
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)]! + sorted[Math.ceil((sorted.length - 1) / 2)]!) / 2;
}

/** What seeds of one document do to the measure. */
function seedBands(methods: readonly Scored[]): SeedBand[] {
  const groups = new Map<string, Scored[]>();
  for (const one of methods) {
    const { seedGroup } = one.subject;
    if (seedGroup !== undefined) groups.set(seedGroup, [...(groups.get(seedGroup) ?? []), one]);
  }
  return [...groups.values()]
    .filter((group) => group.length > 1)
    .map((group) => {
      const { mean, deviation } = bandOf(group.map(({ score }) => score.value));
      const [{ subject, found }] = group as [Scored];
      return {
        method: subject.method ?? subject.name,
        subjects: group.map((one) => one.subject.name),
        measure: found.id,
        mean,
        deviation,
      };
    });
}

/** All pairs of methods. */
function differencesOf(methods: readonly Scored[], seeds: readonly SeedBand[]): Difference[] {
  const bandOfSubject = (one: Scored): SeedBand | undefined =>
    seeds.find(({ subjects }) => subjects.includes(one.subject.name));
  const raw = pairs(methods).map(([a, b]) => {
    const spread = less(a.spread, b.spread);
    const difference = a.score.value - b.score.value;
    return { a, b, difference, interval: intervalOf(spread), p: pValue(spread) };
  });
  const adjusted = holm(raw.map(({ p }) => p));
  return raw.map(({ a, b, difference, interval, p }, i) => {
    const [left, right] = [bandOfSubject(a), bandOfSubject(b)];
    const sameSeeds = left !== undefined && left === right;
    const deviation = Math.hypot(left?.deviation ?? 0, right?.deviation ?? 0);
    const known = left !== undefined || right !== undefined;
    const beyondSeeds = known ? !sameSeeds && Math.abs(difference) > WITHIN * deviation : null;
    const because =
      adjusted[i]! >= LEVEL || Math.abs(difference) < ROUNDING
        ? "noise"
        : beyondSeeds === false
          ? "seeds"
          : alike(a, b)
            ? undefined
            : "coverage";
    return {
      ...{ a: a.subject.name, b: b.subject.name, difference, interval, p, holm: adjusted[i]!, beyondSeeds },
      decided: because === undefined,
      ...(because && { because }),
    };
  });
}

/** Whether two speak of about as much of the network, where that is what the score is a part of. */
function alike(a: Scored, b: Scored): boolean {
  if (!a.found.text.unit.startsWith("of chance")) return true;
  return Math.abs(a.coverage - b.coverage) <= LIKE * Math.max(a.coverage, b.coverage);
}

function ranksOf(
  methods: readonly Scored[],
  differences: readonly Difference[],
  better: "lower" | "higher",
): MeasureResult["ranks"] {
  const beats = (winner: string, loser: string): boolean =>
    differences.some(
      ({ a, b, difference, decided }) =>
        decided &&
        ((a === winner && b === loser && difference < 0 === (better === "lower")) ||
          (b === winner && a === loser && difference > 0 === (better === "lower"))),
    );
  const names = methods.map(({ subject }) => subject.name);
  const ranks = names.map((name) => 1 + names.filter((other) => beats(other, name)).length);
  return names.map((subject, i) => ({
    subject,
    rank: ranks[i]!,
    tied: ranks.filter((rank) => rank === ranks[i]).length > 1,
  }));
}

/** Oracles beside what is random or permuted of the same make, and methods beside their own. */
function discriminationOf(scored: readonly Scored[]): Discrimination[] {
  const bad = scored.filter(({ subject: { control } }) => control === "random" || control === "permuted");
  const pair = (good: Scored, other: Scored): Discrimination => {
    const spread = less(good.spread, other.spread);
    const interval = intervalOf(spread);
    const difference = good.score.value - other.score.value;
    const separates = good.found.text.better === "lower" ? interval[1] < 0 : interval[0] > 0;
    return { good: good.subject.name, bad: other.subject.name, difference, interval, separates };
  };
  return scored.flatMap((one) => {
    const { control, of } = one.subject;
    if (control === "random" || control === "permuted") return [];
    const make = control === "oracle ranking" ? of : one.subject;
    return bad.filter(({ subject }) => subject.of === make).map((other) => pair(one, other));
  });
}

/**
 * Known mechanisms must be told from the same ones by random numbers, and under permuted ones. Where none are known, of some method the order by damage
 * must, or that by gradients from permuted gradients: of one whose components are no good at all no order can.
 */
function tellsApart(
  scored: readonly Scored[],
  discrimination: readonly Discrimination[],
  ranking: Ranking | undefined,
): boolean | null {
  const of = (control: Subject["control"]): Discrimination[][] =>
    scored
      .filter(({ subject }) => subject.control === control)
      .map(({ subject }) => discrimination.filter(({ good }) => good === subject.name))
      .filter((found) => found.length > 0);
  const [known, ranked] = [of("oracle"), of(ranking === "gradient" ? undefined : "oracle ranking")];
  const all = (found: readonly Discrimination[]): boolean => found.every(({ separates }) => separates);
  if (known.length > 0) return known.every(all);
  return ranked.length > 0 ? ranked.some(all) : null;
}
