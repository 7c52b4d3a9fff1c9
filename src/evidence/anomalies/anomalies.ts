/**
 * The anomalies of dictionary learning as measurements on any decomposition: all that can be measured with what is at hand, and for the rest what
 * it would need. None of the numbers stands alone: each has its control beside it and says what it does not establish.
 */
import { type Decomposition } from "../../decomposition/decomposition.ts";
import type { DataSource } from "../fresh-data.ts";
import { ABSORPTION, absorption } from "./absorption.ts";
import { CIRCLES, circles } from "./circles.ts";
import { COMPOSITION, composition } from "./composition.ts";
import { DARK_MATTER, darkMatter } from "./dark-matter.ts";
import { DEAD_AND_DENSE, deadAndDense } from "./dead-and-dense.ts";
import { HEDGING, hedging } from "./hedging.ts";
import type { Measure, Outcome } from "./measure.ts";
import { ONLY_CLUSTERING, onlyClustering } from "./only-clustering.ts";
import { type AnomalyData, observe, type Observed, type ObserveOptions, type Place } from "./place.ts";
import { RANDOM_NETWORK, randomNetwork } from "./random-network.ts";
import { SEED_INCONSISTENCY, seedInconsistency } from "./seed-inconsistency.ts";
import { SHRINKAGE, shrinkage } from "./shrinkage.ts";
import { SPLITTING, splitting } from "./splitting.ts";
import { SPREAD, singleMechanisms, spread } from "./spread.ts";
import { USEFULNESS, usefulness } from "./usefulness.ts";

/** Every anomaly, with what is said of it. */
export const ANOMALIES = {
  shrinkage: SHRINKAGE,
  splitting: SPLITTING,
  absorption: ABSORPTION,
  hedging: HEDGING,
  composition: COMPOSITION,
  circles: CIRCLES,
  deadAndDense: DEAD_AND_DENSE,
  darkMatter: DARK_MATTER,
  seedInconsistency: SEED_INCONSISTENCY,
  spread: SPREAD,
  randomNetwork: RANDOM_NETWORK,
  onlyClustering: ONLY_CLUSTERING,
  usefulness: USEFULNESS,
} as const satisfies Readonly<Record<string, Measure>>;
export type AnomalyName = keyof typeof ANOMALIES;

/** What may stand beside the decomposition; without each, the anomalies that need it are missing. */
export interface AnomalyOptions extends ObserveOptions {
  /** Decompositions of the same network with other seeds. */
  readonly seeds?: readonly Decomposition[];
  /** One of the same network with fewer components. */
  readonly smaller?: Decomposition;
  /** One of the network with random weights, by the same method, with its data. */
  readonly random?: { readonly decomposition: Decomposition; readonly data: AnomalyData };
  /** The same kind of inputs, of another distribution. */
  readonly shifted?: DataSource;
}

/** One anomaly at every place, or for the whole. */
export interface AnomalyReport extends Measure {
  /** By place; of what is measured on the output, under the empty name. */
  readonly places: Readonly<Record<string, Outcome>>;
}

export interface AnomaliesReport {
  readonly schema: 1;
  readonly rows: number;
  readonly seed: number;
  readonly places: readonly { readonly name: string; readonly components: number; readonly width: number }[];
  readonly measures: Readonly<Record<AnomalyName, AnomalyReport>>;
}

/** All anomalies of a decomposition. */
export async function anomalies(
  decomposition: Decomposition,
  data: AnomalyData,
  options: AnomalyOptions = {},
): Promise<AnomaliesReport> {
  const { seeds = [], smaller, random, shifted, ...common } = options;
  const { known, seed = 0, signal, device, threads } = common;
  const placement = { ...(device && { device }), ...(threads && { threads }) };
  const look = (one: Decomposition, on: AnomalyData): Promise<Observed> => observe(one, on, common);
  const own = await look(decomposition, data);
  const others: Observed[] = [];
  for (const one of seeds) others.push(await look(one, data));
  const less = smaller && (await look(smaller, data));
  const atRandom = random && (await look(random.decomposition, random.data));
  const moved = shifted && (await look(decomposition, { ...data, ...shifted }));
  const at = (observed: Observed | undefined, { name }: Place): Place | undefined =>
    observed?.places.find((place) => place.name === name);
  const measures: Record<
    Exclude<AnomalyName, "spread">,
    (place: Place) => Outcome<object> | Promise<Outcome<object>>
  > = {
    shrinkage,
    splitting: (place) => splitting(place, at(less, place), seed),
    absorption: (place) => absorption(place),
    hedging,
    composition: (place) => composition(place, seed),
    circles: (place) => circles(place, seed),
    deadAndDense,
    darkMatter: (place) => darkMatter(place, seed),
    seedInconsistency: (place) =>
      seedInconsistency([place, ...others.flatMap((other) => at(other, place) ?? [])], seed),
    randomNetwork: (place) => randomNetwork(own, place, atRandom, seed),
    onlyClustering: (place) => onlyClustering(place, undefined, { ...placement, seed }),
    usefulness: (place) => usefulness(place, at(moved, place), seed),
  };
  const found: Partial<Record<AnomalyName, AnomalyReport>> = {};
  for (const name of Object.keys(ANOMALIES) as AnomalyName[]) {
    const places: Record<string, Outcome> = {};
    if (name === "spread") {
      places[""] = (
        known?.patterns
          ? await spread(decomposition, singleMechanisms(known.patterns), { ...placement, seed })
          : { missing: "needs inputs with one mechanism each" }
      ) as Outcome;
    } else {
      for (const place of own.places) {
        signal?.throwIfAborted();
        places[place.name] = (await measures[name](place)) as Outcome;
      }
    }
    found[name] = { ...ANOMALIES[name], places };
  }
  return {
    schema: 1,
    rows: own.rows,
    seed,
    places: own.places.map(({ name, C, width }) => ({ name, components: C, width })),
    measures: found as AnomaliesReport["measures"],
  };
}
