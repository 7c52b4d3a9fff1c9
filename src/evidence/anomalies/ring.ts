/**
 * Whether points of a plane go round: whether there is less in their middle than around it, and something on all sides, and they are neither two features nor a mixture
 * of two.
 *
 * A hole is told by moments. With `q` the squared distance from the middle in coordinates of deviation 1, `E[q²] / E[q]²` is 1 for an ellipse and 4/3 for a filled one. Any
 * density that never rises on the way out from the middle, whatever its shape, is a mixture of `√U Z` with U uniform on [0, 1) and independent of Z (Olshen & Savage
 * 1970), so that E[q] = E|Z|² / 2 and E[q²] = E|Z|⁴ / 3: the ratio is 4/3 or more. What is below has a hole. About the mean it is a quarter of Mardia's kurtosis (1970);
 * the middle is here the centre of the circle that fits by least squares (Kåsa 1976), for points that are denser on one side.
 */
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import type { Key } from "../../tensor/index.ts";
import { mixture, type PlanePoints, separability, whitened } from "./plane.ts";

/** How empty a cloud of points is in its middle. */
export interface Hollow {
  /** `E[q²] / E[q]²`, and its standard error. */
  readonly fill: number;
  readonly fillError: number;
  /** The least share of the points in a quarter turn about the middle: nothing where they do not go round. */
  readonly sector: number;
}

export interface Ring extends Hollow {
  /** Bits, and what independent numbers would hardly ever have. */
  readonly separability: number;
  readonly separabilityByChance: number;
  readonly mixture: number;
  readonly ring: boolean;
}

/** Of what is never denser further out. */
const FILLED = 4 / 3;
/** Standard errors by which it has to be missed. */
const ERRORS = 3;
/** Of two features of which one is there at a time, one has half of the points on its line. */
const MIXED = 0.5;
/** Four corners may be two features; what goes round and is not has points in every quarter turn, a tenth of those that a circle has there. */
const ROUND = 0.025;
/** Directions of quarter turns that are tried: each begins one of these on. */
const SECTORS = 72;

export function ringOf(points: PlanePoints, key: Key): Ring {
  const { fill, fillError, sector } = hollow(points);
  const { bits, chance } = separability(points, key);
  const mixed = mixture(points);
  return {
    ...{ separability: bits, separabilityByChance: chance, mixture: mixed, fill, fillError, sector },
    ring: fill + ERRORS * fillError < FILLED && sector >= ROUND && mixed < MIXED && bits > chance,
  };
}

export function hollow(points: PlanePoints): Hollow {
  const { a, b } = whitened(points);
  const n = a.length;
  // The circle |x - c|² = r² that fits best in squares of |x|² - 2 c·x - k: of white coordinates, c is half of E[x |x|²].
  let [ca, cb] = [0, 0];
  for (let p = 0; p < n; p++) {
    const square = a[p]! ** 2 + b[p]! ** 2;
    ca += (a[p]! * square) / (2 * n);
    cb += (b[p]! * square) / (2 * n);
  }
  const q = a.map((x, p) => (x - ca) ** 2 + (b[p]! - cb) ** 2);
  const first = meanOfNumbers(q);
  const second = meanOfNumbers(q.map((v) => v ** 2));
  const fill = second / first ** 2;
  // By the delta method.
  const influence = q.map((v) => v ** 2 / first ** 2 - (2 * fill * v) / first + fill);
  const there = new Float64Array(SECTORS);
  for (let p = 0; p < n; p++) {
    const turns = Math.atan2(b[p]! - cb, a[p]! - ca) / (2 * Math.PI) + 0.5;
    there[Math.min(SECTORS - 1, Math.floor(turns * SECTORS))]! += 1 / n;
  }
  const quarters = Array.from(there, (_, i) => {
    let share = 0;
    for (let k = 0; k < SECTORS / 4; k++) share += there[(i + k) % SECTORS]!;
    return share;
  });
  return { fill, fillError: Math.sqrt(meanOfNumbers(influence.map((v) => v ** 2)) / n), sector: Math.min(...quarters) };
}
