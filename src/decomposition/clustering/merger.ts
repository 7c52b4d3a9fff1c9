/** What decides which two clusters are merged next. */
import type { Pace } from "./pace.ts";

export interface Merger {
  /** Looks at the clusters as they are. */
  prepare(pace: Pace): Promise<void>;
  /** The pair to merge, the one made earlier first; `step` merges were made so far. Needs two clusters. */
  next(step: number): { readonly a: number; readonly b: number };
  /** Is told the cluster that the pair became. */
  merged(id: number): void;
}
