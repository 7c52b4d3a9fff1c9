/** Latents of a finished dictionary, one code at a time: the definitions that everything after training uses. */
import { MechanistError } from "../../error.ts";
import {
  add,
  axisSize,
  cast,
  exp,
  greater,
  mul,
  relu,
  scatterAlong,
  type Tensor,
  topK,
  where,
} from "../../tensor/index.ts";
import { type Code, type Dictionary, encoded } from "./dictionary.ts";

/**
 * The latents of rows of activations, `batch C`, none below 0.
 *
 * @param k TopK: how many latents of a row are kept
 */
export function encode(code: Code, x: Tensor<"batch d_in">, dictionary: Dictionary, k?: number): Tensor<"batch C"> {
  const read = encoded(x, dictionary);
  if (code === "gated") return gated(read, dictionary);
  const pre = add(read, dictionary.b_enc!);
  if (code === "relu") return relu(pre);
  if (code === "jumprelu") return jumpRelu(pre, dictionary.threshold!);
  return topLatents(pre, k);
}

/** What is above its threshold, which is at least 0; the rest is 0 (Rajamanoharan et al. 2024b, eq. 4; Erichson et al. 2019). */
function jumpRelu(pre: Tensor<"batch C">, threshold: Tensor<"C">): Tensor<"batch C"> {
  return where(greater(pre, threshold), relu(pre), 0) as Tensor<"batch C">;
}

/** The `k` largest of each row, where they are above 0 (Gao et al. 2024, eq. 3; Makhzani & Frey 2013). */
function topLatents(pre: Tensor<"batch C">, k: number | undefined): Tensor<"batch C"> {
  const C = axisSize(pre, "C");
  if (k === undefined || k > C) throw new MechanistError("BadArgument", `topk: expected k from 1 to ${C}, got ${k}`);
  const { values, indices } = topK(pre, "C", k);
  return scatterAlong(relu(values), indices, "C", pre) as Tensor<"batch C">;
}

/**
 * A gate says which latents are on, a magnitude how much (Rajamanoharan et al. 2024a, eq. 6 and 7): both read `x W_enc`, the
 * magnitude `e^{r_mag}` times as much, with biases of their own.
 */
function gated(read: Tensor<"batch C">, { b_gate, b_mag, r_mag }: Dictionary): Tensor<"batch C"> {
  const open = cast(greater(add(read, b_gate!), 0), "f32");
  return mul(open, relu(add(mul(read, exp(r_mag!)), b_mag!)));
}
