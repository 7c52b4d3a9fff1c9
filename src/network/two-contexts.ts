/**
 * A network written by hand in which two mechanisms that do different things use one weight, both at its full magnitude. It is the case that is held against
 * parameter decomposition: that a network never needs the whole of a parameter in two mechanisms is assumed, and here it does.
 *
 *   context A: y = w x + 1          context B: y = ReLU(-w x)
 *
 * The first layer computes `h = ReLU(w x + 1)`, which is `w x + 1` as long as `|w x| ≤ 1`, and passes on which context it is. Of the second layer's two
 * neurons one is for each context and is silent in the other, by its bias:
 *
 *   ReLU(h + 2 a - 2)   is `w x + 1` where a = 1, and 0 where a = 0, for then h - 2 ≤ 0
 *   ReLU(b - h)         is `ReLU(-w x)` where b = 1, and 0 where b = 0, for then -h ≤ 0
 *
 * Either stays silent in the other's context whatever part of its matrix is masked. The output is their sum.
 */
import { type NamedValues, values } from "../engine/index.ts";
import { mlp } from "./mlp.ts";
import type { Network } from "./network.ts";

/** What goes in, in this order: x in [-1, 1], and 1 where it is context A or B. */
export const TWO_CONTEXTS_INPUTS = ["x", "a", "b"] as const;

export interface TwoContexts {
  readonly network: Network;
  readonly weights: NamedValues;
  /** The layer that has `w`, and the layer in which the mechanisms part. */
  readonly sites: { readonly shared: "blocks.0.mlp.W_in"; readonly apart: "blocks.1.mlp.W_in" };
}

/**
 * Builds it. The last layer, which adds both neurons up, is taken apart only where it is asked for: how it is shared out does not matter to an input.
 *
 * @param w from -1 to 1
 */
export function twoContexts(w: number): TwoContexts {
  const network = mlp({ features: 3, hidden: [3, 2], outputs: 1, activation: "relu", bias: true });
  const [shared, apart] = ["blocks.0.mlp.W_in", "blocks.1.mlp.W_in"] as const;
  const weights = {
    // x to h; the context passes through.
    [shared]: values("d_in d_out", [3, 3], [w, 0, 0, 0, 1, 0, 0, 0, 1]),
    "blocks.0.mlp.b_in": values("d_out", [3], [1, 0, 0]),
    // Rows are h, a and b, columns the neurons of A and B.
    [apart]: values("d_in d_out", [3, 2], [1, -1, 2, 0, 0, 1]),
    "blocks.1.mlp.b_in": values("d_out", [2], [-2, 0]),
    "unembed.W_U": values("d_in d_out", [2, 1], [1, 1]),
    "unembed.b_U": values("d_out", [1], [0]),
  };
  const isTakenApart = ({ name }: { readonly name: string }): boolean => name === shared || name === apart;
  return {
    network: {
      ...network,
      sites: network.sites.filter(isTakenApart),
      furtherSites: network.sites.filter((site) => !isTakenApart(site)),
      weights: network.weights.map((spec) => ({ ...spec, frozen: true })),
    },
    weights,
    sites: { shared, apart },
  };
}
