/**
 * How far clusterings of different positions, by different draws, agree: at each number of clusters the distances between every two of them,
 * and beside that what they would be by chance, when the components of one are put into its clusters at random.
 */
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, type Key, randomPermutation } from "../../tensor/index.ts";
import { labelsAt, type MergeHistory } from "./merge-history.ts";
import { adjustedRand, hammingDistance, type Labels, matchingDistance } from "./partition-distance.ts";

/** One clustering among several, of those components that fire on its positions. */
export interface Member {
  /** Indices of these components among all. */
  readonly alive: readonly number[];
  readonly history: MergeHistory;
}

/** A mean over all pairs of members, with the least and the most. */
export interface Band {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

/** Distances at one number of clusters. */
export interface StabilityRow {
  readonly k: number;
  /** Nothing where there are more clusters than can be matched. */
  readonly hamming: Band | null;
  readonly matching: Band;
  readonly adjustedRand: Band;
  /** Means by chance. */
  readonly byChance: { readonly hamming: number | null; readonly matching: number };
}

export interface Stability {
  /** How many components fire on the positions of every member: those that are compared. */
  readonly compared: number;
  /** The number of clusters falling. */
  readonly rows: readonly StabilityRow[];
}

/** How many numbers of clusters are looked at, beside those asked for. */
const ROWS = 48;

/**
 * Distances between members.
 *
 * @param wanted numbers of clusters that must be among the rows
 */
export function stabilityOf(members: readonly Member[], wanted: readonly number[], key: Key): Stability {
  const sets = members.map(({ alive }) => new Set(alive));
  const shared = members[0]!.alive.filter((c) => sets.every((set) => set.has(c)));
  const most = Math.min(...members.map(({ alive }) => alive.length));
  const spaced = Array.from({ length: ROWS }, (_, i) => Math.round(most ** (i / (ROWS - 1))));
  const ks = [...new Set([...spaced, ...wanted])].filter((k) => k >= 1 && k <= most).sort((a, b) => b - a);
  return { compared: shared.length, rows: ks.map((k) => rowAt(k, members, shared, foldIn(key, k))) };
}

function rowAt(k: number, members: readonly Member[], shared: readonly number[], key: Key): StabilityRow {
  const labels = members.map((member) => sharedLabels(member, k, shared));
  const pairs = labels.flatMap((a, i) => labels.slice(0, i).map((b) => [a, b] as const));
  const mixed = pairs.map(([a, b], i) => {
    const order = randomPermutation(foldIn(key, i), a.length);
    return [a.map((_, c) => a[order[c]!]!), b] as const;
  });
  const over = (list: typeof pairs, distance: (a: Labels, b: Labels) => number | null): Band | null =>
    bandOf(list.map(([a, b]) => distance(a, b)));
  return {
    k,
    hamming: over(pairs, hammingDistance),
    matching: over(pairs, matchingDistance)!,
    adjustedRand: over(pairs, adjustedRand)!,
    byChance: {
      hamming: over(mixed, hammingDistance)?.mean ?? null,
      matching: over(mixed, matchingDistance)!.mean,
    },
  };
}

/** The clusters of the components that all members share, numbered anew without gaps. */
function sharedLabels({ alive, history }: Member, k: number, shared: readonly number[]): Labels {
  const labels = labelsAt(history, k);
  const at = new Map(alive.map((c, i) => [c, labels[i]!]));
  const numbers = new Map<number, number>();
  return Int32Array.from(shared, (c) => {
    const label = at.get(c)!;
    if (!numbers.has(label)) numbers.set(label, numbers.size);
    return numbers.get(label)!;
  });
}

function bandOf(numbers: readonly (number | null)[]): Band | null {
  const known = numbers.filter((x) => x !== null);
  if (known.length < numbers.length || known.length === 0) return null;
  const mean = meanOfNumbers(known);
  return { mean, least: Math.min(...known), most: Math.max(...known) };
}
