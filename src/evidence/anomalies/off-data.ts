/**
 * Two networks that are one on the data: where inputs leave a direction of a matrix's input unused, its weights there can be anything. What is made
 * of activations cannot see the difference; what is made of weights can.
 */
import { MechanistError } from "../../error.ts";
import type { Decomposition } from "../../decomposition/decomposition.ts";
import type { NamedValues } from "../../engine/index.ts";
import { foldIn, type Key, randomNormal } from "../../tensor/index.ts";
import type { AnomalyData, Observed, ObserveOptions } from "./place.ts";
import { observe } from "./place.ts";

/**
 * Weights with some rows of a matrix drawn anew: those of inputs that the data never have.
 *
 * @param rows which of its first axis
 */
export function changedOffData(weights: NamedValues, name: string, rows: readonly number[], key: Key): NamedValues {
  const { data, shape, ...rest } = weights[name]!;
  const each = data.length / shape[0]!;
  const outside = rows.find((row) => !(row >= 0 && row < shape[0]!));
  if (outside !== undefined) {
    throw new MechanistError("BadArgument", `${name}: expected rows from 0 to ${shape[0]! - 1}, got ${outside}`);
  }
  const changed = Float32Array.from(data);
  for (const row of rows) changed.set(randomNormal(foldIn(key, row), each), row * each);
  return { ...weights, [name]: { ...rest, shape, data: changed } };
}

/** How far two decompositions of two networks are from one another, each relative to the first's own length: 0 where they are one. */
export interface OffDataDifference {
  /** Between the networks' weights. */
  readonly weights: number;
  /** On the data: values at the places, what components make of them, strengths. */
  readonly values: number;
  readonly made: number;
  readonly strengths: number;
  /** Between directions that are read and written. */
  readonly directions: number;
  /** Whether what was found differs anywhere although the values do not. */
  readonly sees: boolean;
}

const SAME = 1e-4;

/** Two decompositions by one method, of networks that are one on the data. */
export async function offDataDifference(
  a: Decomposition,
  b: Decomposition,
  data: AnomalyData,
  options: ObserveOptions = {},
): Promise<OffDataDifference> {
  const [first, second] = [await observe(a, data, options), await observe(b, data, options)];
  const all = (observed: Observed, of: (place: Observed["places"][number]) => readonly (Float32Array | undefined)[]) =>
    observed.places.flatMap((place) => of(place).flatMap((part) => part ?? []));
  const between = (of: (place: Observed["places"][number]) => readonly (Float32Array | undefined)[]): number =>
    difference(all(first, of), all(second, of));
  const found = {
    weights: difference(
      a.network.weights.map(({ name }) => a.values[name]!.data),
      a.network.weights.map(({ name }) => b.values[name]!.data),
    ),
    values: between(({ x }) => [x]),
    made: between(({ made }) => [made]),
    strengths: between(({ z }) => [z]),
    directions: between(({ directions, readDirections }) => [directions, readDirections]),
  };
  const { values, made, strengths, directions } = found;
  return { ...found, sees: values < SAME && Math.max(made, strengths, directions) > SAME };
}

/** The length of the difference over the length of the first; 1 where sizes differ. */
function difference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]): number {
  if (a.length !== b.length || a.some(({ length }, i) => length !== b[i]!.length)) return 1;
  let [apart, own] = [0, 0];
  a.forEach((left, i) => {
    for (let k = 0; k < left.length; k++) {
      apart += (left[k]! - b[i]![k]!) ** 2;
      own += left[k]! ** 2;
    }
  });
  return own === 0 ? Math.sign(apart) : Math.sqrt(apart / own);
}
