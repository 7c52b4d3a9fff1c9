/**
 * Every merge from one cluster a component down to one for all, so that any resolution can be opened later. Ids are those of a
 * dendrogram: components are 0 to C - 1, the m-th merge (from 0) makes C + m.
 */
import { sharedPart, pairPart } from "./cost.ts";

/** Two clusters that were merged, the one made earlier first, and at how many positions both fired. */
export interface Merge {
  readonly a: number;
  readonly b: number;
  readonly together: number;
}

export interface MergeHistory {
  readonly positions: number;
  readonly alpha: number;
  /** At how many positions each component fires. */
  readonly counts: readonly number[];
  /** At most C - 1; fewer where merging stopped early. */
  readonly merges: readonly Merge[];
}

/** What the clusters cost, in bits a position. */
export interface Costs {
  /** By the number of merges made, from 0: of as many more clusters than merges. */
  readonly cost: readonly number[];
  /** ΔL of each merge. */
  readonly change: readonly number[];
}

/** How often and with how many members each cluster fires that ever was. */
export function clusterSizes({ counts, merges }: MergeHistory): { count: Int32Array; rank: Int32Array } {
  const C = counts.length;
  const count = new Int32Array(C + merges.length);
  count.set(counts);
  const rank = new Int32Array(C + merges.length).fill(1, 0, C);
  merges.forEach(({ a, b, together }, m) => {
    count[C + m] = count[a]! + count[b]! - together;
    rank[C + m] = rank[a]! + rank[b]!;
  });
  return { count, rank };
}

/** What each resolution costs. Sums are of whole numbers, so that the cost does not depend on the way it was reached. */
export function costsOf(history: MergeHistory): Costs {
  const { counts, merges, positions, alpha } = history;
  const { count, rank } = clusterSizes(history);
  const C = counts.length;
  let k = C;
  let total = counts.reduce((a, b) => a + b, 0);
  let carried = total;
  const bits = (): number => (total * Math.log2(k) + alpha * carried) / positions;
  const cost = [bits()];
  const change: number[] = [];
  merges.forEach(({ a, b, together }, m) => {
    const part = pairPart(count[a]!, rank[a]!, count[b]!, rank[b]!, together, alpha, Math.log2(k - 1));
    change.push((sharedPart(total, k) + part) / positions);
    carried += count[C + m]! * rank[C + m]! - count[a]! * rank[a]! - count[b]! * rank[b]!;
    total -= together;
    k--;
    cost.push(bits());
  });
  return { cost, change };
}

/**
 * The numbers of clusters at which ΔL crosses zero: where going on merging begins to cost. Greedy merging crosses it once as a rule, but
 * nothing makes it: after a merge that costs another may gain.
 */
export function crossings({ change }: Costs, components: number): number[] {
  return change.flatMap((now, m) => (now >= 0 && (m === 0 || change[m - 1]! < 0) ? [components - m] : []));
}

/** The number of clusters that costs least: the crossing that no other undercuts. Of equals, the one with fewest merges. */
export function cheapestResolution({ cost }: Costs, components: number): number {
  let best = 0;
  cost.forEach((bits, m) => {
    if (bits < cost[best]!) best = m;
  });
  return components - best;
}

/** The fewest and the most clusters, around a number of them, that cost as little but for a fraction: how sharp the choice is. */
export function plateau({ cost }: Costs, components: number, k: number, fraction: number): readonly [number, number] {
  const bound = cost[components - k]! * (1 + fraction);
  let [fewest, most] = [k, k];
  while (fewest > 1 && cost[components - fewest + 1]! <= bound) fewest--;
  while (most < components && cost[components - most - 1]! <= bound) most++;
  return [fewest, most];
}

/** The id of each component's cluster when there are `k`. */
export function idsAt({ counts, merges }: MergeHistory, k: number): Int32Array {
  const C = counts.length;
  const parent = new Int32Array(2 * C).fill(-1);
  merges.slice(0, C - k).forEach(({ a, b }, m) => {
    parent[a] = parent[b] = C + m;
  });
  // From the last cluster down, so that each finds its parent's way to the end already shortened.
  for (let id = 2 * C - 1; id >= 0; id--) {
    const above = parent[id]!;
    if (above >= 0 && parent[above]! >= 0) parent[id] = parent[above]!;
  }
  return Int32Array.from({ length: C }, (_, c) => (parent[c]! >= 0 ? parent[c]! : c));
}

/** The same as numbers from 0, in the order of their first components. */
export function labelsAt(history: MergeHistory, k: number): Int32Array {
  const numbers = new Map<number, number>();
  return idsAt(history, k).map((id) => {
    if (!numbers.has(id)) numbers.set(id, numbers.size);
    return numbers.get(id)!;
  });
}
