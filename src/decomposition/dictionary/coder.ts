/** A finished dictionary as a code: what it reads at hook points becomes latents, and latents are written. */
import type { Site } from "../../network/network.ts";
import { add, axisSize, broadcast, einsum, mul, type Tensor } from "../../tensor/index.ts";
import { asCarried, type Coder, latentsOf } from "../activation/coder.ts";
import { dictionaryAt, type DictionaryShape } from "./dictionary.ts";
import { encode } from "./encode.ts";
import { decoderNorms } from "./losses.ts";
import { rowUnits } from "./row-scale.ts";
import type { Normalisation } from "./settings.ts";

/** A dictionary with where it acts. */
export interface CoderOptions {
  readonly shape: DictionaryShape;
  readonly reads: string;
  readonly writes: string;
  /** TopK: how many latents of a row are kept. */
  readonly k?: number;
  /** `constant_norm_rescale` and `layer_norm` are done to each row, and so cannot be folded into weights. */
  readonly normalization?: Normalisation;
}

const BITS = 32;

/** A code that is one dictionary. */
export interface DictionaryCoder extends Coder {
  readonly dictionary: CoderOptions;
}

/** The dictionary of a site, whose weights are among the tensors it is given. */
export function dictionaryCoder(dictionary: CoderOptions): DictionaryCoder {
  const { shape, reads, writes, k, normalization = "none" } = dictionary;
  const { site: name, code, dIn, dOut, C } = shape;
  const site: Site = { name, dIn, dOut };
  return {
    dictionary,
    site,
    reads: [reads],
    writes: [writes],
    count: C,
    rank: 1,
    bits: BITS * (dIn + dOut + 1),
    encode: (tensors, read) => {
      const x = read[reads]!;
      const units = rowUnits(x, normalization);
      const z = encode(code, (units?.rows ?? x) as Tensor<"batch d_in">, dictionaryAt(tensors, name), k);
      return asCarried(units === undefined ? z : mul(z, units.length));
    },
    decode: (tensors, carried) => {
      const { W_dec } = dictionaryAt(tensors, name);
      return einsum("C batch, C d_out -> batch d_out", latentsOf(carried), W_dec);
    },
    bias: (tensors, read) => {
      const { b_dec, W_skip } = dictionaryAt(tensors, name);
      const x = read[reads]!;
      const units = rowUnits(x, normalization);
      if (units === undefined && W_skip === undefined) return b_dec;
      const rows = broadcast<"batch d_out">(b_dec, "batch d_out", { batch: axisSize(x, "batch"), d_out: dOut });
      const scaled = units === undefined ? rows : mul(rows, units.length);
      const own = units?.centre === undefined ? scaled : add(scaled, units.centre);
      return W_skip === undefined ? own : add(einsum("batch d_in, d_in d_out -> batch d_out", x, W_skip), own);
    },
    magnitudes: (tensors, carried) => mul(latentsOf(carried), decoderNorms(dictionaryAt(tensors, name).W_dec)),
  };
}
