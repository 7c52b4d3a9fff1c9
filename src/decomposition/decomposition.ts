/**
 * The one interface: a decomposition is a set of components and a way to mask them. Neurons, singular vectors,
 * dictionary latents and parameter subcomponents all answer to it, so each causal test, score and screen is written once.
 */
import type { NamedValues } from "../engine/index.ts";
import type { Hooks, Network, Site } from "../network/network.ts";
import type { Tensor, Tensors } from "../tensor/index.ts";

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
