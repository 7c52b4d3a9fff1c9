/** Whether two numbers that come together are two features or one that takes a plane (Engels et al. 2024). */

import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, type Key, randomPermutation } from "../../tensor/index.ts";

/** Points of a plane. */
export interface PlanePoints {
  readonly a: ArrayLike<number>;
  readonly b: ArrayLike<number>;
}

/** Cells a side of the histogram, angles of a quarter turn that are tried, then steps between two of them, and the width of the slab in units of the spread. */
const CELLS = 40;
const ANGLES = 45;
const ANGLE = Math.PI / 2 / ANGLES;
const FINER = 5;
const EPSILON = 0.1;
/** The slab is looked for at so many directions and places. */
const SLAB_ANGLES = 60;
const SLAB_PLACES = 200;

/** How often one coordinate is shuffled. */
const SHUFFLES = 16;

const NATS_A_BIT = Math.LN2;

/** How far two numbers are from being two features. */
export interface Separability {
  /** In bits. */
  readonly bits: number;
  /** What numbers that are independent, and else like these, hardly ever exceed: the mean of shuffles and four of their deviations. */
  readonly chance: number;
}

/**
 * Separability: the mutual information of the two coordinates, in bits, at the rotation where it is smallest; 0 where the plane is two features.
 * Counted in cells, with the bias of so many cells at so many points taken off (Miller 1955).
 */
export function separability(points: PlanePoints, key: Key): Separability {
  const white = whitened(points);
  const coarse = leastInformation(white, 0, ANGLE, ANGLES);
  const fine = leastInformation(white, coarse.angle - ANGLE, ANGLE / FINER, 2 * FINER + 1);
  const { one, two } = fine;
  const shuffled = Array.from({ length: SHUFFLES }, (_, i) => {
    const order = randomPermutation(foldIn(key, i), two.length);
    // As it was done with the points: a sample of independent numbers is correlated a little, too.
    const apart = whitened({ a: one, b: two.map((_v, p) => two[order[p]!]!) });
    return leastInformation(apart, -2 * (ANGLE / FINER), ANGLE / FINER, 5).information;
  });
  const mean = meanOfNumbers(shuffled);
  const deviation = Math.sqrt(meanOfNumbers(shuffled.map((bits) => (bits - mean) ** 2)));
  return { bits: Math.max(0, fine.information), chance: mean + 4 * deviation };
}

interface Turned {
  readonly information: number;
  readonly angle: number;
  /** The coordinates there. */
  readonly one: Float64Array;
  readonly two: Float64Array;
}

/** The rotation, of `count` from one on, at which two coordinates have the least to do with one another. */
function leastInformation(
  { a, b }: { a: Float64Array; b: Float64Array },
  from: number,
  step: number,
  count: number,
): Turned {
  let best: Turned = { information: Infinity, angle: from, one: a, two: b };
  for (let i = 0; i < count; i++) {
    const angle = from + i * step;
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    const one = a.map((x, p) => cos * x - sin * b[p]!);
    const two = a.map((x, p) => sin * x + cos * b[p]!);
    const information = mutualInformation(cells(one), cells(two));
    if (information < best.information) best = { information, angle, one, two };
  }
  return best;
}

/** In bits, of numbers that are in some cell each. */
function mutualInformation(one: Int32Array, two: Int32Array): number {
  const n = one.length;
  const joint = new Float64Array(CELLS * CELLS);
  const [first, second] = [new Float64Array(CELLS), new Float64Array(CELLS)];
  for (let p = 0; p < n; p++) {
    joint[one[p]! * CELLS + two[p]!]!++;
    first[one[p]!]!++;
    second[two[p]!]!++;
  }
  const information = entropy(first, n) + entropy(second, n) - entropy(joint, n);
  const used = (counts: Float64Array): number => counts.filter((count) => count > 0).length;
  const bias = (used(joint) - used(first) - used(second) + 1) / (2 * n) / NATS_A_BIT;
  return information - Math.max(0, bias);
}

/**
 * Mixture: the largest share of the points in a slab `|v·p + c| < ε √E[(v·p + c)²]`; large where one of two features is mostly not there.
 */
export function mixture(points: PlanePoints): number {
  const { a, b } = whitened(points);
  const n = a.length;
  let most = 0;
  for (let i = 0; i < SLAB_ANGLES; i++) {
    const angle = (i * Math.PI) / SLAB_ANGLES;
    const along = Float64Array.from({ length: n }, (_, p) => Math.cos(angle) * a[p]! + Math.sin(angle) * b[p]!).sort();
    let [mean, square] = [0, 0];
    for (const v of along) {
      mean += v / n;
      square += v ** 2 / n;
    }
    for (let j = 0; j < SLAB_PLACES; j++) {
      const centre = along[Math.floor(((j + 0.5) * n) / SLAB_PLACES)]!;
      const half = EPSILON * Math.sqrt(square - 2 * mean * centre + centre ** 2);
      most = Math.max(most, (countBelow(along, centre + half) - countBelow(along, centre - half)) / n);
    }
  }
  return most;
}

/** In which of the cells between the least and the largest each number is. */
function cells(numbers: Float64Array): Int32Array {
  const least = numbers.reduce((a, b) => Math.min(a, b), Infinity);
  const most = numbers.reduce((a, b) => Math.max(a, b), -Infinity);
  const scale = most > least ? CELLS / (most - least) : 0;
  return Int32Array.from(numbers, (v) => Math.min(CELLS - 1, Math.floor((v - least) * scale)));
}

function entropy(counts: Float64Array, n: number): number {
  let total = 0;
  for (const count of counts) if (count > 0) total -= (count / n) * Math.log2(count / n);
  return total;
}

/** Both coordinates about their means, of deviation 1 and not correlated: an ellipse becomes a circle. */
export function whitened({ a, b }: PlanePoints): { readonly a: Float64Array; readonly b: Float64Array } {
  const n = a.length;
  let [ma, mb] = [0, 0];
  for (let p = 0; p < n; p++) {
    ma += a[p]! / n;
    mb += b[p]! / n;
  }
  let [aa, ab, bb] = [0, 0, 0];
  for (let p = 0; p < n; p++) {
    aa += (a[p]! - ma) ** 2 / n;
    ab += ((a[p]! - ma) * (b[p]! - mb)) / n;
    bb += (b[p]! - mb) ** 2 / n;
  }
  const slope = aa > 0 ? ab / aa : 0;
  const rest = bb - slope * ab;
  const [sa, sb] = [aa > 0 ? 1 / Math.sqrt(aa) : 0, rest > 1e-12 * bb ? 1 / Math.sqrt(rest) : 0];
  return {
    a: Float64Array.from({ length: n }, (_, p) => (a[p]! - ma) * sa),
    b: Float64Array.from({ length: n }, (_, p) => (b[p]! - mb - slope * (a[p]! - ma)) * sb),
  };
}

/** How many of some rising numbers are below a bound. */
function countBelow(rising: Float64Array, bound: number): number {
  let [low, high] = [0, rising.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
