/**
 * Circular features broken into points: one feature that takes a plane (a day of the week, an angle) comes out as several latents, each an arc of it
 * (Engels et al. 2024). Where no circle is known, they are looked for: groups of components of near directions whose values go round in a plane.
 */
import { EigenvalueDecomposition, Matrix } from "ml-matrix";
import { dot, randomDirections } from "../../instrument/random-directions.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, type Key, keyFromSeed, randomPermutation } from "../../tensor/index.ts";
import { fitLinear, type Rows, rSquared } from "../../training/linear-regression.ts";
import type { Measure, Outcome } from "./measure.ts";
import { directionOf, type Place, strengthOf } from "./place.ts";
import { type Ring, ringOf } from "./ring.ts";
import { featureStrength } from "./true-features.ts";

export const CIRCLES: Measure = {
  title: "circles broken into points",
  formula:
    "components that act with nine tenths of their direction's length in the circle's plane; without known circles, components of a group (cosine above 0.5, one to the next) whose values in the plane of their largest variance go round: E[q²] / E[q]² below 4/3 by 3 standard errors, q the squared distance from the middle; points in every quarter turn about it; mixture below 0.5; separability above that of shuffles",
  source:
    "Engels et al. 2024 (Not All Language Model Features Are Linear); the rule is Mechanist's, from what any density without a hole has (Olshen & Savage 1970)",
  unit: "components a circle",
  reduction: "mean over circles",
  control: "as many random directions in the place of the components",
  rule: "above 2: a circle takes a plane, which two directions span",
  establishes: "how many components share a feature that is one of two dimensions",
  doesNotEstablish:
    "that the network uses the plane as one: turning what is in it and looking at the output would; four corners are taken for two features, which they may be",
};

export interface CirclesDetails {
  readonly known: boolean;
  /** Each with what its values in the plane look like, where it is there often enough. */
  readonly circles: readonly (Partial<Ring> & {
    readonly components: number;
    /** The share of the circle on which each of its components acts, mean; of known circles. */
    readonly arc?: number;
    /** R² of the angle's cosine and sine from the components' strengths, by least squares on rows that were not fitted; and with angles of other rows. */
    readonly angle?: number;
    readonly angleControl?: number;
  })[];
}

const IN_PLANE = 0.9;
const NEIGHBOURS = 0.5;
/** A group has at least so many components, and its plane this share of its variance. */
const FEWEST = 3;
const PLANE_SHARE = 0.8;
const FEWEST_ROWS = 200;
/** Components of which all pairs are looked at, and points that indices are made of. */
const MOST = 2048;
const POINTS = 4096;

export function circles(place: Place, seed = 0): Outcome<CirclesDetails> {
  const { directions, truth, width, C } = place;
  if (directions === undefined) return { missing: "needs components of one direction each" };
  const key = foldIn(keyFromSeed(seed), "circles");
  const random = Float32Array.from(randomDirections(key, C, width).flatMap((u) => Array.from(u)));
  const known = truth?.families.filter(({ structure }) => structure === "circles") ?? [];
  if (truth !== undefined && known.length > 0) {
    const count = (of: Float32Array, members: readonly number[]): number[] => {
      const [u, v] = members.map((j) => directionOf(truth.directions, width, j));
      return acting(place).filter((c) => {
        const d = directionOf(of, width, c);
        // The two of a circle are orthogonal.
        return Math.hypot(dot(d, u!), dot(d, v!)) >= IN_PLANE;
      });
    };
    const all = known.map(({ members }) => knownCircle(place, members, count(directions, members), key));
    const value = meanOfNumbers(all.map(({ components }) => components));
    const control = meanOfNumbers(known.map(({ members }) => count(random, members).length));
    const details = { known: true, circles: all };
    return { value, control, present: value > 2, n: all.length, counted: "known circles", details };
  }
  if (C > MOST) return { missing: `looks at all pairs of at most ${MOST} components, got ${C}` };
  const found = blind(place, directions, key);
  const byChance = blind(place, random, key);
  const sizes = (rings: readonly { components: number }[]): number =>
    rings.length === 0 ? 0 : meanOfNumbers(rings.map(({ components }) => components));
  const value = sizes(found);
  const details = { known: false, circles: found };
  return { value, control: sizes(byChance), present: value > 2, n: found.length, counted: "circles found", details };
}

const acting = (place: Place): number[] =>
  Array.from({ length: place.C }, (_, c) => c).filter((c) => strengthOf(place, c).some((z) => z !== 0));

