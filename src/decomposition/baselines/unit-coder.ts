/** The units of a hook point as they are: neurons, heads, dimensions of the residual stream. What they carry is what they write, and nothing is left over. */
import { reshape, sizesOf, sqrt, square, sum, type Tensor, transpose } from "../../tensor/index.ts";
import type { Coder } from "../activation/coder.ts";
import { indexBits } from "./linear-coder.ts";

/**
 * @param rank how many numbers each unit carries: 1, or a head's `d_head`
 */
export function unitCoder(point: string, width: number, rank = 1): Coder {
  const count = width / rank;
  return {
    site: { name: point, dIn: width, dOut: width },
    reads: [point],
    writes: [point],
    count,
    rank,
    bits: indexBits(count),
    encode: (_, read) => {
      const x = read[point]!;
      return transpose(reshape(x, "batch C m", { batch: x.shape[0]!, C: count, m: rank }), "C m batch");
    },
    decode: (_, carried) => {
      const batch = sizesOf(carried).batch!;
      return reshape(transpose(carried, "batch C m"), "batch d_out", { batch, d_out: width });
    },
    magnitudes: (_, carried) => sqrt(sum(square(carried), "m")) as Tensor<"C batch">,
  };
}
