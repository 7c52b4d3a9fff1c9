/** How much arithmetic a program asks for, counted from its operations and not from what a machine took. */
import { axisNames } from "../tensor/axes.ts";
import { isOp, type Tensor } from "../tensor/tensor.ts";
import { inTopologicalOrder } from "../tensor/traverse.ts";

/**
 * Floating-point operations of all products that sum something: two, a multiplication and an addition, for each combination of the indices of both factors.
 * What works element by element is not counted; nearly all the arithmetic of networks is in products.
 *
 * @param outputs of a simplified program
 */
export function productFlops(outputs: readonly Tensor[]): number {
  let total = 0;
  for (const node of inTopologicalOrder(outputs)) {
    if (!isOp(node, "einsum")) continue;
    const sizes = new Map(
      node.inputs.flatMap(({ axes, shape }) => axisNames(axes).map((axis, i) => [axis, shape[i]!])),
    );
    if (sizes.size === node.shape.length) continue;
    total += 2 * [...sizes.values()].reduce((product, size) => product * size, 1);
  }
  return total;
}
