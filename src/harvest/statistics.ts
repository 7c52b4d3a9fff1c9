/**
 * What counts of two events say of each other. Names say the direction, because "precision" and "recall" do not: one event's precision is
 * the other's recall.
 *
 * With n positions, a at n_a of them, b at n_b and both at n_ab:
 *
 *   P(b|a) = n_ab / n_a      P(a|b) = n_ab / n_b      Jaccard = n_ab / (n_a + n_b - n_ab)
 *   lift   = P(b|a) / P(b) = n_ab n / (n_a n_b)       PMI     = ln lift, in nats
 *
 * Lift and PMI compare with events that know nothing of each other: 1 and 0. Both are large by chance where counts are small.
 */

/** Counts of two events among the same positions. Sums of probabilities may stand in for counts. */
export interface JointCounts {
  readonly a: number;
  readonly b: number;
  readonly both: number;
  readonly n: number;
}

export interface Association {
  readonly pBGivenA: number;
  readonly pAGivenB: number;
  readonly jaccard: number;
  readonly lift: number;
  /** Nats; minus infinity where they never meet. */
  readonly pmi: number;
}

/** All of them at once; NaN where an event never happened. */
export function association({ a, b, both, n }: JointCounts): Association {
  const lift = (both / a) * (n / b);
  return { pBGivenA: both / a, pAGivenB: both / b, jaccard: both / (a + b - both), lift, pmi: Math.log(lift) };
}

/**
 * How much of the divergence between b's distribution where a happens and b's at all positions is this b's: P(b|a) ln lift, in nats. It is
 * what lists of tokens are ordered by: high where a token is both common there and more common than elsewhere, so that a token seen once
 * does not come first.
 */
export function divergenceShare({ a, b, both, n }: JointCounts): number {
  return both === 0 ? 0 : (both / a) * Math.log((both / a) * (n / b));
}
