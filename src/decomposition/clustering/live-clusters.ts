/**
 * The clusters as they are while merging goes on: who fires where, from both sides.
 *
 * For each cluster there is the sorted list of its positions, and for each position the list of clusters that fire there. The partners of a
 * cluster, those that fire at some position with it, are found by walking the lists of its positions: work in proportion to the firings
 * there, and pairs that never fire together are never looked at. Components are 0 to C - 1; the m-th merge makes cluster C + m.
 */
import { type Firings, firingCounts, firingsOf } from "./firings.ts";

export class LiveClusters {
  readonly positions: number;
  /** By cluster: how many positions it fires at, how many components it has, whether it is still there. */
  readonly count: Int32Array;
  readonly rank: Int32Array;
  readonly alive: Uint8Array;
  /** How many clusters there are. */
  k: number;
  /** Sums over clusters: of counts, and of counts times ranks. */
  total: number;
  carried: number;
  readonly #sets: (Int32Array | undefined)[];
  readonly #start: Int32Array;
  readonly #length: Int32Array;
  readonly #rows: Int32Array;
  readonly #shared: Int32Array;
  readonly #partners: Int32Array;
  #next: number;

  constructor(firings: Firings) {
    const C = firings.components.length;
    this.positions = firings.positions;
    this.count = new Int32Array(2 * C);
    this.count.set(firingCounts(firings));
    this.rank = new Int32Array(2 * C).fill(1, 0, C);
    this.alive = new Uint8Array(2 * C).fill(1, 0, C);
    this.k = C;
    this.#next = C;
    this.total = firings.at.length;
    this.carried = firings.at.length;
    this.#sets = Array.from({ length: C }, (_, c) => firingsOf(firings, c));
    this.#start = new Int32Array(firings.positions + 1);
    for (const p of firings.at) this.#start[p + 1]!++;
    for (let p = 0; p < firings.positions; p++) this.#start[p + 1]! += this.#start[p]!;
    this.#length = new Int32Array(firings.positions);
    this.#rows = new Int32Array(firings.at.length);
    for (let c = 0; c < C; c++) {
      for (const p of this.#sets[c]!) this.#rows[this.#start[p]! + this.#length[p]!++] = c;
    }
    this.#shared = new Int32Array(2 * C);
    this.#partners = new Int32Array(2 * C);
  }

  /** The clusters there are, rising. */
  ids(): number[] {
    return Array.from({ length: this.#next }, (_, i) => i).filter((i) => this.alive[i] === 1);
  }

  /**
   * Visits the clusters made before `below` that fire together with one.
   *
   * @param visit told the partner and at how many positions both fire
   */
  eachPartner(id: number, below: number, visit: (partner: number, together: number) => void): void {
    const [shared, partners, rows] = [this.#shared, this.#partners, this.#rows];
    let found = 0;
    for (const p of this.#sets[id]!) {
      const start = this.#start[p]!;
      const end = start + this.#length[p]!;
      for (let e = start; e < end; e++) {
        const other = rows[e]!;
        // A row's clusters stand in the order in which they were made.
        if (other >= below) break;
        if (shared[other]!++ === 0) partners[found++] = other;
      }
    }
    for (let f = 0; f < found; f++) {
      const other = partners[f]!;
      const together = shared[other]!;
      shared[other] = 0;
      if (other !== id) visit(other, together);
    }
  }

  /** At how many positions two fire together. */
  together(a: number, b: number): number {
    const [x, y] = [this.#sets[a]!, this.#sets[b]!];
    return x.length + y.length - unionSize(x, y);
  }

  /** Puts two clusters together; answers the new one. */
  merge(a: number, b: number): number {
    const [x, y] = [this.#sets[a]!, this.#sets[b]!];
    const set = union(x, y);
    const id = this.#next++;
    const rows = this.#rows;
    for (const p of set) {
      const start = this.#start[p]!;
      const end = start + this.#length[p]!;
      let to = start;
      for (let from = start; from < end; from++) {
        const other = rows[from]!;
        if (other !== a && other !== b) rows[to++] = other;
      }
      rows[to++] = id;
      this.#length[p] = to - start;
    }
    this.#sets[id] = set;
    this.#sets[a] = this.#sets[b] = undefined;
    this.alive[a] = this.alive[b] = 0;
    this.alive[id] = 1;
    this.count[id] = set.length;
    this.rank[id] = this.rank[a]! + this.rank[b]!;
    this.total += set.length - x.length - y.length;
    this.carried += set.length * this.rank[id] - this.count[a]! * this.rank[a]! - this.count[b]! * this.rank[b]!;
    this.k--;
    return id;
  }
}

function unionSize(x: Int32Array, y: Int32Array): number {
  let size = 0;
  for (let i = 0, j = 0; i < x.length || j < y.length; size++) {
    const [p, q] = [i < x.length ? x[i]! : Infinity, j < y.length ? y[j]! : Infinity];
    if (p <= q) i++;
    if (q <= p) j++;
  }
  return size;
}

function union(x: Int32Array, y: Int32Array): Int32Array {
  const merged = new Int32Array(x.length + y.length);
  let [i, j, size] = [0, 0, 0];
  while (i < x.length && j < y.length) {
    const [p, q] = [x[i]!, y[j]!];
    merged[size++] = p < q ? p : q;
    if (p <= q) i++;
    if (q <= p) j++;
  }
  while (i < x.length) merged[size++] = x[i++]!;
  while (j < y.length) merged[size++] = y[j++]!;
  // A copy, so that what both had does not stay reserved.
  return size === merged.length ? merged : merged.slice(0, size);
}
