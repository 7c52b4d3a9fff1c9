/**
 * A network as a pure function of named weights. The same function trains, is studied, is taken apart and runs in the page;
 * what is done to it on the way is told to it through `Hooks`.
 */
import { namesLike } from "./site-patterns.ts";
import { axisNames, type DType, input, type Tensor, type Tensors } from "../tensor/index.ts";

/** The neurons or heads that lie along one side of a matrix, side by side and of one width: what a nonlinearity acts on one by one. */
export interface Units {
  /** Which side of the matrix faces them: it writes into them, or reads from them. */
  readonly side: "in" | "out";
  readonly kind: "neuron" | "head";
  readonly count: number;
  /** How often each is used: by how many query heads, where keys and values are shared; 1 where absent. */
  readonly uses?: number;
}

/** A weight matrix that can be taken apart: it multiplies an activation `… d_in` from the right. */
export interface Site {
  readonly name: string;
  readonly dIn: number;
  readonly dOut: number;
  /** Which side of the matrix runs over input features, where one does and what each feature needs is known. */
  readonly features?: "in" | "out";
  /** The earlier site whose matrix this one is, transposed, where a network uses one matrix twice. */
  readonly transposeOf?: string;
  /** The other site that has the same components, transposed; see `withTies`. */
  readonly tiedTo?: string;
  /** Whether it is a table whose rows are read by index, as an embedding is: what goes into it are indices, i32, without `d_in`. */
  readonly indexed?: boolean;
  /** The units it faces; absent where it faces none, or nothing nonlinear acts on them. */
  readonly units?: Units;
}

/** A named weight, with its axes in memory order. */
export interface WeightSpec {
  readonly name: string;
  readonly axes: string;
  readonly shape: readonly number[];
  /** Whether training leaves it as it is. */
  readonly frozen?: boolean;
}

/** A place in a network where a value can be read and replaced, with the value's axes in memory order. */
export interface HookPoint {
  readonly name: string;
  readonly axes: string;
}

/** What a network is given: its axes begin with `batch`. */
export interface InputSpec {
  readonly axes: "batch feature" | "batch pos" | "batch pos feature";
  /** `i32` for tokens. */
  readonly dtype: DType;
  /** The sizes that do not change from run to run: how many features. */
  readonly sizes: Readonly<Record<string, number>>;
  /** For tokens: how many there are, ids from 0. */
  readonly vocab?: number;
  /** For sequences: the longest. */
  readonly context?: number;
}

/** What an onlooker may do while a network runs. */
export interface Hooks {
  /**
   * Stands in for the product of an activation with a site's matrix.
   *
   * @param activation `… d_in`: `batch` first, then `pos` where the network has positions; indices without `d_in` where the site is indexed
   * @param matrix     `d_in d_out`
   * @returns          `… d_out`, or nothing to leave the product as it is
   */
  readonly matmul?: (site: Site, activation: Tensor, matrix: Tensor<"d_in d_out">) => Tensor | undefined;
  /**
   * Sees the value at a hook point. What it returns stands in for the value from there on; nothing leaves it as it is.
   */
  readonly at?: (point: string, value: Tensor) => Tensor | undefined;
}

/** The value at a hook point as it goes on from there. */
export function passing<A extends string>(hooks: Hooks, point: string, value: Tensor<A>): Tensor<A> {
  return (hooks.at?.(point, value) as Tensor<A> | undefined) ?? value;
}

/** How a network's logits are made at its very end, row by row. */
export interface Unembedding {
  /** The hook point whose value, `… d_model`, they are made of and nothing else. */
  readonly point: string;
  /** The logits of some rows of that value: with `batch` first, and its other axes but the last as they are. */
  logits(weights: Tensors, value: Tensor): Tensor;
}

/** A network that can be trained, run and taken apart. */
export interface Network {
  readonly input: InputSpec;
  /** The axis along which its output is the logits of a distribution; absent where outputs are values. */
  readonly logits?: string;
  /** Where it answers: at the last position alone, what it says at the others being of no meaning; absent, wherever it has outputs. */
  readonly answersAt?: "last";
  /** How the logits are made, where they are many and what they are made of is less. */
  readonly unembedding?: Unembedding;
  /** Its matrices, in the order an activation meets them. */
  readonly sites: readonly Site[];
  /** Matrices that can be taken apart as well, but are not unless they are asked for by name. */
  readonly furtherSites?: readonly Site[];
  readonly weights: readonly WeightSpec[];
  /** Where values can be read and replaced, in the order they are met. */
  readonly points: readonly HookPoint[];
  /**
   * The output for a batch of inputs, both with `batch` as their first axis.
   *
   * @param weights every weight by name
   * @param padding `batch`, i32: for sequences, how many positions at the start of each row are no part of it
   */
  forward(weights: Tensors, x: Tensor, hooks?: Hooks, padding?: Tensor<"batch">): Tensor;
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
 * The same network with other sites, fewer or some of the further ones: the rest is not taken apart and runs as it is.
 *
 * @param names of the sites, with commas between and `*` for any part of one; empty leaves them as they are. A further site is meant
 *              only by its whole name
 */
export function withSites(network: Network, names: string): Network {
  if (names === "") return network;
  const all = [...network.sites, ...(network.furtherSites ?? [])];
  const [own, every] = [network.sites, all].map((sites) => sites.map(({ name }) => name));
  const found = names.split(",").flatMap((part) => {
    const pattern = part.trim();
    return namesLike("site", pattern, (pattern.includes("*") ? own : every)!);
  });
  return { ...network, sites: [...new Set(found)].map((name) => all.find((site) => site.name === name)!) };
}

/**
 * The same network, where sites that use one matrix twice share their components as well: what reads in the one writes in the other. Sites
 * that no other one is the transpose of stay as they are.
 */
export function withTies(network: Network): Network {
  const names = new Set(network.sites.map(({ name }) => name));
  const ties = network.sites.flatMap(({ name, transposeOf }): [string, string][] =>
    transposeOf !== undefined && names.has(transposeOf)
      ? [
          [name, transposeOf],
          [transposeOf, name],
        ]
      : [],
  );
  const other = new Map(ties);
  return {
    ...network,
    sites: network.sites.map((site) => (other.has(site.name) ? { ...site, tiedTo: other.get(site.name)! } : site)),
  };
}
