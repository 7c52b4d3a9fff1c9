/**
 * How many components matter: on an input (L0), and at all (alive). Both depend on the threshold above which an importance counts, so each is
 * given at several (VPD repository, `CI_L0` and `CIActiveCounts`).
 */
import { ALIVE_MEAN } from "../decomposition/decomposition.ts";
import type { NamedValues } from "../engine/index.ts";

/** Above which an importance counts, by name. */
const THRESHOLDS = { above0: 0, above0p01: 0.01, above0p1: 0.1 } as const;

/** A number for each threshold. */
export type ByThreshold = Readonly<Record<keyof typeof THRESHOLDS, number>>;

/** One site's counts on the data. */
export interface SiteCounts {
  /** Components above each threshold on an input, mean over the data. */
  readonly l0: ByThreshold;
  /** Components above each threshold on some input of the data. */
  readonly alive: ByThreshold;
  /** Components with mean importance above 1e-6. */
  readonly aliveMean: number;
  /** Components whose importance is above 0.99 on every input of the data. */
  readonly allOn: number;
  /** The largest importance on the data, and the smallest. */
  readonly highest: number;
  readonly lowest: number;
}

interface Running {
  rows: number;
  readonly count: number;
  readonly above: Record<keyof ByThreshold, number>;
  readonly sum: Float64Array;
  readonly highest: Float64Array;
  readonly lowest: Float64Array;
}

/** An importance from here on counts as 1. */
const WHOLE = 0.99;

/** Counts batch by batch. */
export class ImportanceCounts {
  readonly #sites = new Map<string, Running>();

  /** @param importances `C batch` for each site */
  add(importances: NamedValues): void {
    for (const [site, { data, shape }] of Object.entries(importances)) {
      const [count, rows] = shape as [number, number];
      const running = this.#sites.get(site) ?? empty(count);
      this.#sites.set(site, running);
      running.rows += rows;
      for (let c = 0; c < count; c++) {
        for (let i = 0; i < rows; i++) {
          const g = data[c * rows + i]!;
          running.sum[c]! += g;
          if (g > running.highest[c]!) running.highest[c] = g;
          if (g < running.lowest[c]!) running.lowest[c] = g;
          for (const [name, threshold] of NAMED) if (g > threshold) running.above[name]++;
        }
      }
    }
  }

  /** The counts so far, by site. */
  counts(): Readonly<Record<string, SiteCounts>> {
    return Object.fromEntries(Array.from(this.#sites, ([site, running]) => [site, countsOf(running)]));
  }
}

function empty(count: number): Running {
  return {
    rows: 0,
    count,
    above: byThreshold(() => 0),
    sum: new Float64Array(count),
    highest: new Float64Array(count).fill(-Infinity),
    lowest: new Float64Array(count).fill(Infinity),
  };
}

function countsOf({ rows, above, sum, highest, lowest }: Running): SiteCounts {
  return {
    l0: byThreshold((name) => above[name] / rows),
    alive: byThreshold((name) => highest.filter((g) => g > THRESHOLDS[name]).length),
    aliveMean: sum.filter((total) => total / rows > ALIVE_MEAN).length,
    allOn: lowest.filter((g) => g > WHOLE).length,
    highest: highest.reduce((a, b) => Math.max(a, b), -Infinity),
    lowest: lowest.reduce((a, b) => Math.min(a, b), Infinity),
  };
}

const NAMED = Object.entries(THRESHOLDS) as [keyof ByThreshold, number][];

/** Makes a number for each threshold. */
export function byThreshold(f: (threshold: keyof ByThreshold) => number): Record<keyof ByThreshold, number> {
  return Object.fromEntries(NAMED.map(([name]) => [name, f(name)])) as Record<keyof ByThreshold, number>;
}
