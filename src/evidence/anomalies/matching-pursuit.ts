/** Matching pursuit (Mallat & Zhang 1993): one encoder for every dictionary, so that dictionaries are compared and not encoders. */

/** Rows of numbers. */
export interface DenseRows {
  readonly rows: number;
  readonly width: number;
  readonly data: Float32Array;
}

/**
 * The squared error of rows written with so many directions each, chosen one after another: the one that the rest points along most, by as much
 * as it does. None is taken with a negative strength.
 *
 * @param directions unit directions, `C d`
 */
export function pursuitError({ rows, width, data }: DenseRows, directions: Float32Array, most: number): number {
  const count = directions.length / width;
  const gram = new Float64Array(count * count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) {
      let product = 0;
      for (let k = 0; k < width; k++) product += directions[i * width + k]! * directions[j * width + k]!;
      gram[i * count + j] = product;
      gram[j * count + i] = product;
    }
  }
  let total = 0;
  const along = new Float64Array(count);
  for (let row = 0; row < rows; row++) {
    let error = 0;
    for (let k = 0; k < width; k++) error += data[row * width + k]! ** 2;
    for (let c = 0; c < count; c++) {
      let product = 0;
      for (let k = 0; k < width; k++) product += data[row * width + k]! * directions[c * width + k]!;
      along[c] = product;
    }
    for (let step = 0; step < most; step++) {
      let best = 0;
      for (let c = 1; c < count; c++) if (along[c]! > along[best]!) best = c;
      const strength = along[best]!;
      if (!(strength > 0)) break;
      // Of a unit direction: what the square loses, and what every other product loses.
      error -= strength ** 2;
      for (let c = 0; c < count; c++) along[c]! -= strength * gram[best * count + c]!;
    }
    total += error;
  }
  return total;
}
