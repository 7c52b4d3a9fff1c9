/**
 * Gradients of what a network says with respect to its matrices, one for each example and never multiplied out: where a site's product
 * is `a W`, the gradient of a loss of one example with respect to `W` is `a ⊗ δ`, with `δ` its gradient with respect to the product.
 */
import type { Network, Site } from "../../network/network.ts";
import { add, constant, einsum, gradients, sizesOf, type Tensor, type Tensors } from "../../tensor/index.ts";

/** A run with what its sites read, and something to differentiate by. */
export interface WatchedRun {
  readonly output: Tensor;
  /** `a` at each site, in the order of the sites. */
  readonly activations: readonly Tensor<"batch d_in">[];
  /**
   * `δ` at each site: the gradients of a loss with respect to the products. Where the loss is a sum over examples, each row is the gradient of
   * that example's own term.
   */
  slopes(loss: Tensor<"">): readonly Tensor<"batch d_out">[];
}

/**
 * Runs a network of examples without positions.
 *
 * @param product what stands in for a site's product; absent, the network's own matrices
 */
export function watchedRun(
  network: Network,
  weights: Tensors,
  x: Tensor,
  product?: (site: Site, activation: Tensor<"batch d_in">) => Tensor<"batch d_out">,
): WatchedRun {
  const activations: Record<string, Tensor<"batch d_in">> = {};
  const zeros: Record<string, Tensor<"batch d_out">> = {};
  const output = network.forward(weights, x, {
    matmul: (site, given, W) => {
      if (!network.sites.some(({ name }) => name === site.name)) return undefined;
      const activation = given as Tensor<"batch d_in">;
      const { batch } = sizesOf(activation) as { batch: number };
      activations[site.name] = activation;
      // Nothing is added, but a gradient can be taken by it; the compiler takes it out again.
      const zero = (zeros[site.name] = constant("batch d_out", { batch, d_out: site.dOut }, 0));
      const value = product?.(site, activation) ?? einsum("batch d_in, d_in d_out -> batch d_out", activation, W);
      return add(value, zero);
    },
  });
  const names = network.sites.map(({ name }) => name);
  return {
    output,
    activations: names.map((name) => activations[name]!),
    slopes: (loss) =>
      gradients(
        loss,
        names.map((name) => zeros[name]!),
      ),
  };
}
