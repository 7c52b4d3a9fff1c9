/**
 * Merging by chains of nearest neighbours (Benzécri 1982; Murtagh 1983): go from a cluster to the one that is cheapest to merge with, from
 * there to its cheapest, and so on until two are each other's, and merge those.
 *
 * For distances that are reducible, where a merged cluster is no nearer to a third than the nearer of its parts was, this finds the greedy
 * tree. ΔL is not reducible: {1, 2} and {2, 3} fire together at one position, as each does with {1, 3}, but their union does at two. So
 * what comes out is another tree than greedy descent's, whose cost `docs/results.md` compares. The parts are taken with `k` as it was at the start,
 * for what was nearest would otherwise change under the chain's feet; when the tree is whole, its merges are put in the order of ΔL.
 */
import { ApartPairs, comesBefore } from "./apart.ts";
import { pairPart } from "./cost.ts";
import type { LiveClusters } from "./live-clusters.ts";
import { clusterSizes, type Merge, type MergeHistory } from "./merge-history.ts";
import type { Merger } from "./merger.ts";

export class NearestNeighbourChain implements Merger {
  readonly #clusters: LiveClusters;
  readonly #alpha: number;
  readonly #index: number;
  readonly #apart: ApartPairs;
  #first = 0;
  /** Clusters, each the nearest neighbour of the one before it. */
  readonly chain: number[];

  /** @param chain as it was when merging stopped */
  constructor(clusters: LiveClusters, alpha: number, chain: readonly number[] = []) {
    this.#clusters = clusters;
    this.#alpha = alpha;
    this.#index = Math.log2(Math.max(1, clusters.count.length / 2 - 1));
    this.#apart = new ApartPairs(clusters, alpha);
    this.chain = [...chain];
  }

  async prepare(): Promise<void> {
    // There is nothing to look at before the first step.
  }

  next(): { a: number; b: number } {
    const chain = this.chain;
    if (chain.length === 0) chain.push(this.#earliest());
    for (;;) {
      const tip = chain.at(-1)!;
      const nearest = this.#nearest(tip, chain.at(-2));
      const at = chain.lastIndexOf(nearest);
      if (at >= 0 && at === chain.length - 2) {
        chain.length -= 2;
        return { a: Math.min(tip, nearest), b: Math.max(tip, nearest) };
      }
      // Without reducibility a merge may bring a link nearer than those above it: the chain is cut back to where it comes in.
      if (at >= 0) chain.length = at + 1;
      else chain.push(nearest);
    }
  }

  merged(id: number): void {
    this.#apart.add(id);
  }

  #earliest(): number {
    while (this.#clusters.alive[this.#first] === 0) this.#first++;
    return this.#first;
  }

  /** The cheapest partner; among equals the one before it in the chain, or chains would go round in circles. */
  #nearest(id: number, before: number | undefined): number {
    const { count, rank } = this.#clusters;
    let best = this.#apart.cheapestFor(id);
    let previous: number | undefined;
    this.#clusters.eachPartner(id, Infinity, (partner, together) => {
      const [x, y] = [count[id]!, count[partner]!];
      const part = pairPart(x, rank[id]!, y, rank[partner]!, together, this.#alpha, this.#index);
      const pair = { a: Math.min(id, partner), b: Math.max(id, partner), part };
      if (partner === before) previous = part;
      if (comesBefore(pair, best)) best = pair;
    });
    if (before !== undefined) {
      previous ??= this.#alpha * (rank[before]! * count[id]! + rank[id]! * count[before]!);
      if (previous <= best.part) return before;
    }
    return best.a === id ? best.b : best.a;
  }
}

/** The same tree with its merges in the order of their ΔL: of those whose parts are there, the cheapest first. */
export function inOrderOfCost(history: MergeHistory): MergeHistory {
  const { counts, merges, alpha } = history;
  const { count, rank } = clusterSizes(history);
  const C = counts.length;
  const parentOf = new Map<number, number>();
  merges.forEach(({ a, b }, m) => parentOf.set(a, m).set(b, m));
  const waiting = merges.map(({ a, b }) => (a >= C ? 1 : 0) + (b >= C ? 1 : 0));
  const ready = waiting.flatMap((parts, m) => (parts === 0 ? [m] : []));
  const renamed = new Map<number, number>();
  const ordered: Merge[] = [];
  const bounds = new Float64Array(merges.length).fill(-Infinity);
  while (ready.length > 0) {
    const index = Math.log2(C - ordered.length - 1);
    const partOf = (m: number): number => {
      const { a, b, together } = merges[m]!;
      return pairPart(count[a]!, rank[a]!, count[b]!, rank[b]!, together, alpha, index);
    };
    // Parts rise as k falls, so what they were is a bound: only those below the best so far are worked out anew.
    let best = -1;
    for (let r = 0; r < ready.length; r++) {
      const m = ready[r]!;
      if (best >= 0 && bounds[m]! > bounds[ready[best]!]!) continue;
      bounds[m] = partOf(m);
      if (best < 0 || bounds[m]! < bounds[ready[best]!]!) best = r;
    }
    const [m] = ready.splice(best, 1) as [number];
    const { a, b, together } = merges[m]!;
    const [x, y] = [renamed.get(a) ?? a, renamed.get(b) ?? b];
    renamed.set(C + m, C + ordered.length);
    ordered.push({ a: Math.min(x, y), b: Math.max(x, y), together });
    const parent = parentOf.get(C + m);
    if (parent !== undefined && --waiting[parent]! === 0) ready.push(parent);
  }
  return { ...history, merges: ordered };
}
