/**
 * Do decompositions of one network that differ in nothing but their seed find the same components? Each alive component of one is assigned one of
 * the other, so that the cosines of their matrices add up to the most (VPD, seed stability; here one to one, by the Hungarian method).
 *
 * A component's sign may differ, and how its length is shared between `V` and `U`: the cosine of `V U` sees neither. What it does not say: that
 * components which do the same thing by other directions are different mechanisms.
 */
import { linearSumAssignment } from "linear-sum-assignment";
import { Matrix } from "ml-matrix";
import type { NamedValues } from "../engine/index.ts";
import { ALIVE_MEAN, type Decomposition } from "../decomposition/decomposition.ts";
import { meanOfNumbers } from "../intervention/bootstrap.ts";
import { foldIn, type Key, randomNormal } from "../tensor/index.ts";
import { type DataSource, FreshData, type FreshDataOptions } from "./fresh-data.ts";

/** One site's components that are alive. */
export interface AliveComponents {
  /** `d_in C` and `C d_out` among them, by site: `<site>.V`, `<site>.U`. */
  readonly values: NamedValues;
  /** The slots that are alive, by site. */
  readonly alive: Readonly<Record<string, readonly number[]>>;
}

/** The components of a decomposition whose mean importance on fresh data is above 1e-6. */
export async function aliveIn(
  decomposition: Decomposition,
  source: DataSource,
  options: FreshDataOptions = {},
): Promise<AliveComponents> {
  const data = await FreshData.open(decomposition, source, options);
  try {
    const { importances } = await data.draw(0);
    const alive = Object.entries(importances).map(([site, { data: g, shape }]) => {
      const [C, rows] = shape as [number, number];
      const mean = (c: number): number => meanOfNumbers(g.slice(c * rows, (c + 1) * rows));
      return [site, Array.from({ length: C }, (_, c) => c).filter((c) => mean(c) > ALIVE_MEAN)] as const;
    });
    return { values: decomposition.values, alive: Object.fromEntries(alive) };
  } finally {
    await data.dispose();
  }
}

/** How alike two sets of components are. */
export interface Likeness {
  /** Components alive in the two. */
  readonly alive: readonly [number, number];
  /** The mean cosine of matched pairs; those that have no partner count 0. */
  readonly cosine: number;
  /** The fraction of components with a partner of cosine above 0.9, of the larger set. */
  readonly same: number;
}

/** From here on two components are the same. */
const SAME = 0.9;

/** How alike two decompositions are, by site. */
export function likeness(a: AliveComponents, b: AliveComponents): Readonly<Record<string, Likeness>> {
  return Object.fromEntries(
    Object.keys(a.alive).map((site) => {
      const [left, right] = [vectorsOf(a, site), vectorsOf(b, site)];
      return [site, matched(left, right)];
    }),
  );
}

/** The likeness by chance: the same numbers of components, of random directions. */
export function likenessByChance(a: AliveComponents, b: AliveComponents, key: Key): Readonly<Record<string, Likeness>> {
  return Object.fromEntries(
    Object.keys(a.alive).map((site) => {
      const random = (of: AliveComponents, side: number): Pair[] =>
        vectorsOf(of, site).map(({ v, u }, c) => {
          const drawn = randomNormal(foldIn(foldIn(key, `${site}/${side}`), c), v.length + u.length);
          return { v: drawn.slice(0, v.length), u: drawn.slice(v.length) };
        });
      return [site, matched(random(a, 0), random(b, 1))];
    }),
  );
}

interface Pair {
  readonly v: ArrayLike<number>;
  readonly u: ArrayLike<number>;
}

function vectorsOf({ values, alive }: AliveComponents, site: string): Pair[] {
  const [V, U] = [values[`${site}.V`]!, values[`${site}.U`]!];
  const [dIn, C] = V.shape as [number, number];
  const dOut = U.shape[1]!;
  return alive[site]!.map((c) => ({
    v: Float64Array.from({ length: dIn }, (_, i) => V.data[i * C + c]!),
    u: Float64Array.from({ length: dOut }, (_, j) => U.data[c * dOut + j]!),
  }));
}

function matched(left: readonly Pair[], right: readonly Pair[]): Likeness {
  const alive = [left.length, right.length] as const;
  if (left.length === 0 || right.length === 0) return { alive, cosine: left.length === right.length ? 1 : 0, same: 0 };
  const cosines = Matrix.zeros(left.length, right.length);
  left.forEach((x, i) => right.forEach((y, j) => cosines.set(i, j, cosine(x.v, y.v) * cosine(x.u, y.u))));
  // It works on the matrix it is given.
  const { rowAssignments } = linearSumAssignment(cosines.clone(), { maximaze: true });
  const found = Array.from(rowAssignments).flatMap((j, i) => (j >= 0 ? [cosines.get(i, j)] : []));
  const most = Math.max(left.length, right.length);
  return {
    alive,
    cosine: found.reduce((a, b) => a + b, 0) / most,
    same: found.filter((x) => x > SAME).length / most,
  };
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, x, y] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    x += a[i]! ** 2;
    y += b[i]! ** 2;
  }
  return x > 0 && y > 0 ? dot / Math.sqrt(x * y) : 0;
}

/** What a number is over seeds. */
export interface Band {
  readonly n: number;
  readonly mean: number;
  /** Standard deviation, of a sample; 0 for one. */
  readonly deviation: number;
  readonly least: number;
  readonly most: number;
}

/** The band of some numbers. */
export function bandOf(numbers: readonly number[]): Band {
  const n = numbers.length;
  const mean = meanOfNumbers(numbers);
  const squares = numbers.reduce((total, x) => total + (x - mean) ** 2, 0);
  return {
    n,
    mean,
    deviation: n > 1 ? Math.sqrt(squares / (n - 1)) : 0,
    least: Math.min(...numbers),
    most: Math.max(...numbers),
  };
}
