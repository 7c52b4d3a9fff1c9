/**
 * A network as a pure function of named weights. The same function trains, is studied, is taken apart and runs in the page;
 * what is done to it on the way is told to it through `Hooks`.
 */
import { named } from "../settings.ts";
import { axisNames, input, type Tensor, type Tensors } from "../tensor/index.ts";

/** A weight matrix that can be taken apart: it multiplies an activation `batch d_in` from the right. */
export interface Site {
  readonly name: string;
  readonly dIn: number;
  readonly dOut: number;
  /** Which side of the matrix runs over input features, where one does and what each feature needs is known. */
  readonly features?: "in" | "out";
}

/** A named weight, with its axes in memory order. */
export interface WeightSpec {
  readonly name: string;
  readonly axes: string;
  readonly shape: readonly number[];
}

/** What an onlooker may do while a network runs. */
export interface Hooks {
  /**
   * Stands in for the product of an activation with a site's matrix.
   *
   * @param activation `batch d_in`
   * @param matrix     `d_in d_out`
   * @returns          `batch d_out`, or nothing to leave the product as it is
   */
  readonly matmul?: (
    site: Site,
    activation: Tensor<"batch d_in">,
    matrix: Tensor<"d_in d_out">,
  ) => Tensor<"batch d_out"> | undefined;
}

/** A network that can be trained, run and taken apart. */
export interface Network {
  /** Its matrices, in the order an activation meets them. */
  readonly sites: readonly Site[];
  readonly weights: readonly WeightSpec[];
  /**
   * The output for a batch of inputs, both with `batch` as their first axis.
   *
   * @param weights every weight by name
   */
  forward(weights: Tensors, x: Tensor, hooks?: Hooks): Tensor;
  /** A site's matrix `d_in d_out`, made of the weights. */
  matrix(weights: Tensors, site: string): Tensor<"d_in d_out">;
}

/** Weights as inputs of a program, by name. */
export function weightInputs(weights: readonly WeightSpec[]): Tensors {
  return Object.fromEntries(
    weights.map(({ name, axes, shape }) => {
      const sizes = Object.fromEntries(axisNames(axes).map((axis, i) => [axis, shape[i]!]));
      return [name, input(name, axes, sizes)];
    }),
  );
}

/**
 * The same network with fewer sites: the other matrices are no longer taken apart and run as they are.
 *
 * @param names of the sites to keep, with commas between; empty keeps all
 */
export function withSites(network: Network, names: string): Network {
  if (names === "") return network;
  const table = Object.fromEntries(network.sites.map((site) => [site.name, site]));
  return { ...network, sites: names.split(",").map((name) => named("site", name.trim(), table)) };
}
