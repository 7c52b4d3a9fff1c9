/**
 * Where components fire on a network's own data, batch by batch: at each position those whose importance, the one that masks are made of (the lower
 * of the two leaky hard sigmoids), exceeds the threshold τ. The published pipeline takes the upper one and marks that as unclear; below 1
 * the two agree, so for a threshold below 1 nothing differs.
 */
import { MechanistError } from "../../error.ts";
import { compile, type CompileOptions, type NamedValues } from "../../engine/index.ts";
import { axisSize, foldIn, type Key, sizesOf, type Tensor } from "../../tensor/index.ts";
import type { Decomposition } from "../decomposition.ts";
import { appendFirings, type Firings } from "./firings.ts";
import { Pace, type PaceOptions } from "./pace.ts";

/** Whose components, and on what data. */
export interface SampleSubject {
  readonly decomposition: Decomposition;
  /** A batch of inputs, as a program of draws and tables. */
  readonly batch: (size: number) => Tensor;
  /** The tables that it reads. */
  readonly tables?: NamedValues;
}

export interface SampleOptions extends PaceOptions, CompileOptions {
  /** What was looked at before it was stopped. */
  readonly resume?: Firings;
  /** Is told after the first batch how many firings there will be; may throw. */
  readonly onEstimate?: (firings: number) => void;
  /** Called when the signal aborts. */
  readonly onPartial?: (firings: Firings) => void | Promise<void>;
}

/** At most this many importances in a batch: 16 MiB of them. */
const BATCH_NUMBERS = 4_194_304;
const MOST_EXAMPLES = 1024;

/**
 * Firings at the first `positions` positions of the data that a key draws.
 *
 * @throws `Cancelled` when the signal aborts, after `onPartial`
 */
export async function sampleFirings(
  { decomposition, batch, tables = {} }: SampleSubject,
  { positions, threshold, key }: { readonly positions: number; readonly threshold: number; readonly key: Key },
  options: SampleOptions = {},
): Promise<Firings> {
  const components = decomposition.components.map(({ address }) => address);
  const sites = [...new Set(decomposition.components.map(({ site }) => site))];
  const perExample = sizesOf(batch(1)).pos ?? 1;
  const examples = batchSize(perExample, components.length, positions);
  const x = batch(examples);
  const activity = decomposition.activity(x);
  const rows = axisSize(activity[sites[0]!]!, "batch");
  const program = await compile(Object.fromEntries(sites.map((site) => [site, activity[site]!])), options);
  const parts: Firings[] = options.resume === undefined ? [] : [options.resume];
  const reached = (): number => parts.reduce((sum, part) => sum + part.positions, 0);
  const pace = new Pace("sample", reached(), positions, options);
  try {
    for (let i = Math.round(reached() / rows); reached() < positions; i++) {
      const found: NamedValues = await program.run({ ...decomposition.values, ...tables }, foldIn(key, i));
      const kept = Math.min(rows, positions - reached());
      parts.push(
        firingsAbove(
          threshold,
          components,
          sites.map((site) => found[site]!.data),
          rows,
          kept,
        ),
      );
      if (parts.length === 1) options.onEstimate?.((parts[0]!.at.length / kept) * positions);
      if (pace.due) await pace.turn(reached());
    }
    return appendFirings(parts);
  } catch (error) {
    if (error instanceof MechanistError && error.code === "Cancelled" && parts.length > 0) {
      await options.onPartial?.(appendFirings(parts));
    }
    throw error;
  } finally {
    await program.dispose();
  }
}

/** How many examples a batch has: enough to keep a processor busy, no more than memory should hold. */
function batchSize(perExample: number, components: number, positions: number): number {
  const affordable = Math.floor(BATCH_NUMBERS / (perExample * components));
  return Math.max(1, Math.min(affordable, MOST_EXAMPLES, Math.ceil(positions / perExample)));
}

/**
 * One batch's firings.
 *
 * @param importances of each site, `C batch`; all sites' components in order are `components`
 * @param rows        positions a component has in them
 * @param kept        how many of those count
 */
function firingsAbove(
  threshold: number,
  components: readonly string[],
  importances: readonly ArrayLike<number>[],
  rows: number,
  kept: number,
): Firings {
  const offsets = new Int32Array(components.length + 1);
  const at: number[] = [];
  let c = 0;
  for (const site of importances) {
    for (let start = 0; start < site.length; start += rows) {
      for (let p = 0; p < kept; p++) if (site[start + p]! > threshold) at.push(p);
      offsets[++c] = at.length;
    }
  }
  return { positions: kept, components, offsets, at: Int32Array.from(at) };
}
