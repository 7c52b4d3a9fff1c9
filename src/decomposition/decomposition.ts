/**
 * The one interface: a decomposition is a set of components and a way to mask them. Neurons, singular vectors,
 * dictionary latents and parameter subcomponents all answer to it, so each causal test, score and screen is written once.
 */
import type { NamedValues } from "../engine/index.ts";
import type { Hooks, Network, Site } from "../network/network.ts";
import { reshape, sizesOf, type Tensor, type Tensors } from "../tensor/index.ts";

/** One part of a network. */
export interface ComponentInfo {
  /** `linear1:12`; the remainder of a site is `linear1:remainder`. */
  readonly address: string;
  readonly site: string;
  /** The rank of its matrix. */
  readonly rank: number;
  /** What it costs to write down, at 32 bits a number. */
  readonly bits: number;
}

/** For each site, how much of each component is kept: `C batch`, 1 keeps, 0 removes, in between interpolates. */
export type Masks = Readonly<Record<string, Tensor<"C batch">>>;

/** Matrices of one site, each a sum of rank-one factors. */
export interface Factors {
  /** What is read. */
  readonly V: Tensor<"d_in C m">;
  /** What is written. */
  readonly U: Tensor<"C m d_out">;
}

export interface Decomposition {
  readonly network: Network;
  /** Where it acts. */
  readonly sites: readonly Site[];
  readonly components: readonly ComponentInfo[];
  /** What is left over at each site; a component too, and always shown. */
  readonly remainder: readonly ComponentInfo[];
  /** The numbers behind it, the network's weights and its own, to feed to programs made with `tensors`. */
  readonly values: NamedValues;
  /** The same as inputs of a program. */
  readonly tensors: Tensors;
  /**
   * The components' matrices at a site, factorised: `P_c = Σ_m V[:, c, m] U[c, m, :]`. Absent where they are of rank one, with factors
   * `<site>.V` (`d_in C`) and `<site>.U` (`C d_out`) among `tensors`; `componentFactors` answers for both.
   */
  factors?(site: Site): Factors;
  /** How much each component matters on each input: causal importance, |latent|, … `C batch` for each site. */
  activity(x: Tensor): Masks;
  /**
   * How strongly each component acts on each input, where it is known: the length of what it writes, with the sign of what it reads.
   * `C batch` for each site.
   */
  activations?(x: Tensor): Masks;
  /**
   * The network's output with components masked.
   *
   * A site without masks runs on the network's own weights. `remainder` keeps (1) or removes (0) what is left over; it is
   * removed unless given. `at` sees values at hook points on the way.
   */
  masked(x: Tensor, masks: Masks, remainder?: Readonly<Record<string, Tensor>>, at?: Hooks["at"]): Tensor;
}

/** The matrices of a site's components, factorised. */
export function componentFactors(decomposition: Decomposition, site: Site): Factors {
  if (decomposition.factors !== undefined) return decomposition.factors(site);
  const [V, U] = [decomposition.tensors[`${site.name}.V`]!, decomposition.tensors[`${site.name}.U`]!];
  return {
    V: reshape(V, "d_in C m", { ...sizesOf(V), m: 1 }),
    U: reshape(U, "C m d_out", { ...sizesOf(U), m: 1 }),
  };
}
