/**
 * A network written by hand in which two mechanisms that do different things use one weight, both at its full magnitude. It is the case that is held against
 * parameter decomposition: that a network never needs the whole of a parameter in two mechanisms is assumed, and here it does.
 *
 *   context A: y = w x + 1          context B: y = ReLU(-w x)
 *
 * The first layer computes `h = w x`. Of the second layer's two neurons one is for each context and is silent in the other, by its bias:
 *
 *   ReLU(h + 2 a - 1)    is `w x + 1` where a = 1, and 0 where a = 0, for then h - 1 ≤ 0
 *   ReLU(b - h - 1)      is `ReLU(-w x)` where b = 1, and 0 where b = 0, for then -h - 1 ≤ 0
 *
 * Either stays silent in the other's context whatever part of its matrix is masked. The output is their sum.
 *
 * Which context it is reaches the second layer either past the first or through it. Past it, the first layer has nothing but `w`. Through it, the first matrix is
 * `diag(w, 1, 1)`, and as each neuron of the second layer reads one direction of what it writes, it is a sum of a part for A alone, one for B alone and one that
 * nothing needs just as well: then `w` can be shared out although neither context can do without the whole of it.
 */
import { type NamedValues, values } from "../engine/index.ts";
import { add, concat, einsum, relabel, relu, rename, slice, type Tensor, type Tensors } from "../tensor/index.ts";
import { mlp } from "./mlp.ts";
import { type Hooks, type Network, passing, type Site, type WeightSpec } from "./network.ts";

/** What goes in, in this order: x in [-1, 1], and 1 where it is context A or B. */
export const TWO_CONTEXTS_INPUTS = ["x", "a", "b"] as const;

/** How the context reaches the second layer: past the first, or through it. */
export const CONTEXT_ROUTES = ["past", "through"] as const;
type ContextRoute = (typeof CONTEXT_ROUTES)[number];

export interface TwoContexts {
  readonly network: Network;
  readonly weights: NamedValues;
}

/** The layer that has `w`, the layer in which the mechanisms part, and the last, which adds both up. */
const [FIRST, SECOND, LAST] = ["blocks.0.mlp.W_in", "blocks.1.mlp.W_in", "unembed.W_U"] as const;

/**
 * Builds it. The last layer is taken apart only where it is asked for: how it is shared out does not matter to an input.
 *
 * @param w from -1 to 1
 */
export function twoContexts(w: number, route: ContextRoute): TwoContexts {
  const matrices = {
    // Rows are h, a and b, columns the neurons of A and B.
    [SECOND]: values("d_in d_out", [3, 2], [1, -1, 2, 0, 0, 1]),
    [LAST]: values("d_in d_out", [2, 1], [1, 1]),
  };
  if (route === "past") {
    const weights = {
      [FIRST]: values("d_in d_out", [1, 1], [w]),
      "blocks.1.mlp.b_in": values("d_out", [2], [-1, -1]),
      ...matrices,
    };
    return { network: past(), weights };
  }
  const network = mlp({ features: 3, hidden: [3, 2], outputs: 1, activation: "relu", bias: true });
  const weights = {
    [FIRST]: values("d_in d_out", [3, 3], [w, 0, 0, 0, 1, 0, 0, 0, 1]),
    // Neurons are never below 0: what h has too much goes off again.
    "blocks.0.mlp.b_in": values("d_out", [3], [1, 0, 0]),
    "blocks.1.mlp.b_in": values("d_out", [2], [-2, 0]),
    "unembed.b_U": values("d_out", [1], [0]),
    ...matrices,
  };
  const isLast = ({ name }: Site): boolean => name === LAST;
  return {
    network: {
      ...network,
      sites: network.sites.filter((site) => !isLast(site)),
      furtherSites: network.sites.filter(isLast),
      weights: network.weights.map((spec) => ({ ...spec, frozen: true })),
    },
    weights,
  };
}

function past(): Network {
  const first: Site = { name: FIRST, dIn: 1, dOut: 1 };
  const second: Site = { name: SECOND, dIn: 3, dOut: 2, units: { side: "out", kind: "neuron", count: 2 } };
  const last: Site = { name: LAST, dIn: 2, dOut: 1, units: { side: "in", kind: "neuron", count: 2 } };
  const sites = [first, second, last];
  const matrix = (given: Tensors, site: string): Tensor<"d_in d_out"> => given[site] as Tensor<"d_in d_out">;
  return {
    input: { axes: "batch feature", dtype: "f32", sizes: { feature: TWO_CONTEXTS_INPUTS.length } },
    sites: [first, second],
    furtherSites: [last],
    weights: [
      ...sites.map(({ name, dIn, dOut }): WeightSpec => ({
        name,
        axes: "d_in d_out",
        shape: [dIn, dOut],
        frozen: true,
      })),
      { name: "blocks.1.mlp.b_in", axes: "d_out", shape: [2], frozen: true },
    ],
    points: [
      { name: "blocks.0.mlp.hook_pre", axes: "batch d_mlp" },
      { name: "blocks.1.mlp.hook_pre", axes: "batch d_mlp" },
      { name: "blocks.1.mlp.hook_post", axes: "batch d_mlp" },
      { name: "unembed.hook_out", axes: "batch output" },
    ],
    forward: (weights, given, hooks: Hooks = {}) => {
      const product = (site: Site, value: Tensor<"batch d_in">): Tensor<"batch d_out"> => {
        const W = matrix(weights, site.name);
        const seen = hooks.matmul?.(site, value, W) as Tensor<"batch d_out"> | undefined;
        return seen ?? einsum("batch d_in, d_in d_out -> batch d_out", value, W);
      };
      const x = relabel(given, "batch d_in");
      const made = product(first, slice(x, "d_in", 0, 1));
      const h = passing(hooks, "blocks.0.mlp.hook_pre", rename<"batch d_mlp">(made, "d_out -> d_mlp"));
      const read = concat([rename<"batch d_in">(h, "d_mlp -> d_in"), slice(x, "d_in", 1, 3)], "d_in");
      const into = add(product(second, read), weights["blocks.1.mlp.b_in"] as Tensor<"d_out">);
      const pre = passing(hooks, "blocks.1.mlp.hook_pre", rename<"batch d_mlp">(into, "d_out -> d_mlp"));
      const post = passing(hooks, "blocks.1.mlp.hook_post", relu(pre));
      const y = product(last, rename<"batch d_in">(post, "d_mlp -> d_in"));
      return passing(hooks, "unembed.hook_out", rename<"batch output">(y, "d_out -> output"));
    },
    matrix,
  };
}
