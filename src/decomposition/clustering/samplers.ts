/**
 * Merging by chance, as published (VPD repository): the pair is drawn instead of being the cheapest, so that ensembles of clusterings differ
 * by more than their data.
 *
 * - `range`: any of the pairs whose ΔL lies within a fraction of the way from the least to the greatest, each as likely;
 * - `mcmc`: any pair, as likely as `exp(-ΔL / T)`;
 * - `exp-rank`: the pair of rank q in the order of ΔL, from 0, as likely as `exp(-γ q)`.
 *
 * Each looks at all pairs at each merge, `C³/6` of them in all, and keeps how often any two fire together.
 */
import { foldIn, type Key, randomBits } from "../../tensor/index.ts";
import { pairPart } from "./cost.ts";
import type { LiveClusters } from "./live-clusters.ts";
import type { Merger } from "./merger.ts";
import type { Pace } from "./pace.ts";

export type SamplerName = "range" | "mcmc" | "exp-rank";

/** What a sampler's number is: the published ones, and for `mcmc` ours, bits a position. */
export const SAMPLER_DEFAULTS: Readonly<Record<SamplerName, number>> = {
  range: 0.05,
  mcmc: 0.001,
  "exp-rank": 0.2,
};

/** Bytes beside the firings: 4 for any two, both ways round, and twice 8 for each pair while it is being chosen. */
export function samplerBytes(components: number): number {
  return 12 * components ** 2;
}

export class Sampler implements Merger {
  readonly #clusters: LiveClusters;
  readonly #alpha: number;
  readonly #name: SamplerName;
  readonly #number: number;
  readonly #key: Key;
  readonly #size: number;
  /** At how many positions the clusters in two slots fire together, both ways round. */
  readonly #together: Int32Array;
  /** The clusters there are, rising, and the slot of each. */
  #ids: number[] = [];
  readonly #slots: Int32Array;
  #pair: readonly [number, number] = [0, 0];

  constructor(clusters: LiveClusters, alpha: number, name: SamplerName, number: number, key: Key) {
    this.#clusters = clusters;
    this.#alpha = alpha;
    this.#name = name;
    this.#number = number;
    this.#key = key;
    this.#size = clusters.k;
    this.#together = new Int32Array(clusters.k ** 2);
    this.#slots = new Int32Array(clusters.count.length);
  }

  async prepare(pace: Pace): Promise<void> {
    const merges = this.#clusters.count.length / 2 - this.#clusters.k;
    this.#ids = this.#clusters.ids();
    this.#ids.forEach((id, slot) => (this.#slots[id] = slot));
    for (const id of this.#ids) {
      this.#fill(id);
      if (pace.due) await pace.turn(merges);
    }
  }

  next(step: number): { a: number; b: number } {
    const key = foldIn(this.#key, step);
    const parts = this.#parts();
    const at =
      this.#name === "range"
        ? withinRange(parts, this.#number, chance(key))
        : this.#name === "mcmc"
          ? byWeight(parts, this.#number * this.#clusters.positions, chance(key))
          : byRank(parts, Math.floor(-Math.log(1 - chance(key)) / this.#number));
    // The pair at place b (b - 1) / 2 + a, with a < b.
    let y = Math.floor((1 + Math.sqrt(1 + 8 * at)) / 2);
    while ((y * (y - 1)) / 2 > at) y--;
    while (((y + 1) * y) / 2 <= at) y++;
    const x = at - (y * (y - 1)) / 2;
    this.#pair = [this.#ids[x]!, this.#ids[y]!];
    return { a: this.#pair[0], b: this.#pair[1] };
  }

  merged(id: number): void {
    const [a, b] = this.#pair;
    this.#ids = this.#ids.filter((other) => other !== a && other !== b);
    this.#ids.push(id);
    this.#slots[id] = this.#slots[a]!;
    this.#fill(id);
  }

  #fill(id: number): void {
    const [size, slot] = [this.#size, this.#slots[id]!];
    this.#together.fill(0, slot * size, (slot + 1) * size);
    for (let other = 0; other < size; other++) this.#together[other * size + slot] = 0;
    this.#clusters.eachPartner(id, Infinity, (partner, together) => {
      const place = this.#slots[partner]!;
      this.#together[slot * size + place] = together;
      this.#together[place * size + slot] = together;
    });
  }

  /** The pair's part of ΔL for every pair, over all positions. */
  #parts(): Float64Array {
    const { count, rank, k } = this.#clusters;
    const parts = new Float64Array((k * (k - 1)) / 2);
    const index = Math.log2(k - 1);
    let at = 0;
    for (let y = 1; y < k; y++) {
      const b = this.#ids[y]!;
      const row = this.#slots[b]! * this.#size;
      for (let x = 0; x < y; x++) {
        const a = this.#ids[x]!;
        const together = this.#together[row + this.#slots[a]!]!;
        parts[at++] = pairPart(count[a]!, rank[a]!, count[b]!, rank[b]!, together, this.#alpha, index);
      }
    }
    return parts;
  }
}

/** U[0, 1) with 53 bits: there may be more pairs than 24 bits tell apart. */
function chance(key: Key): number {
  const [high, low] = randomBits(key, 2) as unknown as [number, number];
  return ((high >>> 5) * 67_108_864 + (low >>> 6)) / 2 ** 53;
}

function withinRange(parts: Float64Array, fraction: number, u: number): number {
  let [least, most] = [Infinity, -Infinity];
  for (const part of parts) {
    if (part < least) least = part;
    if (part > most) most = part;
  }
  const bound = least + fraction * (most - least);
  let within = 0;
  for (const part of parts) if (part <= bound) within++;
  let left = Math.floor(u * within);
  return parts.findIndex((part) => part <= bound && left-- === 0);
}

function byWeight(parts: Float64Array, temperature: number, u: number): number {
  let least = Infinity;
  for (const part of parts) if (part < least) least = part;
  const weights = parts.map((part) => Math.exp((least - part) / temperature));
  let left = u * weights.reduce((a, b) => a + b, 0);
  const at = weights.findIndex((weight) => (left -= weight) < 0);
  // Rounding may leave a little over at the end.
  return at >= 0 ? at : weights.length - 1;
}

/** Where the number of a rank stands, ranks counted from 0; of equals, those that stand earlier come first. */
function byRank(parts: Float64Array, asked: number): number {
  const wanted = Math.min(asked, parts.length - 1) + 1;
  const least: number[] = [];
  for (let at = 0; at < parts.length; at++) {
    if (least.length === wanted && parts[at]! >= parts[least.at(-1)!]!) continue;
    let place = least.length;
    while (place > 0 && parts[least[place - 1]!]! > parts[at]!) place--;
    least.splice(place, 0, at);
    if (least.length > wanted) least.pop();
  }
  return least.at(-1)!;
}
