/** Tables of effects: what was done, on what, measured how, and one row for each intervention with its examples. */
import { foldIn, type Key, keyFromSeed } from "../tensor/index.ts";
import { bootstrap, type Interval, meanOfNumbers, RESAMPLES } from "./bootstrap.ts";
import { type Metric, recoveredFraction } from "./metrics.ts";
import type { Selection } from "./selection.ts";
import type { Reference, Source, SourceKind } from "./sources.ts";

/** Which way a patch goes: `denoise` puts values of the clean run into the corrupted one, `noise` the other way. */
export type Direction = "denoise" | "noise";

export interface EffectRow {
  /** What was intervened on at once. */
  readonly selections: readonly Selection[];
  readonly n: number;
  /** The mean change of the metric. */
  readonly mean: number;
  /** Of the mean, over examples; none for a single example. */
  readonly interval: Interval | null;
  /** The change of each example: with the intervention, less without. */
  readonly perExample: readonly number[];
  /** For a patch: how far the mean has gone from the one run to the other, 0 to 1; none where the runs do not differ. */
  readonly recovered?: number | null;
}

export interface EffectTable<Row extends EffectRow = EffectRow> {
  readonly kind: SourceKind;
  /** The data that stand-ins came from; none where no data are involved. */
  readonly reference: Reference | null;
  readonly description: string;
  /** Only for patches. */
  readonly direction: Direction | null;
  /** The examples that were intervened on. */
  readonly examples: string;
  readonly n: number;
  readonly metric: Pick<Metric, "name" | "unit" | "meaning">;
  readonly interval: string;
  /** The metric of each example without intervention. */
  readonly baseline: readonly number[];
  /** For a patch: the metric of each example in the run that values are taken from. */
  readonly source: readonly number[] | null;
  readonly rows: readonly Row[];
}

export const INTERVAL_METHOD: string = `95 %, of the mean over examples, by ${RESAMPLES} bootstrap resamples of the examples`;

/** Where draws for intervals come from unless a caller says otherwise. */
export const INTERVAL_KEY: Key = foldIn(keyFromSeed(0), "bootstrap");

/** What a table is told beside what was measured. */
export interface Tabled {
  /** Of a patch. */
  readonly direction?: Direction;
  /** Of a patch: the metric of each example in the run that values are taken from. */
  readonly target?: readonly number[];
  /** Where the draws of intervals come from. */
  readonly key?: Key | undefined;
}

/** One table from what was measured. */
export function effectTable(
  what: Tabled & {
    readonly source: Source;
    readonly examples: string;
    readonly metric: Metric;
    readonly baseline: readonly number[];
    readonly changed: readonly (readonly number[])[];
    readonly variants: readonly (readonly Selection[])[];
  },
): EffectTable {
  const { source, metric, baseline, target } = what;
  const n = baseline.length;
  const intervalOf = bootstrap(what.key ?? INTERVAL_KEY, n);
  const [from, to] = [meanOfNumbers(baseline), target === undefined ? undefined : meanOfNumbers(target)];
  return {
    kind: source.kind,
    reference: source.reference,
    description: source.description,
    direction: what.direction ?? null,
    examples: what.examples,
    n,
    metric: { name: metric.name, unit: metric.unit, meaning: metric.meaning },
    interval: INTERVAL_METHOD,
    baseline,
    source: target ?? null,
    rows: what.changed.map((numbers, i) => {
      const perExample = numbers.map((x, e) => x - baseline[e]!);
      const mean = meanOfNumbers(perExample);
      return {
        selections: what.variants[i]!,
        n,
        mean,
        interval: intervalOf(perExample),
        perExample,
        ...(to !== undefined && { recovered: recoveredFraction(from + mean, from, to) }),
      };
    }),
  };
}
