/**
 * What a unit or a direction responds to, by quantile and not only at the top (Bricken et al. 2023 show intervals for the same reason): a second
 * meaning often lies below the first, where a list of maximal examples never gets.
 *
 * The null is a random direction of the same point: its top examples, too, often look alike (Bolukbasi et al. 2021).
 */
import type { WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { MechanistError } from "../error.ts";
import { foldIn, type Key, randomBits } from "../tensor/index.ts";
import { type ActivationRows, activationRows, centred, rowCount } from "./activations.ts";
import { type Finding, type Nulled, nulled, spreadOf } from "./finding.ts";
import { dot, lengthOf, randomDirections } from "./random-directions.ts";

/** One place in the data, with how much the unit responds. */
export interface Response {
  readonly example: number;
  readonly position: number;
  readonly activation: number;
}

/** Responses between two quantiles; `from` 0.99 `to` 1 is the top hundredth. */
export interface QuantileBand {
  readonly from: number;
  readonly to: number;
  readonly lowest: number;
  readonly highest: number;
  /** Drawn from the band; of the topmost, the largest, in order. */
  readonly responses: readonly Response[];
}

export interface ActivatingExamples extends Finding {
  readonly point: string;
  /** From the top down. */
  readonly bands: readonly QuantileBand[];
  /** How far above the mean the largest response is, in standard deviations. */
  readonly reach: number;
  /** The same of random directions. */
  readonly randomReach: { readonly mean: number; readonly deviation: number };
  /** The share of the top twenty that have their most common token, beside that of random directions; none without tokens. */
  readonly sameToken: Nulled | null;
  /** The share of positions with a response above 0. */
  readonly above0: number;
}

/** What is looked at: one unit of a point, by its place in a row, or a direction. */
export type Unit = { readonly unit: number } | { readonly direction: ArrayLike<number> };

/** Where bands end. */
const QUANTILES = [1, 0.99, 0.9, 0.75, 0.5, 0.25, 0] as const;
/** Random directions that the null is made of. */
const RANDOM = 20;

/** Looks at one unit or direction. */
export async function activatingExamples(
  runnable: RunnableNetwork,
  examples: Examples,
  what: Unit & { readonly point: string; readonly count?: number; readonly key: Key },
  options: WorkOptions = {},
): Promise<ActivatingExamples> {
  return respondingRows(await activationRows(runnable, examples, what.point, options), what);
}

/** The same of rows that are there already. */
export function respondingRows(
  rows: ActivationRows,
  what: Unit & { readonly count?: number; readonly key: Key },
): ActivatingExamples {
  const { count = 5, key } = what;
  const n = rowCount(rows);
  const responses = along(rows, directionOf(rows, what));
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => responses[b]! - responses[a]!);
  const at = (row: number): Response => ({
    example: rows.example[row]!,
    position: rows.position[row]!,
    activation: responses[row]!,
  });
  let start = 0;
  const bands = QUANTILES.slice(1).map((from, i): QuantileBand => {
    const to = QUANTILES[i]!;
    // The top has at least one.
    const end = Math.max(Math.round((1 - from) * n), i === 0 ? 1 : start);
    const band = order.slice(start, end);
    start = end;
    const drawn = i === 0 ? band.slice(0, count) : evenly(band, count, foldIn(key, i));
    return {
      from,
      to,
      lowest: band.length === 0 ? Number.NaN : responses[band.at(-1)!]!,
      highest: band.length === 0 ? Number.NaN : responses[band[0]!]!,
      responses: drawn.map(at),
    };
  });
  const spread = centred(rows);
  const random = randomDirections(foldIn(key, "random"), RANDOM, rows.columns).map((d) => along(spread, d));
  const { token } = rows;
  return {
    point: rows.point,
    bands: bands.filter((band) => band.responses.length > 0),
    reach: reachOf(responses),
    randomReach: spreadOf(random.map(reachOf)),
    sameToken:
      token === undefined
        ? null
        : nulled(
            sameTokenShare(responses, token),
            random.map((one) => sameTokenShare(one, token)),
          ),
    above0: responses.filter((x) => x > 0).length / n,
    n,
    counted: "positions",
    nullDescription: `${RANDOM} random directions of the same point`,
    doesNotEstablish:
      "what the unit is for: these data may not have what it responds to most, and what it responds to is not what it does",
  };
}

function directionOf({ point, columns }: ActivationRows, what: Unit): ArrayLike<number> {
  if ("unit" in what) {
    if (Number.isInteger(what.unit) && what.unit >= 0 && what.unit < columns) {
      return Float64Array.from({ length: columns }, (_, i) => (i === what.unit ? 1 : 0));
    }
    throw new MechanistError("BadArgument", `${point}: expected a unit from 0 to ${columns - 1}, got ${what.unit}`);
  }
  const { direction } = what;
  if (direction.length === columns && lengthOf(direction) > 0) {
    const length = lengthOf(direction);
    return Float64Array.from(direction as ArrayLike<number>, (x) => x / length);
  }
  const got = direction.length === columns ? "zeros" : `one of ${direction.length}`;
  throw new MechanistError("ShapeMismatch", `${point}: expected a direction of ${columns}, got ${got}`);
}

function along(
  { data, columns }: { readonly data: ArrayLike<number>; readonly columns: number },
  direction: ArrayLike<number>,
): Float64Array {
  const n = data.length / columns;
  const row = new Float64Array(columns);
  return Float64Array.from({ length: n }, (_, i) => {
    for (let j = 0; j < columns; j++) row[j] = data[i * columns + j]!;
    return dot(row, direction);
  });
}

/** How many standard deviations the largest number lies above the mean; 0 where all are the same. */
function reachOf(numbers: Float64Array): number {
  const { mean, deviation } = spreadOf(numbers);
  return deviation === 0 ? 0 : (numbers.reduce((a, b) => Math.max(a, b), -Infinity) - mean) / deviation;
}

/** How many of the top are looked at for their tokens. */
const TOP = 20;

/** Of the largest responses, the share with the token that most of them have. */
function sameTokenShare(responses: Float64Array, token: Int32Array): number {
  const order = Array.from(responses.keys()).sort((a, b) => responses[b]! - responses[a]!);
  const counts = new Map<number, number>();
  const top = order.slice(0, TOP);
  for (const row of top) counts.set(token[row]!, (counts.get(token[row]!) ?? 0) + 1);
  return Math.max(...counts.values()) / top.length;
}

/** Some of a list, one from each equal stretch of it, so that the whole band is seen. */
function evenly(list: readonly number[], count: number, key: Key): number[] {
  const taken = Math.min(count, list.length);
  const bits = randomBits(key, taken);
  return Array.from({ length: taken }, (_, i) => {
    const [start, end] = [Math.floor((i * list.length) / taken), Math.floor(((i + 1) * list.length) / taken)];
    return list[start + (bits[i]! % (end - start))]!;
  });
}
