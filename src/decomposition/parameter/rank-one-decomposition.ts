/**
 * A network whose weight matrices are taken apart into rank-one subcomponents, whatever they come from: learnt ones, singular vectors. When one matters
 * is a subclass's to say.
 */
import { MechanistError } from "../../error.ts";
import type { NamedValues } from "../../engine/index.ts";
import { type Network, type Site, weightInputs, type WeightSpec } from "../../network/network.ts";
import { mul, reshape, sizesOf, sqrt, square, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import type { Carried, ComponentInfo, Decomposition, MaskedOptions, Masks } from "../decomposition.ts";
import { expectWeights } from "../expect-weights.ts";
import { componentsAt, matrixRemainder } from "../listing.ts";
import type { Slots } from "./importance/importance.ts";
import { maskedHooks, type SiteMask } from "./masks/masked-product.ts";
import {
  innerActivation,
  siteRows,
  type Subcomponents,
  subcomponentsOf,
  subcomponentWeights,
  withTiesMade,
} from "./subcomponents.ts";

/** How many slots each site has among components by name. */
export function slotsOf(sites: readonly Site[], components: NamedValues): Slots[] {
  return sites.map((site) => ({ site, C: countOf(components, `${site.name}.V`, 1) }));
}

const BITS = 32;

export abstract class RankOneDecomposition implements Decomposition {
  readonly network: Network;
  readonly sites: readonly Site[];
  readonly components: readonly ComponentInfo[];
  readonly remainder: readonly ComponentInfo[];
  readonly values: NamedValues;
  readonly tensors: Tensors;
  abstract readonly measure: Decomposition["measure"];

  /**
   * @param weights    the network's own weights
   * @param components subcomponents, `<site>.V` and so on, and what `further` asks for; every site must be there
   * @param further    tensors that a subclass needs besides
   */
  constructor(network: Network, weights: NamedValues, components: NamedValues, further: readonly WeightSpec[] = []) {
    this.network = network;
    this.sites = network.sites;
    const slots = slotsOf(this.sites, components);
    const parts = slots.flatMap(({ site, C }) => subcomponentWeights(site, C));
    const wanted = [...network.weights, ...parts, ...further];
    const given = { ...weights, ...components };
    this.values = withTiesMade(this.sites, expectWeights(wanted, given));
    this.tensors = weightInputs(wanted);
    this.components = this.sites.flatMap((site) =>
      componentsAt(site, this.componentCount(site.name), { rank: 1, bits: BITS * (site.dIn + site.dOut) }),
    );
    this.remainder = this.sites.map(matrixRemainder);
  }

  abstract activity(x: Tensor): Masks;

  /** How many subcomponents a site has. */
  componentCount(site: string): number {
    return countOf(this.values, `${site}.V`, 1);
  }

  /** `h_c ‖U_c‖` with `h_c = V_c · a`, which is the same however a subcomponent's length is shared between V and U. */
  activations(x: Tensor): Masks {
    return this.#innerActivations(x, (inner, { U }) => mul(inner, sqrt(sum(square(U), "d_out"))));
  }

  /** `h_c = V_c · a`, `C m batch` with m = 1. */
  carried(x: Tensor): Carried {
    return this.#innerActivations(x, (inner) => reshape(inner, "C m batch", { ...sizesOf(inner), m: 1 }));
  }

  masked(x: Tensor, masks: Masks, { remainder = {}, instead = {}, at }: MaskedOptions = {}): Tensor {
    const siteMask = (site: string): SiteMask => ({
      mask: masks[site]!,
      ...(remainder[site] && { remainder: remainder[site] }),
      ...(instead[site] && { instead: sum(instead[site], "m") }),
    });
    const bySite = Object.fromEntries(Object.keys(masks).map((site) => [site, siteMask(site)]));
    return this.network.forward(this.tensors, x, { ...(at && { at }), ...maskedHooks(this.tensors, bySite) });
  }

  /** Something of what each site's subcomponents read in a run on the network's own weights. */
  #innerActivations<T extends Tensor>(
    x: Tensor,
    of: (inner: Tensor<"C batch">, parts: Subcomponents) => T,
  ): Readonly<Record<string, T>> {
    const found: Record<string, T> = {};
    this.network.forward(this.tensors, x, {
      matmul: (site, activation) => {
        if (!this.sites.some(({ name }) => name === site.name)) return undefined;
        const parts = subcomponentsOf(this.tensors, site);
        found[site.name] = of(innerActivation(siteRows(activation), parts), parts);
        return undefined;
      },
    });
    return found;
  }
}

function countOf(named: NamedValues, name: string, axis: number): number {
  const found = named[name];
  if (found === undefined) throw new MechanistError("BadFile", `components: expected ${name}, got none`);
  return found.shape[axis]!;
}
