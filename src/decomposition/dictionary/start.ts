/** Dictionaries before anything has been learnt. */
import type { NamedValues } from "../../engine/index.ts";
import { values } from "../../engine/index.ts";
import type { WeightSpec } from "../../network/network.ts";
import { foldIn, type Key, randomNormal, sizeOf } from "../../tensor/index.ts";

/** What is known of activations before the first step: a sample of rows. */
export interface SampleRows {
  readonly data: Float32Array;
  readonly rows: number;
  readonly width: number;
}

/** How a dictionary starts. */
export interface DictionaryStart {
  /** Length of the decoder's rows. */
  readonly decoderStart: number;
  /** JumpReLU: every threshold, as it is trained. */
  readonly threshold?: number;
  /** Where the decoder's bias starts; 0 unless given. */
  readonly bias?: ArrayLike<number>;
  /** Whether another point is written than is read: their axes have nothing to do with each other, even where they are as many. */
  readonly across?: boolean;
  /** Scales the encoder: 1 is the decoder's transpose in directions and lengths. */
  readonly encoderScale?: number;
}

/**
 * Decoder rows in random directions, the encoder their transpose (Gao et al. 2024, appendix A.1; Conerly et al. 2024), biases 0. Where a dictionary
 * writes something else than it reads, the encoder is random too.
 */
export function startDictionary(
  site: string,
  specs: readonly WeightSpec[],
  { decoderStart, threshold = 0, bias, across = false, encoderScale = 1 }: DictionaryStart,
  key: Key,
): NamedValues {
  const shapeOf = (name: string): readonly number[] => specs.find((spec) => spec.name === `${site}.${name}`)!.shape;
  const [C, dOut] = shapeOf("W_dec") as [number, number];
  const [dIn] = shapeOf("W_enc") as [number, number];
  const unit = unitRows(randomNormal(foldIn(key, `${site}.W_dec`), C * dOut), dOut);
  const read = dIn === dOut && !across ? unit : unitRows(randomNormal(foldIn(key, `${site}.W_enc`), C * dIn), dIn);
  const W_enc = new Float32Array(dIn * C);
  for (let c = 0; c < C; c++) for (let i = 0; i < dIn; i++) W_enc[i * C + c] = encoderScale * read[c * dIn + i]!;
  const known: Readonly<Record<string, ArrayLike<number>>> = {
    W_enc,
    W_dec: unit.map((x) => x * decoderStart),
    ...(bias && { b_dec: bias }),
    threshold: new Float32Array(C).fill(threshold),
  };
  return Object.fromEntries(
    specs.map(({ name, axes, shape }) => [
      name,
      values(axes, shape, known[name.slice(site.length + 1)] ?? new Float32Array(sizeOf(shape))),
    ]),
  );
}

/** Rows of length 1. */
export function unitRows(data: Float32Array, width: number): Float32Array {
  const out = data.slice();
  for (let start = 0; start < data.length; start += width) {
    let total = 0;
    for (let i = start; i < start + width; i++) total += data[i]! ** 2;
    const scale = 1 / Math.sqrt(total);
    for (let i = start; i < start + width; i++) out[i] = data[i]! * scale;
  }
  return out;
}

/** What activations are multiplied with so that the mean length of a sample is `√width`. */
export function meanLengthScale({ data, rows, width }: SampleRows): number {
  let total = 0;
  for (let r = 0; r < rows; r++) total += Math.hypot(...data.subarray(r * width, (r + 1) * width));
  return Math.sqrt(width) / (total / rows);
}

const MEDIAN_STEPS = 100;
const MEDIAN_TOLERANCE = 1e-6;

/**
 * The point whose mean distance to the rows of a sample is the least, by Weiszfeld's iteration (Bricken et al. 2023 start the decoder's
 * bias there).
 */
export function geometricMedian({ data, rows, width }: SampleRows): Float64Array {
  let at = new Float64Array(width);
  for (let r = 0; r < rows; r++) for (let i = 0; i < width; i++) at[i]! += data[r * width + i]! / rows;
  for (let step = 0; step < MEDIAN_STEPS; step++) {
    const next = new Float64Array(width);
    let total = 0;
    for (let r = 0; r < rows; r++) {
      let squared = 0;
      for (let i = 0; i < width; i++) squared += (data[r * width + i]! - at[i]!) ** 2;
      // A row that the median lies on would count without bound.
      const weight = 1 / Math.max(Math.sqrt(squared), 1e-12);
      total += weight;
      for (let i = 0; i < width; i++) next[i]! += weight * data[r * width + i]!;
    }
    let moved = 0;
    for (let i = 0; i < width; i++) {
      next[i]! /= total;
      moved += (next[i]! - at[i]!) ** 2;
    }
    at = next;
    if (Math.sqrt(moved) < MEDIAN_TOLERANCE) break;
  }
  return at;
}
