/**
 * The cheapest pair of all if none fired together.
 *
 * For two clusters that never fire together the pair's part of ΔL is `α (r_j s_i + r_i s_j)`, which knows nothing of where they fire; for
 * two that do it is lower than that. So the least over all pairs is the lesser of the least over pairs that fire together and the
 * least of this formula over all pairs whatever: should the latter's pair fire together after all, the former is lower still. And among
 * clusters of one rank only the rarest can be in the cheapest pair, so that pairs of ranks are compared, not pairs of clusters.
 */
import { Heap } from "./heap.ts";
import type { LiveClusters } from "./live-clusters.ts";

/** Two clusters, the one made earlier first, with what merging them costs in the pair's part of ΔL. */
export interface CostedPair {
  readonly a: number;
  readonly b: number;
  readonly part: number;
}

export class ApartPairs {
  readonly #clusters: LiveClusters;
  readonly #alpha: number;
  /** By rank, clusters in a heap, the rarest on top; those that are gone are dropped when they come up. */
  readonly #byRank = new Map<number, Heap>();

  constructor(clusters: LiveClusters, alpha: number) {
    this.#clusters = clusters;
    this.#alpha = alpha;
    for (const id of clusters.ids()) this.add(id);
  }

  /** Takes note of a new cluster. */
  add(id: number): void {
    const rank = this.#clusters.rank[id]!;
    const heap = this.#byRank.get(rank) ?? new Heap((x, y) => this.#rarer(x, y));
    this.#byRank.set(rank, heap);
    heap.push(id);
  }

  /** The cheapest pair by the formula; ties go to the pair made earlier. Needs two clusters. */
  cheapest(): CostedPair {
    const heads: { rank: number; first: number; second: number | undefined }[] = [];
    for (const [rank, heap] of this.#byRank) {
      const first = this.#pop(heap);
      if (first === undefined) {
        this.#byRank.delete(rank);
        continue;
      }
      const second = this.#pop(heap);
      if (second !== undefined) heap.push(second);
      heap.push(first);
      heads.push({ rank, first, second });
    }
    let best: CostedPair | undefined;
    const consider = (x: number, y: number): void => {
      const pair = this.#costed(x, y);
      if (best === undefined || comesBefore(pair, best)) best = pair;
    };
    heads.forEach(({ first, second }, i) => {
      if (second !== undefined) consider(first, second);
      for (let j = 0; j < i; j++) consider(first, heads[j]!.first);
    });
    return best!;
  }

  /** The cheapest partner for one cluster by the formula; there must be another. */
  cheapestFor(id: number): CostedPair {
    let best: CostedPair | undefined;
    for (const heap of this.#byRank.values()) {
      let first = this.#pop(heap);
      if (first === undefined) continue;
      const own = first === id;
      const other = own ? this.#pop(heap) : first;
      if (own) heap.push(first);
      if (other === undefined) continue;
      heap.push((first = other));
      const pair = this.#costed(id, first);
      if (best === undefined || comesBefore(pair, best)) best = pair;
    }
    return best!;
  }

  #costed(x: number, y: number): CostedPair {
    const { count, rank } = this.#clusters;
    const part = this.#alpha * (rank[y]! * count[x]! + rank[x]! * count[y]!);
    return { a: Math.min(x, y), b: Math.max(x, y), part };
  }

  #rarer(x: number, y: number): boolean {
    const { count } = this.#clusters;
    return count[x]! < count[y]! || (count[x] === count[y] && x < y);
  }

  /** The rarest that is still there, taken out. */
  #pop(heap: Heap): number | undefined {
    for (;;) {
      const top = heap.pop();
      if (top === undefined || this.#clusters.alive[top] === 1) return top;
    }
  }
}

/** Whether a pair is cheaper, or as cheap and made earlier. */
export function comesBefore(x: CostedPair, y: CostedPair): boolean {
  return x.part < y.part || (x.part === y.part && (x.a < y.a || (x.a === y.a && x.b < y.b)));
}
