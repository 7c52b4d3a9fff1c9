/**
 * What it costs to say which clusters of subcomponents are active, in bits a position (minimum description length, VPD repository):
 *
 *   L = Σ_i s_i (log2 k + α r_i)
 *
 * with k clusters, `s_i` the rate at which cluster i fires and `r_i` its rank, the number of rank-one members. Each firing is paid for by
 * the index of the cluster among k and by α for each rank-one piece that is carried along.
 *
 * A cluster fires where at least one of its members does: **OR**. The paper writes the rate of two together with the sign for AND; taken
 * so, a cluster would fire ever more rarely as it grows and everything would merge for nothing. `s_ij` here is the rate at which both fire,
 * and the rate of the merged cluster is `s_i + s_j - s_ij`. Merging i and j changes the cost by
 *
 *   ΔL = (S - s_i - s_j) log2((k-1)/k) + s_OR log2(k-1) - s_i log2 k - s_j log2 k + α (s_OR (r_i + r_j) - s_i r_i - s_j r_j)
 *
 * with S the sum of rates, which is the same as
 *
 *   ΔL = S log2((k-1)/k) + α (r_j (s_i - s_ij) + r_i (s_j - s_ij)) - s_ij log2(k-1)
 *
 * The first term, never positive, is the same for every pair: shorter indices for all. The rest, here the pair's part, decides which pair is
 * merged. For two that never fire together it is `α (r_j s_i + r_i s_j) > 0`: such a pair pays for itself by the shared term alone, if at all.
 *
 * All functions are homogeneous in the rates: given counts of positions instead, they answer in bits over all of those.
 */

/** One cluster: how often it fires, and how many rank-one members it has. */
export interface ClusterCost {
  readonly rate: number;
  readonly rank: number;
}

/** L: bits a position where rates are per position. */
export function descriptionLength(clusters: readonly ClusterCost[], alpha: number): number {
  const index = Math.log2(clusters.length);
  return clusters.reduce((sum, { rate, rank }) => sum + rate * (index + alpha * rank), 0);
}

/** The part of ΔL that differs from pair to pair. `together` is `s_ij`; `index` is `log2(k-1)`. */
export function pairPart(
  rateA: number,
  rankA: number,
  rateB: number,
  rankB: number,
  together: number,
  alpha: number,
  index: number,
): number {
  return alpha * (rankB * (rateA - together) + rankA * (rateB - together)) - together * index;
}

/** The part of ΔL that all pairs share: `S log2((k-1)/k)`. */
export function sharedPart(total: number, k: number): number {
  return total * Math.log2((k - 1) / k);
}

/**
 * ΔL of merging two of `k` clusters.
 *
 * @param together the rate at which both fire
 * @param total    S, the sum of all clusters' rates before
 */
export function mergeChange(
  a: ClusterCost,
  b: ClusterCost,
  together: number,
  { k, total, alpha }: { readonly k: number; readonly total: number; readonly alpha: number },
): number {
  return sharedPart(total, k) + pairPart(a.rate, a.rank, b.rate, b.rank, together, alpha, Math.log2(k - 1));
}
