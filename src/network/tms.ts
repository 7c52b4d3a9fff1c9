/**
 * The toy model of superposition (Elhage et al. 2022): n features through m < n hidden dimensions and back,
 * `y = ReLU((x W) Wᵀ + b)`, with one matrix `W` used twice. The variant of the SPD paper has a frozen identity
 * between the two uses, a stand-in for a mechanism of rank m that every input needs.
 *
 * The two uses of `W` are two sites, `linear1` and `linear2`, and are taken apart separately.
 */
import { add, constant, einsum, relabel, relu, rename, type Tensor, type Tensors, transpose } from "../tensor/index.ts";
import { type Hooks, type Network, passing, type Site, type WeightSpec } from "./network.ts";

export interface TmsShape {
  /** n, the number of input features. */
  readonly features: number;
  /** m, the number of hidden dimensions. */
  readonly hidden: number;
  /** Whether a frozen m×m identity lies between the two uses of `W`. */
  readonly identity: boolean;
}

/** The network's function and its sites. */
export function tms({ features, hidden, identity }: TmsShape): Network {
  const linear1: Site = { name: "linear1", dIn: features, dOut: hidden, features: "in" };
  const middle: Site = { name: "identity", dIn: hidden, dOut: hidden };
  const linear2: Site = { name: "linear2", dIn: hidden, dOut: features, features: "out", transposeOf: "linear1" };
  const weights: readonly WeightSpec[] = [
    { name: "W", axes: "feature hidden", shape: [features, hidden] },
    { name: "b", axes: "feature", shape: [features] },
  ];

  const matrix = ({ W }: Tensors, site: string): Tensor<"d_in d_out"> => {
    if (site === "linear1") return relabel(W!, "d_in d_out");
    if (site === "linear2") return relabel(transpose(W!, "hidden feature"), "d_in d_out");
    const eye = Array.from({ length: hidden * hidden }, (_, i) => (i % (hidden + 1) === 0 ? 1 : 0));
    return constant("d_in d_out", { d_in: hidden, d_out: hidden }, eye);
  };

  const forward = (given: Tensors, x: Tensor, hooks: Hooks = {}): Tensor => {
    const through = (site: Site, activation: Tensor<"batch d_in">): Tensor<"batch d_out"> => {
      const W = matrix(given, site.name);
      const product = hooks.matmul?.(site, activation, W) as Tensor<"batch d_out"> | undefined;
      return product ?? einsum("batch d_in, d_in d_out -> batch d_out", activation, W);
    };
    const onward = (product: Tensor<"batch d_out">): Tensor<"batch d_in"> => rename(product, "d_out -> d_in");
    const first = onward(through(linear1, relabel(x, "batch d_in")));
    const between = identity ? onward(through(middle, first)) : first;
    const hidden = passing(hooks, "hook_hidden", rename<"batch hidden">(between, "d_in -> hidden"));
    const product = rename<"batch feature">(through(linear2, relabel(hidden, "batch d_in")), "d_out -> feature");
    const preactivation = passing(hooks, "hook_pre", add(product, given.b as Tensor<"feature">));
    return passing(hooks, "hook_post", relu(preactivation));
  };

  return {
    input: { axes: "batch feature", dtype: "f32", sizes: { feature: features } },
    sites: identity ? [linear1, middle, linear2] : [linear1, linear2],
    weights,
    points: [
      { name: "hook_hidden", axes: "batch hidden" },
      { name: "hook_pre", axes: "batch feature" },
      { name: "hook_post", axes: "batch feature" },
    ],
    forward,
    matrix,
  };
}
