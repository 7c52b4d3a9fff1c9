/** What components do on data, on average: how much each matters, and with which sign it usually passes something on. */
import { ALIVE_MEAN } from "../decomposition/decomposition.ts";
import { type NamedValues, values } from "../engine/index.ts";
import { axisSize, foldIn, type Key, keyFromSeed, sum, type Tensor } from "../tensor/index.ts";
import type { EditData } from "./edit-effects.ts";
import { cutRun } from "./masked-run.ts";
import { prepare, type WorkOptions } from "./program.ts";
import { hasPositions, type RankOneDecomposition } from "./subject.ts";

export interface DataMeans {
  /** Positions of all examples. */
  readonly n: number;
  readonly examples: number;
  /** Mean importance, `C` by site. */
  readonly importance: NamedValues;
  /** The sign of what it passes on, summed: 1 or -1, `C` by site. */
  readonly signs: NamedValues;
}

/** Of the draws of data: whoever is asked about the same data sees the same examples. */
export const dataKey = ({ seed = 0 }: EditData): Key => foldIn(keyFromSeed(seed), "dataset attribution");

/** Means over data, in runs masked by importances. */
export async function dataMeans(
  subject: RankOneDecomposition,
  data: EditData,
  options: WorkOptions = {},
): Promise<DataMeans> {
  const importances = subject.activity(data.x);
  const { passed } = cutRun(subject, data.x, importances);
  const totals = (prefix: string, of: Readonly<Record<string, Tensor>>): Record<string, Tensor> =>
    Object.fromEntries(Object.entries(of).map(([site, t]) => [`${prefix}/${site}`, sum(t, "batch") as Tensor]));
  const program = await prepare({ ...totals("g", importances), ...totals("q", passed) }, options);
  const key = dataKey(data);
  const sums = new Map<string, Float64Array>();
  try {
    for (let b = 0; b < data.batches; b++) {
      options.signal?.throwIfAborted();
      const found: NamedValues = await program.run({ ...subject.values, ...data.feeds }, foldIn(key, b));
      for (const [name, { data: part }] of Object.entries(found)) {
        const into = sums.get(name) ?? new Float64Array(part.length);
        sums.set(name, into);
        for (let c = 0; c < part.length; c++) into[c]! += part[c]!;
      }
      options.onProgress?.(b + 1, data.batches);
    }
  } finally {
    await program.dispose();
  }
  const examples = data.x.shape[0]! * data.batches;
  const n = hasPositions(subject) ? examples * axisSize(data.x, "pos") : examples;
  const told = (prefix: string, as: (total: number) => number): NamedValues =>
    Object.fromEntries(
      subject.sites.map(({ name }) => {
        const total = sums.get(`${prefix}/${name}`)!;
        return [name, values("C", [total.length], total.map(as))];
      }),
    );
  return { n, examples, importance: told("g", (total) => total / n), signs: told("q", (q) => (q < 0 ? -1 : 1)) };
}

/** The components that matter on data at all, of one site, the most important first. */
export function aliveOnData({ importance }: Pick<DataMeans, "importance">, site: string): number[] {
  const means = importance[site]!.data;
  return [...means.keys()].filter((c) => means[c]! > ALIVE_MEAN).sort((a, b) => means[b]! - means[a]!);
}
