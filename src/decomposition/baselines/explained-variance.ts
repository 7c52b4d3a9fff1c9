/**
 * Explained variance: `1 - Σ‖x - x̂‖² / Σ‖x - x̄‖²` over rows, x̄ their mean, kept in float32. 1 is everything; to predict the mean is 0, exactly; what is worse
 * than that is below 0.
 *
 * What it does not say: whether what is written is what the network uses. A direction of little variance may decide its output.
 */
import { compile, type NamedValues } from "../../engine/index.ts";
import { add, axisSize, input, type Tensor, type Tensors } from "../../tensor/index.ts";
import type { Coder } from "../activation/coder.ts";
import type { Fitting } from "./fitting.ts";
import { chunksOf, meanRow, type SampledRows } from "./sample.ts";

/** Of rows as they were written, beside the rows as they are. */
export function explainedVariance(rows: SampledRows, made: ArrayLike<number>): number {
  const mean = meanRow(rows);
  let [left, all] = [0, 0];
  rows.data.forEach((x, i) => {
    left += (x - made[i]!) ** 2;
    all += (x - mean[i % rows.width]!) ** 2;
  });
  return all === 0 ? 0 : 1 - left / all;
}

/** Of what all components of a code write together, with its bias. */
export async function codeExplains(
  { coder, tensors, values }: { readonly coder: Coder; readonly tensors: Tensors; readonly values: NamedValues },
  rows: SampledRows,
  fitting: Fitting,
): Promise<number> {
  const point = coder.site.name;
  const size = 1024;
  const x = input("rows", "batch d_in", { batch: size, d_in: rows.width }) as Tensor<"batch d_in">;
  const read = { [point]: x };
  const parts = coder.decode(tensors, coder.encode(tensors, read), point) as Tensor;
  const bias = coder.bias?.(tensors, read, point);
  const made = bias === undefined ? parts : (add(parts, bias) as Tensor);
  const program = await compile({ made }, fitting.placed);
  const written = new Float32Array(rows.data.length);
  try {
    for (const { from, rows: data } of chunksOf(rows, axisSize(x, "batch"))) {
      const found = await program.run({
        ...values,
        rows: { axes: "batch d_in", shape: [size, rows.width], dtype: "f32", data },
      });
      const count = Math.min(size, rows.count - from) * rows.width;
      written.set((found.made.data as Float32Array).subarray(0, count), from * rows.width);
    }
  } finally {
    await program.dispose();
  }
  return explainedVariance(rows, written);
}
