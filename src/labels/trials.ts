/**
 * Trials that a label, or a judge, is put to. What is right is known; a judge that knows nothing is right by chance as often as `CHANCE` says.
 *
 * - detection: half of the stretches have a firing in them, half are places of the data without one
 * - fuzzing: in half of the stretches the tokens marked are those that fire, in half as many others of the same stretch
 * - intruder: four stretches of the component and one of another; no label is asked for
 *
 * None of the stretches has been shown to the labeller.
 */
import { foldIn, type Key, randomPermutation } from "../tensor/index.ts";
import type { Shown } from "./labeller.ts";

export const CHANCE = { detection: 0.5, fuzzing: 0.5, intruder: 0.2 } as const;

/** Stretches of the component in a trial of intruders; the intruder is one more. */
const COMPANY = 4;

/** What trials are made of. */
export interface TrialMaterial {
  /** Firings that the labeller has not seen. */
  readonly held: readonly Shown[];
  /** Places without a firing. */
  readonly quiet: readonly Shown[];
  /** Firings of other components. */
  readonly others: readonly Shown[];
}

/** Stretches to be called right or wrong. */
export interface TruthTrial {
  readonly items: readonly Shown[];
  readonly truth: readonly boolean[];
}

export interface IntruderTrial {
  readonly items: readonly Shown[];
  /** Which one it is. */
  readonly intruder: number;
}

/** @param each stretches of either kind, at most; none where there are none of one kind */
export function detectionTrial({ held, quiet }: TrialMaterial, each: number, key: Key): TruthTrial | undefined {
  const count = Math.min(each, held.length, quiet.length);
  if (count === 0) return undefined;
  const firing = some(held, count, foldIn(key, "held")).map((item) => ({ item, right: true }));
  const silent = some(quiet, count, foldIn(key, "quiet")).map((item) => ({ item, right: false }));
  return mixed([...firing, ...silent], key);
}

/** Where marks cannot be moved, because a stretch has more that fire than do not, it is left out. */
export function fuzzingTrial({ held }: TrialMaterial, each: number, key: Key): TruthTrial | undefined {
  const usable = held.filter(({ fires }) => {
    const firing = fires.filter(Boolean).length;
    return firing > 0 && fires.length - firing >= firing;
  });
  const count = Math.min(each, Math.floor(usable.length / 2));
  if (count === 0) return undefined;
  const chosen = some(usable, 2 * count, foldIn(key, "held"));
  return mixed(
    chosen.map((item, i) =>
      i < count ? { item, right: true } : { item: moved(item, foldIn(foldIn(key, "marks"), i)), right: false },
    ),
    key,
  );
}

/** As many marks, on tokens that do not fire. */
function moved(item: Shown, key: Key): Shown {
  const silent = item.fires.flatMap((fires, i) => (fires ? [] : [i]));
  const marked = new Set(some(silent, item.fires.filter(Boolean).length, key));
  return { ...item, fires: item.fires.map((_, i) => marked.has(i)) };
}

/** @param most trials; each has four firings, which other trials may have too, and an intruder of its own */
export function intruderTrials({ held, others }: TrialMaterial, most: number, key: Key): IntruderTrial[] {
  if (held.length < COMPANY) return [];
  return some(others, Math.min(most, others.length), foldIn(key, "others")).map((other, i) => {
    const own = foldIn(key, i);
    const company = some(held, COMPANY, foldIn(own, "held"));
    const order = randomPermutation(foldIn(own, "order"), COMPANY + 1);
    const items = order.map((at) => (at === COMPANY ? other : company[at]!));
    return { items, intruder: order.indexOf(COMPANY) };
  });
}

/** So many of a list, each equally likely. */
function some<T>(list: readonly T[], count: number, key: Key): T[] {
  return randomPermutation(key, list.length)
    .slice(0, count)
    .map((i) => list[i]!);
}

function mixed(list: readonly { readonly item: Shown; readonly right: boolean }[], key: Key): TruthTrial {
  const order = randomPermutation(foldIn(key, "order"), list.length).map((i) => list[i]!);
  return { items: order.map(({ item }) => item), truth: order.map(({ right }) => right) };
}
