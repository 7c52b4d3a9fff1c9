/** Weights at the start as PyTorch's `Linear` has them: uniform within one over the root of how many numbers are read. */
import { type Values, values } from "../engine/index.ts";
import type { WeightSpec } from "../network/network.ts";
import { foldIn, type Key, randomUniform, sizeOf } from "../tensor/index.ts";

/**
 * Numbers from U(±1/√reads), for a matrix or the bias that belongs to it.
 *
 * @param reads how many numbers the matrix reads
 */
export function linearStart({ name, axes, shape }: WeightSpec, reads: number, key: Key): Values {
  const bound = 1 / Math.sqrt(reads);
  return values(
    axes,
    shape,
    randomUniform(foldIn(key, name), sizeOf(shape)).map((u) => (2 * u - 1) * bound),
  );
}