function knownCircle(
  place: Place,
  members: readonly number[],
  own: readonly number[],
  key: Key,
): CirclesDetails["circles"][number] {
  const { truth, rows } = place;
  const [a, b] = members.map((j) => featureStrength(truth!, rows, j)) as [Float32Array, Float32Array];
  const there = Array.from({ length: rows }, (_, row) => row).filter((row) => a[row] !== 0 || b[row] !== 0);
  const points = { a: there.slice(0, POINTS).map((row) => a[row]!), b: there.slice(0, POINTS).map((row) => b[row]!) };
  const base = { components: own.length, ...(there.length >= FEWEST_ROWS && ringOf(points, key)) };
  if (own.length === 0 || there.length < FEWEST_ROWS) return base;
  const z = own.map((c) => strengthOf(place, c));
  const arc = meanOfNumbers(z.map((one) => there.filter((row) => one[row] !== 0).length / there.length));
  const lengths = there.map((row) => Math.hypot(a[row]!, b[row]!));
  const strengths: Rows = {
    columns: own.length,
    data: Float64Array.from(there.flatMap((row) => z.map((one) => one[row]!))),
  };
  const angles = there.flatMap((row, i) => [a[row]! / lengths[i]!, b[row]! / lengths[i]!]);
  const order = randomPermutation(key, there.length);
  const others = there.flatMap((_, i) => [angles[2 * order[i]!]!, angles[2 * order[i]! + 1]!]);
  const read = (from: readonly number[]): number => {
    const half = Math.floor(there.length / 2);
    const y: Rows = { columns: 2, data: Float64Array.from(from) };
    const [fit, test] = [
      [cut(strengths, 0, half), cut(y, 0, half)],
      [cut(strengths, half, there.length), cut(y, half, there.length)],
    ] as const;
    return rSquared(fitLinear(fit[0], fit[1]), test[0], test[1]);
  };
  return { ...base, arc, angle: read(angles), angleControl: read(others) };
}

const cut = ({ columns, data }: Rows, from: number, to: number): Rows => ({
  columns,
  data: data.slice(from * columns, to * columns) as Float64Array,
});

/** Groups of components whose values go round. */
function blind(place: Place, directions: Float32Array, key: Key): CirclesDetails["circles"][number][] {
  return groupsOf(acting(place), directions, place.width).flatMap((group) => {
    const found = planeOf(place, directions, group);
    if (found === undefined) return [];
    const ring = ringOf(found, key);
    return ring.ring ? [{ components: group.length, ...ring }] : [];
  });
}

/** Components joined where directions are near. */
function groupsOf(components: readonly number[], directions: Float32Array, width: number): number[][] {
  const groups: number[][] = [];
  const left = new Set(components);
  for (const first of components) {
    if (!left.delete(first)) continue;
    const group = [first];
    for (const one of group) {
      const d = directionOf(directions, width, one);
      for (const other of left) {
        if (dot(d, directionOf(directions, width, other)) <= NEIGHBOURS) continue;
        left.delete(other);
        group.push(other);
      }
    }
    if (group.length >= FEWEST) groups.push(group);
  }
  return groups;
}

/** What a group writes on rows where any of it acts, in the plane of its largest variance; nothing where there is no such plane. */
function planeOf(
  place: Place,
  directions: Float32Array,
  group: readonly number[],
): { readonly a: Float64Array; readonly b: Float64Array } | undefined {
  const { width } = place;
  const z = group.map((c) => strengthOf(place, c));
  const there = Array.from({ length: place.rows }, (_, row) => row)
    .filter((row) => z.some((one) => one[row] !== 0))
    .slice(0, POINTS);
  if (there.length < FEWEST_ROWS) return undefined;
  const written = new Float64Array(there.length * width);
  there.forEach((row, i) =>
    group.forEach((c, g) => {
      const strength = z[g]![row]!;
      if (strength === 0) return;
      for (let k = 0; k < width; k++) written[i * width + k]! += strength * directions[c * width + k]!;
    }),
  );
  const X = Matrix.from1DArray(there.length, width, Array.from(written)).center("column");
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(X.transpose().mmul(X), {
    assumeSymmetric: true,
  });
  const order = realEigenvalues.map((_, i) => i).sort((i, j) => realEigenvalues[j]! - realEigenvalues[i]!);
  const total = realEigenvalues.reduce((sum, v) => sum + Math.max(0, v), 0);
  const [first, second] = order as [number, number | undefined];
  if (second === undefined || (realEigenvalues[first]! + realEigenvalues[second]!) / total < PLANE_SHARE)
    return undefined;
  const along = (i: number): Float64Array =>
    Float64Array.from(X.mmul(eigenvectorMatrix.getColumnVector(i)).to1DArray());
  return { a: along(first), b: along(second) };
}
