/**
 * The one interface: a decomposition is a set of components and a way to mask them. Neurons, singular vectors,
 * dictionary latents and parameter subcomponents all answer to it, so each causal test, score and screen is written once.
 */
import type { NamedValues } from "../engine/index.ts";
import type { Hooks, Network, Site } from "../network/network.ts";
import { cast, greater, reshape, sizesOf, type Tensor, type Tensors } from "../tensor/index.ts";

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

/** What each component carries before it is written, `C m batch` for components of rank m; or one value for all rows, `C m`. */
export type Carried = Readonly<Record<string, Tensor>>;

/** A value, `batch d_in`, and what components make of it, `batch d_out`: one row an example and position. */
export interface Reconstructed {
  readonly value: Tensor;
  readonly made: Tensor;
}

/** What else is done to a run with components masked. */
export interface MaskedOptions {
  /** What is kept (1) or removed (0) of what is left over at a site: `batch`, or one number for all rows; removed unless given. */
  readonly remainder?: Readonly<Record<string, Tensor>>;
  /** What stands in for what is removed, as `carried` gives it: of other inputs, or a mean of them. Nothing (zero) unless given. */
  readonly instead?: Carried;
  /** Sees values at hook points on the way. */
  readonly at?: Hooks["at"];
}

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
  /**
   * What `activity` is: a causal importance in [0, 1], or a magnitude from 0 up, the length of what a component writes. A component of
   * magnitude 0 is out whether it is masked or not; one of importance 0 is not.
   */
  readonly measure: "importance" | "magnitude";
  /** How much each component matters on each input: causal importance, |latent|, … `C batch` for each site. */
  activity(x: Tensor): Masks;
  /**
   * How strongly each component acts on each input, where it is known: the length of what it writes, with the sign of what it reads.
   * `C batch` for each site.
   */
  activations?(x: Tensor): Masks;
  /**
   * Where components write at hook points: each point's value in a run on the network's own weights, `batch d`, and what all components
   * together make of it. Absent where components are parts of weights.
   */
  reconstructions?(x: Tensor): Readonly<Record<string, Reconstructed>>;
  /** What each component carries in a run on the network's own weights: what its directions are multiplied with. `C m batch`. */
  carried(x: Tensor): Carried;
  /** The network's output with components masked. A site without masks runs as the network itself does. */
  masked(x: Tensor, masks: Masks, options?: MaskedOptions): Tensor;
}

/** A component whose mean importance on data is not above this is dead (VPD: alive are those with more). */
export const ALIVE_MEAN = 1e-6;

/** How much each component matters on each input, in [0, 1] whatever the family: where `activity` is a magnitude, whether it is above 0. */
export function importancesOf(decomposition: Decomposition, x: Tensor): Masks {
  const activity = decomposition.activity(x);
  if (decomposition.measure === "importance") return activity;
  return Object.fromEntries(
    Object.entries(activity).map(([site, strength]) => [site, cast(greater(strength, 0), "f32")]),
  );
}

/** Whether components are parts of weight matrices, which can be multiplied out and added up. */
export function isOfWeights(decomposition: Decomposition): boolean {
  const { factors, sites, tensors } = decomposition;
  return factors !== undefined || sites.every(({ name }) => `${name}.V` in tensors && `${name}.U` in tensors);
}

/**
 * The matrices of a site's components, factorised.
 *
 * @param decomposition one whose components are parts of weight matrices
 */
export function componentFactors(decomposition: Decomposition, site: Site): Factors {
  if (decomposition.factors !== undefined) return decomposition.factors(site);
  const [V, U] = [decomposition.tensors[`${site.name}.V`]!, decomposition.tensors[`${site.name}.U`]!];
  return {
    V: reshape(V, "d_in C m", { ...sizesOf(V), m: 1 }),
    U: reshape(U, "C m d_out", { ...sizesOf(U), m: 1 }),
  };
}
