/** From one cluster a component down to one for all. */
import type { Key } from "../../tensor/index.ts";
import { MechanistError } from "../../error.ts";
import { type Firings, firingCounts } from "./firings.ts";
import { Greedy } from "./greedy.ts";
import { LiveClusters } from "./live-clusters.ts";
import type { Merge, MergeHistory } from "./merge-history.ts";
import type { Merger } from "./merger.ts";
import { inOrderOfCost, NearestNeighbourChain } from "./nearest-neighbour-chain.ts";
import { Pace, type PaceOptions } from "./pace.ts";
import { Sampler } from "./samplers.ts";
import type { SamplerChoice } from "./settings.ts";

/** What is to be merged, and how. */
export interface MergeSubject {
  /** Of components that fire at least once. */
  readonly firings: Firings;
  /** Bits for each rank-one piece that is carried. */
  readonly alpha: number;
  readonly sampler: SamplerChoice;
  readonly key: Key;
}

/** Where merging stopped. */
export interface PartialMerges {
  /** In the order in which they were made. */
  readonly merges: readonly Merge[];
  /** Of `chain`: the chain as it was. */
  readonly chain?: readonly number[];
}

export interface MergeOptions extends PaceOptions {
  readonly resume?: PartialMerges;
  /** Called now and then, and before it throws because the signal aborted. */
  readonly onPartial?: (partial: PartialMerges) => void | Promise<void>;
}

const PARTIAL_EVERY = 10_000; // ms

/**
 * Merges until one cluster is left. What comes of a resumed run is what would have come without the stop.
 *
 * @throws `Cancelled` when the signal aborts, after `onPartial`
 */
export async function mergeAll(subject: MergeSubject, options: MergeOptions = {}): Promise<MergeHistory> {
  const { firings, alpha, sampler } = subject;
  const clusters = new LiveClusters(firings);
  const C = firings.components.length;
  const merges: Merge[] = [];
  const put = ({ a, b }: { readonly a: number; readonly b: number }): number => {
    const id = clusters.merge(a, b);
    merges.push({ a, b, together: clusters.count[a]! + clusters.count[b]! - clusters.count[id]! });
    return id;
  };
  for (const { a, b, together } of options.resume?.merges ?? []) {
    const fits = clusters.alive[a] === 1 && clusters.alive[b] === 1 && a < b;
    if (!fits || clusters.together(a, b) !== together) {
      const got = `${a} and ${b} at ${together} positions`;
      throw new MechanistError("BadFile", `cluster: expected merges of these firings, got ${got}`);
    }
    put({ a, b });
  }
  const pace = new Pace("cluster", merges.length, Math.max(1, C - 1), options);
  const merger = mergerOf(subject, clusters, options.resume?.chain);
  const partial = (): PartialMerges => ({
    merges: [...merges],
    ...(merger instanceof NearestNeighbourChain && { chain: [...merger.chain] }),
  });
  let saved = performance.now();
  try {
    await merger.prepare(pace);
    while (clusters.k > 1) {
      merger.merged(put(merger.next(merges.length)));
      if (pace.due) {
        await pace.turn(merges.length, { clusters: clusters.k });
        if (performance.now() - saved > PARTIAL_EVERY) {
          await options.onPartial?.(partial());
          saved = performance.now();
        }
      }
    }
  } catch (error) {
    await options.onPartial?.(partial());
    throw error;
  }
  const history = { positions: firings.positions, alpha, counts: [...firingCounts(firings)], merges };
  return sampler.name === "chain" ? inOrderOfCost(history) : history;
}

function mergerOf({ alpha, sampler, key }: MergeSubject, clusters: LiveClusters, chain?: readonly number[]): Merger {
  if ("number" in sampler) return new Sampler(clusters, alpha, sampler.name, sampler.number, key);
  return sampler.name === "greedy" ? new Greedy(clusters, alpha) : new NearestNeighbourChain(clusters, alpha, chain);
}
