/** What formats do beside `σ(x W_enc + b_enc) W_dec + b_dec`, folded into these weights. Numbers are computed in float64 and kept in float32. */
import { type Values, values } from "../../../engine/values.ts";
import type { StoredDictionary, StoredWeights } from "./stored.ts";

/** The same numbers with two axes the other way round. */
export function transposed({ shape, data }: Values, axes: string): Values {
  const [rows, columns] = shape as [number, number];
  const out = new Float32Array(data.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) out[c * rows + r] = data[r * columns + c]!;
  return values(axes, [columns, rows], out);
}

const mapped = (x: Values, f: (value: number, i: number) => number): Values =>
  values(x.axes, x.shape, Float32Array.from(x.data, f));

/** A vector whose entries are all one number. */
export function repeated(axes: string, size: number, value: number): Values {
  return values(axes, [size], new Float32Array(size).fill(value));
}

/** The encoder reads `x - b_dec`: `b_enc - b_dec W_enc` says the same of `x`. */
export function withoutInputBias(weights: StoredWeights): StoredWeights {
  return withBiasThrough(weights, -1);
}

/** The encoder is to read `x - b_dec` and make of it what it makes of `x`: the inverse. */
export function withInputBias(weights: StoredWeights): StoredWeights {
  return withBiasThrough(weights, 1);
}

/** `± b_dec W_enc` added to what the encoder adds. */
function withBiasThrough(weights: StoredWeights, sign: 1 | -1): StoredWeights {
  const { W_enc, b_dec, b_enc, b_gate, b_mag, r_mag } = weights;
  const [dIn, C] = W_enc!.shape as [number, number];
  const shift = new Float64Array(C);
  for (let i = 0; i < dIn; i++)
    for (let c = 0; c < C; c++) shift[c]! += sign * b_dec!.data[i]! * W_enc!.data[i * C + c]!;
  return {
    ...weights,
    ...(b_enc && { b_enc: mapped(b_enc, (b, c) => b + shift[c]!) }),
    ...(b_gate && { b_gate: mapped(b_gate, (b, c) => b + shift[c]!) }),
    ...(b_mag && { b_mag: mapped(b_mag, (b, c) => b + shift[c]! * Math.exp(r_mag!.data[c]!)) }),
  };
}

/**
 * The encoder reads `s x` and the decoder writes `t y`. Latents, and so thresholds, stay in the units they have.
 *
 * @param writes the same as `reads` unless given: what is read is what is written
 */
export function withScale(weights: StoredWeights, reads: number, writes = reads): StoredWeights {
  const { W_enc, W_dec, b_dec, W_skip } = weights;
  return {
    ...weights,
    W_enc: mapped(W_enc!, (w) => w * reads),
    W_dec: mapped(W_dec!, (w) => w / writes),
    b_dec: mapped(b_dec!, (b) => b / writes),
    ...(W_skip && { W_skip: mapped(W_skip, (w) => (w * reads) / writes) }),
  };
}

/** The length of what each latent writes when it is 1. */
export function decoderLengths({ shape, data }: Values): Float64Array {
  const C = shape[0]!;
  const width = data.length / C;
  return Float64Array.from({ length: C }, (_, c) => {
    let squared = 0;
    for (let i = 0; i < width; i++) squared += data[c * width + i]! ** 2;
    return Math.sqrt(squared);
  });
}

/**
 * Each latent times a number, with everything that makes it and everything it makes kept the same: the decoder's row is divided by it, the encoder,
 * its biases and its threshold are multiplied.
 */
export function withLatentUnits(weights: StoredWeights, factors: ArrayLike<number>): StoredWeights {
  const { W_enc, W_dec } = weights;
  const C = W_enc!.shape[1]!;
  const width = W_dec!.data.length / C;
  const scaled = (name: "b_enc" | "b_gate" | "b_mag" | "threshold"): StoredWeights => {
    const x = weights[name];
    return x === undefined ? {} : { [name]: mapped(x, (value, c) => value * factors[c]!) };
  };
  return {
    ...weights,
    W_enc: mapped(W_enc!, (w, i) => w * factors[i % C]!),
    W_dec: mapped(W_dec!, (w, i) => w / factors[Math.floor(i / width)]!),
    ...scaled("b_enc"),
    ...scaled("b_gate"),
    ...scaled("b_mag"),
    ...scaled("threshold"),
  };
}

/** Decoder rows of length 1, latents being as long as what they write. Rows without length stay. */
export function withUnitDecoder(weights: StoredWeights): StoredWeights {
  return withLatentUnits(
    weights,
    decoderLengths(weights.W_dec!).map((length) => (length > 0 ? length : 1)),
  );
}

/** What latents write, times a number for each of them. */
export function withLatentFactors(weights: StoredWeights, factors: ArrayLike<number>): StoredWeights {
  const { W_dec } = weights;
  const width = W_dec!.data.length / W_dec!.shape[0]!;
  return { ...weights, W_dec: mapped(W_dec!, (w, i) => w * factors[Math.floor(i / width)]!) };
}

/** A dictionary whose missing scale has been measured: rows times it have a mean length of `√d_in`. */
export function scaledBy(dictionary: StoredDictionary, scale: number): StoredDictionary {
  const { unscaled: _, ...rest } = dictionary;
  return { ...rest, weights: withScale(dictionary.weights, scale) };
}
