/**
 * Decoding where few latents of each row are on. `z W_dec` with `k` of `C` latents is `k · d_out` products a row by rows that are gathered,
 * `C · d_out` by a matrix product; the matrix product runs near the machine's peak, the gather at the speed of memory. `docs/decisions/013-dictionaries.md` has what
 * was measured.
 */
import { einsum, gather, type Tensor } from "../../tensor/index.ts";

/**
 * `Σ_k values_k W_dec[indices_k]`, the rows of the decoder being gathered.
 *
 * @param indices i32, `batch k`
 */
export function gatherDecode(
  values: Tensor<"batch k">,
  indices: Tensor<"batch k">,
  W_dec: Tensor<"C d_out">,
): Tensor<"batch d_out"> {
  const rows = gather(W_dec, indices, "C") as Tensor<"batch k d_out">;
  return einsum("batch k, batch k d_out -> batch d_out", values, rows);
}
