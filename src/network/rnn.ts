/**
 * A plain recurrent network, `h_t = tanh(x_t W_in + h_{t-1} W_rec + b_hidden)` from `h_0 = 0`, read out at every position by
 * `y_t = h_t W_out + b_out`; unrolled over positions when it is traced.
 */
import {
  add,
  axisSize,
  concat,
  constant,
  contract,
  einsum,
  relabel,
  reshape,
  select,
  tanh,
  type Tensor,
  type Tensors,
} from "../tensor/index.ts";
import { type Hooks, type Network, passing, type Site } from "./network.ts";

export interface RnnShape {
  /** How many numbers go in at a position. */
  readonly features: number;
  /** Hidden units. */
  readonly hidden: number;
  readonly outputs: number;
  /** How long its sequences are. Weights do not depend on it. */
  readonly positions: number;
}

/** A network whose state after a position is a function of its state before it and of the input there. */
export interface RecurrentNetwork extends Network {
  /** How many numbers its state has. */
  readonly hidden: number;
  step(weights: Tensors, hidden: Tensor<"batch hidden">, x: Tensor<"batch feature">): Tensor<"batch hidden">;
}

/**
 * The network's function, its sites and its hook points.
 *
 * The state after position t is the hook point `steps.t.hook_hidden`; what is put in its place goes on into the next position. All of
 * them, as they are read out, are `hook_hidden`. The products of `W_in` and `W_out` are seen for all positions at once; that of `W_rec` is
 * seen once for each position, in order, under a `pos` of size 1.
 */
export function rnn({ features, hidden, outputs, positions }: RnnShape): RecurrentNetwork {
  const neurons = { kind: "neuron", count: hidden } as const;
  const W_in: Site = { name: "W_in", dIn: features, dOut: hidden, units: { side: "out", ...neurons } };
  const W_rec: Site = { name: "W_rec", dIn: hidden, dOut: hidden, units: { side: "out", ...neurons } };
  const W_out: Site = { name: "W_out", dIn: hidden, dOut: outputs, units: { side: "in", ...neurons } };

  const matrix = (given: Tensors, site: string): Tensor<"d_in d_out"> => relabel(given[site]!, "d_in d_out");
  const product = (given: Tensors, site: Site, x: Tensor): Tensor<"batch hidden"> =>
    relabel(contract(relabel(x, "batch d_in"), matrix(given, site.name), "batch d_out"), "batch hidden");
  const next = (given: Tensors, driven: Tensor<"batch hidden">, recurrent: Tensor<"batch hidden">) =>
    tanh(add(add(driven, recurrent), given.b_hidden as Tensor<"hidden">));

  const forward = (given: Tensors, x: Tensor, hooks: Hooks = {}): Tensor => {
    const [batch, pos] = [axisSize(x, "batch"), axisSize(x, "pos")];
    const matmul = (site: Site, activation: Tensor): Tensor | undefined =>
      hooks.matmul?.(site, relabel(activation, "batch pos d_in"), matrix(given, site.name));
    // One product a position, unless somebody stands in for all: its gradient is a small sum, where that of slices is a large one.
    const driven = matmul(W_in, x);
    const states: Tensor<"batch pos hidden">[] = [];
    let state = constant("batch hidden", { batch, hidden }, 0);
    for (let t = 0; t < pos; t++) {
      const at = (all: Tensor): Tensor => select(all, "pos", t) as Tensor;
      const from = driven === undefined ? product(given, W_in, at(x)) : relabel(at(driven), "batch hidden");
      const seen = hooks.matmul && matmul(W_rec, reshape(state, "batch pos hidden", { batch, pos: 1, hidden }));
      const recurrent = seen ? reshape(seen, "batch hidden", { batch, hidden }) : product(given, W_rec, state);
      state = passing(hooks, `steps.${t}.hook_hidden`, next(given, from, recurrent));
      states.push(reshape(state, "batch pos hidden", { batch, pos: 1, hidden }));
    }
    const read = relabel(passing(hooks, "hook_hidden", concat(states, "pos")), "batch pos d_in");
    const W = matrix(given, "W_out");
    const out = matmul(W_out, read) ?? einsum("batch pos d_in, d_in d_out -> batch pos d_out", read, W);
    return passing(hooks, "hook_out", add(relabel(out, "batch pos output"), given.b_out as Tensor<"output">));
  };

  return {
    hidden,
    input: { axes: "batch pos feature", dtype: "f32", sizes: { pos: positions, feature: features } },
    sites: [W_in, W_rec, W_out],
    weights: [
      { name: "W_in", axes: "feature hidden", shape: [features, hidden] },
      { name: "W_rec", axes: "from hidden", shape: [hidden, hidden] },
      { name: "b_hidden", axes: "hidden", shape: [hidden] },
      { name: "W_out", axes: "hidden output", shape: [hidden, outputs] },
      { name: "b_out", axes: "output", shape: [outputs] },
    ],
    points: [
      ...Array.from({ length: positions }, (_, t) => ({ name: `steps.${t}.hook_hidden`, axes: "batch hidden" })),
      { name: "hook_hidden", axes: "batch pos hidden" },
      { name: "hook_out", axes: "batch pos output" },
    ],
    forward,
    matrix,
    step: (given, state, x) => next(given, product(given, W_in, x), product(given, W_rec, state)),
  };
}
