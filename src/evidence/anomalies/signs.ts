/** Which way components point: a direction and the strength along it say the same with both signs changed. */

/** Strengths of components, `C row`. */
interface Strengths {
  readonly z: Float32Array;
  readonly rows: number;
}

/** Whether a component acts with both signs, as principal components do and latents do not: then either way along its direction is as good. */
export const hasBothSigns = ({ z, rows }: Strengths, c: number): boolean =>
  z.subarray(c * rows, (c + 1) * rows).some((v) => v < 0);

/**
 * Turns components, in place, that act with a negative sign alone, as parts of weights do where both sides of the product point the other way: what acts with one
 * sign then acts with a positive one.
 *
 * @param sides unit directions of what each writes, and of what it reads: `C d`
 */
export function turnRound({ z, rows }: Strengths, sides: readonly Float32Array[]): void {
  const negate = (part: Float32Array): void => part.forEach((v, i) => (part[i] = -v));
  const C = z.length / rows;
  for (let c = 0; c < C; c++) {
    const own = z.subarray(c * rows, (c + 1) * rows);
    if (own.some((v) => v > 0) || own.every((v) => v === 0)) continue;
    negate(own);
    for (const side of sides) negate(side.subarray((c * side.length) / C, ((c + 1) * side.length) / C));
  }
}
