/**
 * The cheapest merge of all, each time: greedy descent, exact, in memory that goes with the firings and not with pairs.
 *
 * Each pair belongs to the cluster of the two that was made later. For each cluster a heap holds a bound from below on the pair's part of ΔL
 * over the pairs that belong to it. Bounds go stale, and stay bounds: as k falls `log2(k-1)` falls, which raises every pair's
 * part, and clusters that are merged away only take pairs away; a new cluster's pairs belong to itself. So the cluster on top of the heap is
 * looked at anew until it stays on top, and then holds the cheapest pair that fires together. (Müllner 2011's generic algorithm has the same
 * idea for distances that do not change.) Pairs that never fire together are covered by `ApartPairs` without being looked at.
 */
import { ApartPairs, comesBefore, type CostedPair } from "./apart.ts";
import { pairPart } from "./cost.ts";
import { Heap } from "./heap.ts";
import type { LiveClusters } from "./live-clusters.ts";
import type { Merger } from "./merger.ts";
import type { Pace } from "./pace.ts";

export class Greedy implements Merger {
  readonly #clusters: LiveClusters;
  readonly #alpha: number;
  readonly #apart: ApartPairs;
  /** By cluster: the cheapest earlier partner when last looked at, the pair's part then, where both fire, and the next cheapest's part. */
  readonly #partner: Int32Array;
  readonly #part: Float64Array;
  readonly #together: Int32Array;
  readonly #others: Float64Array;
  /** With how many clusters there were it was last looked at. */
  readonly #seen: Int32Array;
  readonly #heap = new Heap((x, y) => this.#before(x, y));

  constructor(clusters: LiveClusters, alpha: number) {
    const size = clusters.count.length;
    this.#clusters = clusters;
    this.#alpha = alpha;
    this.#apart = new ApartPairs(clusters, alpha);
    this.#partner = new Int32Array(size);
    this.#part = new Float64Array(size);
    this.#together = new Int32Array(size);
    this.#others = new Float64Array(size);
    this.#seen = new Int32Array(size);
  }

  async prepare(pace: Pace): Promise<void> {
    const merges = this.#clusters.count.length / 2 - this.#clusters.k;
    for (const id of this.#clusters.ids()) {
      this.#look(id);
      if (this.#part[id]! < Infinity) this.#heap.push(id);
      if (pace.due) await pace.turn(merges);
    }
  }

  next(): CostedPair {
    const apart = this.#apart.cheapest();
    const index = Math.log2(this.#clusters.k - 1);
    const heap = this.#heap;
    for (;;) {
      const { top } = heap;
      if (top === undefined) return apart;
      if (this.#clusters.alive[top] === 0) {
        heap.pop();
        continue;
      }
      const pair = { a: this.#partner[top]!, b: top, part: this.#part[top]! };
      // Its bound is no better than what is certain: neither is anything below it.
      if (comesBefore(apart, pair)) return apart;
      if (this.#seen[top] === this.#clusters.k) return pair;
      this.#refresh(top, index);
      if (this.#part[top] === Infinity) heap.pop();
      else heap.settle();
    }
  }

  merged(id: number): void {
    this.#apart.add(id);
    this.#look(id);
    if (this.#part[id]! < Infinity) this.#heap.push(id);
  }

  /** A cluster's cheapest pair as it is now. The one it had is still the cheapest if it is cheaper than the others ever were. */
  #refresh(id: number, index: number): void {
    const { count, rank, alive } = this.#clusters;
    const partner = this.#partner[id]!;
    if (alive[partner] === 1) {
      const together = this.#together[id]!;
      const part = pairPart(count[id]!, rank[id]!, count[partner]!, rank[partner]!, together, this.#alpha, index);
      if (part < this.#others[id]!) {
        this.#part[id] = part;
        this.#seen[id] = this.#clusters.k;
        return;
      }
    }
    this.#look(id);
  }

  /** Looks at all of a cluster's pairs. */
  #look(id: number): void {
    const { count, rank, k } = this.#clusters;
    const alpha = this.#alpha;
    const index = Math.log2(k - 1);
    const [ownCount, ownRank] = [count[id]!, rank[id]!];
    let [best, bestPartner, bestTogether, others] = [Infinity, -1, 0, Infinity];
    this.#clusters.eachPartner(id, id, (partner, together) => {
      const part = pairPart(ownCount, ownRank, count[partner]!, rank[partner]!, together, alpha, index);
      if (part < best || (part === best && partner < bestPartner)) {
        others = best;
        [best, bestPartner, bestTogether] = [part, partner, together];
      } else if (part < others) others = part;
    });
    this.#part[id] = best;
    this.#partner[id] = bestPartner;
    this.#together[id] = bestTogether;
    this.#others[id] = others;
    this.#seen[id] = k;
  }

  #before(x: number, y: number): boolean {
    const part = this.#part;
    if (part[x] !== part[y]) return part[x]! < part[y]!;
    const partner = this.#partner;
    return partner[x] === partner[y] ? x < y : partner[x]! < partner[y]!;
  }
}
