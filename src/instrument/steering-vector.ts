/**
 * Steering vectors (Turner et al. 2023; Rimsky et al. 2024) with how they differ from example to example (Tan et al. 2024): a vector that works in
 * the mean can do the opposite on a third of the examples. The vector is the difference of mean activations between two sets of examples;
 * its null is a random vector of the same length.
 */
import { type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import type { Metric } from "../intervention/metrics.ts";
import { steer } from "../intervention/steering.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { foldIn, type Key } from "../tensor/index.ts";
import { activationRows, columnMeans, pickedRows } from "./activations.ts";
import { type Finding, spreadOf } from "./finding.ts";
import { lengthOf, randomDirections } from "./random-directions.ts";

/** The effects of one vector, over examples. */
export interface SteeringSpread {
  readonly coefficient: number;
  readonly mean: number;
  readonly deviation: number;
  /** The share of examples whose effect goes against the mean's sign, or, where the coefficient is to raise, below 0. */
  readonly antiSteerable: number;
  /** Said where the mean hides the spread; nothing otherwise. */
  readonly warning: string | null;
  readonly perExample: readonly number[];
}

export interface SteeringRow extends SteeringSpread {
  /** Of random vectors of the same length: the mean effect over vectors, and its standard deviation. */
  readonly random: { readonly mean: number; readonly deviation: number };
}

export interface SteeringTable extends Finding {
  readonly point: string;
  readonly metric: Pick<Metric, "name" | "unit" | "meaning">;
  readonly length: number;
  readonly rows: readonly SteeringRow[];
}

/** Random vectors that the null is made of. */
const RANDOM = 8;

/**
 * The mean activation over one set of examples less that over another, along the point's last axes.
 *
 * @param position where it is taken; over all positions unless given
 */
export async function meanDifference(
  runnable: RunnableNetwork,
  {
    towards,
    away,
    point,
    position,
  }: {
    readonly towards: Examples;
    readonly away: Examples;
    readonly point: string;
    readonly position?: number | "last";
  },
  options: WorkOptions = {},
): Promise<Values> {
  const mean = async (examples: Examples): Promise<Float64Array> => {
    const rows = await activationRows(runnable, examples, point, options);
    const wanted = position === "last" ? examples.x.shape[1]! - 1 : position;
    if (wanted === undefined) return columnMeans(rows);
    const kept = Array.from(rows.position.keys()).filter((row) => rows.position[row] === wanted);
    if (kept.length === 0) {
      throw new MechanistError("BadArgument", `steering: expected a position of ${examples.name}, got ${wanted}`);
    }
    return columnMeans(pickedRows(rows, kept));
  };
  const [to, from] = [await mean(towards), await mean(away)];
  const { axes } = runnable.point(point);
  const own = axes.replace(/^batch( pos)? /, "");
  const data = Float64Array.from(to, (x, i) => x - from[i]!);
  if (own.includes(" ")) {
    throw new MechanistError("BadArgument", `steering: expected a point with one vector a position, got "${axes}"`);
  }
  return { ...values(own, [data.length], []), data };
}

/** Adds the vector in several strengths, and random ones of its length, and says how effects spread. */
export async function steeringSpread(
  runnable: RunnableNetwork,
  base: Examples,
  what: {
    readonly point: string;
    readonly vector: Values;
    readonly coefficients: readonly number[];
    readonly metric: Metric;
    readonly key: Key;
  },
  options: WorkOptions = {},
): Promise<SteeringTable> {
  const { point, vector, coefficients, metric, key } = what;
  const length = lengthOf(vector.data);
  const effects = async (one: Values): Promise<readonly (readonly number[])[]> => {
    const table = await steer(runnable, base, { variant: { point }, vector: one, coefficients, metric, ...options });
    return table.rows.map(({ perExample }) => perExample);
  };
  const own = await effects(vector);
  const random: number[][] = [];
  for (const direction of randomDirections(foldIn(key, "random"), RANDOM, vector.data.length, length)) {
    random.push((await effects({ ...vector, data: direction })).map((numbers) => spreadOf(numbers).mean));
  }
  return {
    point: runnable.point(point).name,
    metric: { name: metric.name, unit: metric.unit, meaning: metric.meaning },
    length,
    rows: coefficients.map((coefficient, i) => ({
      ...spreadOfSteering(coefficient, own[i]!),
      random: spreadOf(random.map((means) => means[i]!)),
    })),
    n: own[0]!.length,
    counted: "examples",
    nullDescription: `${RANDOM} random vectors of the same length`,
    doesNotEstablish:
      "that the network represents what the vector was made of: a vector made of what merely goes along with it steers, too, until the two come apart",
  };
}

/** What effects on single examples say of a vector. */
export function spreadOfSteering(coefficient: number, perExample: readonly number[]): SteeringSpread {
  const { mean, deviation } = spreadOf(perExample);
  const against = perExample.filter((x) => x * (mean < 0 ? -1 : 1) < 0).length / perExample.length;
  const hidden = mean !== 0 && deviation > 2 * Math.abs(mean);
  return {
    coefficient,
    mean,
    deviation,
    antiSteerable: against,
    warning: hidden
      ? `the mean says little: effects spread by ${(deviation / Math.abs(mean)).toFixed(1)} times it, and ${Math.round(100 * against)} % of examples go the other way`
      : null,
    perExample,
  };
}
