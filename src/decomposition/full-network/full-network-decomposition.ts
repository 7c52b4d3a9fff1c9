/**
 * Components that span the whole network as a `Decomposition`: component c has a part at every site, and the parts share the number c.
 *
 * The interface has components at sites. So each part has an address of its own, `linear1:3` and `linear2:3`, their activity is the same
 * numbers, and the component as a whole is removed by the same mask at all sites. Nothing is lost by it: a part can be
 * masked alone, which asks whether a component needs all of itself.
 */
import type { NamedValues } from "../../engine/index.ts";
import { type Network, type Site, weightInputs, type WeightSpec } from "../../network/network.ts";
import { add, axisSize, einsum, mul, type Tensor, type Tensors } from "../../tensor/index.ts";
import type { Carried, ComponentInfo, Decomposition, Factors, MaskedOptions, Masks } from "../decomposition.ts";
import { expectWeights } from "../expect-weights.ts";
import { componentsAt, matrixRemainder } from "../listing.ts";
import { componentProduct, innerActivation, remainderOf } from "./factors.ts";

const BITS = 32;

/** What a method says of its components. */
export interface FullNetworkParts {
  /** How many components there are. */
  readonly count: number;
  /** The tensors beside the network's weights. */
  readonly weights: readonly WeightSpec[];
  /** A site's part of every component, in tensors by the names of `weights`. */
  factors(tensors: Tensors, site: Site): Factors;
  /** Whether parts at this site are given by those at another, so that writing them down costs nothing. */
  determined(site: Site): boolean;
  /** How much each component matters on each input, in [0, 1]. */
  activity(tensors: Tensors, x: Tensor): Tensor<"C batch">;
}

export class FullNetworkDecomposition implements Decomposition {
  readonly network: Network;
  readonly sites: readonly Site[];
  readonly components: readonly ComponentInfo[];
  readonly remainder: readonly ComponentInfo[];
  readonly values: NamedValues;
  readonly tensors: Tensors;
  readonly measure = "importance";
  readonly #parts: FullNetworkParts;

  /**
   * @param weights    the network's own weights
   * @param components the tensors that `parts` asks for; all must be there
   */
  constructor(network: Network, weights: NamedValues, components: NamedValues, parts: FullNetworkParts) {
    this.network = network;
    this.sites = network.sites;
    this.#parts = parts;
    const wanted = [...network.weights, ...parts.weights];
    this.values = expectWeights(wanted, { ...weights, ...components });
    this.tensors = weightInputs(wanted);
    this.components = this.sites.flatMap((site) => {
      const rank = axisSize(parts.factors(this.tensors, site).V, "m");
      const bits = parts.determined(site) ? 0 : BITS * rank * (site.dIn + site.dOut);
      return componentsAt(site, parts.count, { rank, bits });
    });
    this.remainder = this.sites.map(matrixRemainder);
  }

  factors(site: Site): Factors {
    return this.#parts.factors(this.tensors, site);
  }

  activity(x: Tensor): Masks {
    const activity = this.#parts.activity(this.tensors, x);
    return Object.fromEntries(this.sites.map(({ name }) => [name, activity]));
  }

  carried(x: Tensor): Carried {
    const found: Record<string, Tensor> = {};
    this.network.forward(this.tensors, x, {
      matmul: (site, activation) => {
        found[site.name] = innerActivation(activation as Tensor<"batch d_in">, this.factors(site));
        return undefined;
      },
    });
    return found;
  }

  masked(x: Tensor, masks: Masks, { remainder = {}, instead = {}, at }: MaskedOptions = {}): Tensor {
    return this.network.forward(this.tensors, x, {
      ...(at && { at }),
      matmul: (site, given, W) => {
        const mask = masks[site.name];
        if (mask === undefined) return undefined;
        const activation = given as Tensor<"batch d_in">;
        const factors = this.factors(site);
        const product = componentProduct(activation, factors, mask, instead[site.name]);
        const rest = remainder[site.name];
        if (rest === undefined) return product;
        const left = einsum("batch d_in, d_in d_out -> batch d_out", activation, remainderOf(W, factors));
        return add(product, mul(left, rest) as Tensor<"batch d_out">);
      },
    });
  }
}
