/** What a head looks at, as one number a head, from attention patterns `batch head query key` (Olsson et al. 2022). */
import type { Values } from "../../engine/index.ts";

/** The keys that a query should look at; none where the query does not count. */
export type Sources = (row: number, query: number) => readonly number[];

/**
 * How much of each head's attention goes where it should: for each query the sum over the keys it should look at, then the mean over the
 * queries that count. On sequences that repeat themselves this is the prefix-matching score, where the keys are the tokens
 * that followed the present one in each earlier copy: 1 for a perfect induction head.
 *
 * @param pattern `batch head query key`
 */
export function attentionScores(pattern: Values, sources: Sources): number[] {
  const [batch, heads, queries, keys] = pattern.shape as [number, number, number, number];
  const totals = Array.from({ length: heads }, () => 0);
  let count = 0;
  for (let row = 0; row < batch; row++) {
    for (let query = 0; query < queries; query++) {
      const wanted = sources(row, query);
      if (wanted.length > 0) count++;
      for (const key of wanted) {
        for (let head = 0; head < heads; head++) {
          totals[head]! += pattern.data[((row * heads + head) * queries + query) * keys + key]!;
        }
      }
    }
  }
  return totals.map((total) => total / count);
}

/** The key before each query: what a previous-token head looks at. */
export const previousToken: Sources = (_, query) => (query === 0 ? [] : [query - 1]);

/** What a head that looks at all it can see alike scores: chance. */
export function uniformScore(rows: number, queries: number, sources: Sources): number {
  let [total, count] = [0, 0];
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < queries; query++) {
      const wanted = sources(row, query).length;
      total += wanted / (query + 1);
      if (wanted > 0) count++;
    }
  }
  return total / count;
}
