/**
 * Is it only clustering? Centres of k-means, as many as there are components, under the same encoder and with as many active, beside the
 * components' own directions. Methods with encoders, sizes or sparsities of their own would be compared in those.
 */
import { randomDirections } from "../../instrument/random-directions.ts";
import { clusters } from "../../decomposition/baselines/clusters.ts";
import { Fitting } from "../../decomposition/baselines/fitting.ts";
import type { CompileOptions } from "../../engine/index.ts";
import { foldIn, type Key, keyFromSeed } from "../../tensor/index.ts";
import { type DenseRows, pursuitError } from "./matching-pursuit.ts";
import type { Measure, Outcome } from "./measure.ts";
import { directionOf, type Place, strengthOf, unitRows } from "./place.ts";

export const ONLY_CLUSTERING: Measure = {
  title: "is it only clustering?",
  formula:
    "FVU of the components' directions / FVU of as many k-means centres (plain or spherical, the better), both by matching pursuit with the components' mean number active, on rows that were not clustered",
  source: "Mechanist, after the clustering hypothesis of sparse dictionaries; matching pursuit: Mallat & Zhang 1993",
  unit: "ratio, 1: no better than clustering",
  reduction: "over the second half of the rows",
  control: "random directions in the place of the components",
  rule: "1 or above",
  establishes: "whether directions explain more than centres of clusters do, size, encoder and sparsity being the same",
  doesNotEstablish:
    "anything on other data: rows in clusters are explained by centres; nor that the directions are features",
};

export interface OnlyClusteringDetails {
  /** How many directions each has, and how many are active at most. */
  readonly size: number;
  readonly active: number;
  /** Unexplained shares of the variance. */
  readonly own: number;
  readonly clusters: number;
  readonly truth: number | null;
  readonly random: number;
  /** With the encoder that the method itself has. */
  readonly ownEncoder: number;
}

/** Multiplications at most: some seconds. */
const WORK = 4e10;
/** Of k-means. */
const STEPS = 100;
const RESTARTS = 3;
const FEWEST_ROWS_A_CLUSTER = 4;
const MOST_ACTIVE = 64;
/** Shares of the variance below this are float32's rounding: as little as nothing is left over, whoever left it. */
const ROUNDING = 1e-6;

/** @param active directions a row; the mean number of components that act unless given */
export async function onlyClustering(
  place: Place,
  active?: number,
  { seed = 0, ...placement }: CompileOptions & { readonly seed?: number } = {},
): Promise<Outcome<OnlyClusteringDetails>> {
  const { directions, truth, width } = place;
  if (directions === undefined) return { missing: "needs components of one direction each" };
  const acting = Array.from({ length: place.C }, (_, c) => c).filter((c) => strengthOf(place, c).some((z) => z !== 0));
  const size = acting.length;
  if (size === 0) return { missing: "no component acts" };
  const half = Math.min(Math.floor(place.rows / 2), Math.floor(WORK / (size * width * STEPS)));
  if (half < FEWEST_ROWS_A_CLUSTER * size) {
    const wanted = FEWEST_ROWS_A_CLUSTER * size;
    return {
      missing: `k-means of ${size} clusters needs at least ${wanted} rows, got ${half} that fit the work allowed`,
    };
  }
  let fired = 0;
  for (let i = 0; i < place.z.length; i++) if (place.z[i] !== 0) fired++;
  const kept = active ?? Math.max(1, Math.round(fired / place.rows));
  if (kept > Math.min(MOST_ACTIVE, width)) {
    return {
      missing: `compares sparse codes: at most ${Math.min(MOST_ACTIVE, width)} of ${size} components active, got ${kept}`,
    };
  }
  const key = foldIn(keyFromSeed(seed), "only clustering");
  const [learning, judging] = halves(place, half);
  const centres = await bothCentres(learning, size, foldIn(key, "k-means"), placement);
  const own = Float32Array.from(acting.flatMap((c) => Array.from(directionOf(directions, width, c))));
  const drawn = randomDirections(foldIn(key, "random"), size, width);
  const variance = squaresAboutMean(judging);
  const unexplained = (of: Float32Array): number => Math.max(ROUNDING, pursuitError(judging, of, kept) / variance);
  const details = {
    size,
    active: kept,
    own: unexplained(own),
    clusters: Math.min(...centres.map(unexplained)),
    truth: truth === undefined ? null : unexplained(truth.directions),
    random: unexplained(Float32Array.from(drawn.flatMap((u) => Array.from(u)))),
    ownEncoder: ownError(place, half) / variance,
  };
  return {
    value: details.own / details.clusters,
    control: details.random / details.clusters,
    present: details.own >= details.clusters,
    n: judging.rows,
    counted: "rows",
    details,
  };
}

/** The centres of plain and of spherical k-means, as directions. */
async function bothCentres(
  { rows, width, data }: DenseRows,
  count: number,
  key: Key,
  placement: CompileOptions,
): Promise<Float32Array[]> {
  const found: Float32Array[] = [];
  for (const spherical of [false, true]) {
    const how = { count, spherical, steps: STEPS, restarts: RESTARTS };
    const { centres } = await clusters({ data, count: rows, width }, how, key, new Fitting(placement));
    found.push(unitRows(Float32Array.from(centres), width));
  }
  return found;
}

function halves({ x, width }: Place, rows: number): readonly [DenseRows, DenseRows] {
  return [
    { rows, width, data: x.subarray(0, rows * width) },
    { rows, width, data: x.subarray(rows * width, 2 * rows * width) },
  ];
}

function ownError({ x, made, width }: Place, rows: number): number {
  let total = 0;
  for (let i = rows * width; i < 2 * rows * width; i++) total += (x[i]! - made[i]!) ** 2;
  return total;
}

function squaresAboutMean({ rows, width, data }: DenseRows): number {
  let total = 0;
  for (let k = 0; k < width; k++) {
    let mean = 0;
    for (let i = k; i < data.length; i += width) mean += data[i]! / rows;
    for (let i = k; i < data.length; i += width) total += (data[i]! - mean) ** 2;
  }
  return total;
}
