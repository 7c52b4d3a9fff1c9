/**
 * Features in superposition with nothing to learn: `x = c F`, n features in d dimensions, each with a direction of its own. What comes in is how strongly each
 * feature is present, what comes out is the activation; the hook point `hook_hidden` is where it lies.
 */
import { einsum, relabel, rename, type Tensor, type Tensors } from "../tensor/index.ts";
import { type Hooks, type Network, passing, type Site } from "./network.ts";

export interface SuperpositionShape {
  readonly features: number;
  readonly dimensions: number;
}

/** The network's function and its site. */
export function superposition({ features, dimensions }: SuperpositionShape): Network {
  const embed: Site = { name: "embed", dIn: features, dOut: dimensions, features: "in" };
  const matrix = ({ F }: Tensors): Tensor<"d_in d_out"> => relabel(F!, "d_in d_out");
  return {
    input: { axes: "batch feature", dtype: "f32", sizes: { feature: features } },
    sites: [embed],
    weights: [{ name: "F", axes: "feature d", shape: [features, dimensions], frozen: true }],
    points: [{ name: "hook_hidden", axes: "batch d" }],
    forward: (weights, x, hooks: Hooks = {}) => {
      const given = relabel(x, "batch d_in");
      const W = matrix(weights);
      const product =
        (hooks.matmul?.(embed, given, W) as Tensor<"batch d_out"> | undefined) ??
        einsum("batch d_in, d_in d_out -> batch d_out", given, W);
      return passing(hooks, "hook_hidden", rename<"batch d">(product, "d_out -> d"));
    },
    matrix: (weights) => matrix(weights),
  };
}
