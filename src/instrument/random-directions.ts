/** Random directions: the null of anything that is claimed of one direction. */
import { foldIn, type Key, randomNormal } from "../tensor/index.ts";

/** Independent directions, uniform on the sphere of a radius. */
export function randomDirections(key: Key, count: number, size: number, length = 1): Float64Array[] {
  return Array.from({ length: count }, (_, i) =>
    scaledTo(Float64Array.from(randomNormal(foldIn(key, i), size)), length),
  );
}

/** The length of a vector. */
export function lengthOf(vector: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < vector.length; i++) squares += vector[i]! ** 2;
  return Math.sqrt(squares);
}

/** A vector of another length along the same direction; zeros stay. */
function scaledTo(vector: Float64Array, length: number): Float64Array {
  const own = lengthOf(vector);
  return own === 0 ? vector : vector.map((x) => (x * length) / own);
}

/** The scalar product. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < a.length; i++) total += a[i]! * b[i]!;
  return total;
}
