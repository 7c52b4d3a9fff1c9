/**
 * Hierarchical equality solved by hand: an MLP whose hidden layers are known to hold the variables of the causal model, and where. It is what
 * interchange interventions are held against: they must find it exactly.
 */
import { type NamedValues, values } from "../engine/index.ts";
import { mlp } from "./mlp.ts";
import type { Network } from "./network.ts";

/** How much nearer than the other pair one has to be to pass for equal: (1/this)^dimensions of unequal pairs are. */
const KEENNESS = 1000;
/** What the logit of true is, in multiples of which the distance of an unequal pair is the logit of false. */
const THRESHOLD = 1e-3;

export interface EqualityCircuit {
  readonly network: Network;
  readonly weights: NamedValues;
  /** The hook point that holds both variables. */
  readonly point: "blocks.0.mlp.hook_post";
  /** From which neuron to which (not counted) each lies there. */
  readonly variables: { readonly left: readonly [number, number]; readonly right: readonly [number, number] };
}

/**
 * Two hidden layers. The first has `ReLU(a - b)`, `ReLU(b - a)` of every number, then the same of c and d, so that A = |a - b| and
 * B = |c - d|, summed, can be read from it. The second has `ReLU(A - 1000 B)` and `ReLU(B - 1000 A)`, of which one is above 0 where one pair is equal and
 * the other is not. Logits are for false and true.
 *
 * It errs where an unequal pair is a thousand times nearer than the other, or nearer than 0.001: with four numbers in 10⁻¹² or so of all inputs.
 */
export function equalityCircuit(dimensions: number): EqualityCircuit {
  const network = mlp({
    features: 4 * dimensions,
    hidden: [4 * dimensions, 2],
    outputs: 2,
    activation: "relu",
    bias: true,
  });
  const side = 2 * dimensions;
  const matrix = (rows: number, columns: number, entry: (row: number, column: number) => number): NamedValues[string] =>
    values(
      "d_in d_out",
      [rows, columns],
      Float32Array.from({ length: rows * columns }, (_, i) => entry(Math.floor(i / columns), i % columns)),
    );
  const differences = matrix(2 * side, 2 * side, (number, neuron) => {
    if (number % dimensions !== neuron % dimensions || Math.floor(number / side) !== Math.floor(neuron / side))
      return 0;
    const [second, reversed] = [number, neuron].map((at) => Math.floor((at % side) / dimensions));
    return second === reversed ? 1 : -1;
  });
  const weights = {
    "blocks.0.mlp.W_in": differences,
    "blocks.0.mlp.b_in": values("d_out", [2 * side], new Float32Array(2 * side)),
    "blocks.1.mlp.W_in": matrix(2 * side, 2, (neuron, which) => (Math.floor(neuron / side) === which ? 1 : -KEENNESS)),
    "blocks.1.mlp.b_in": values("d_out", [2], [0, 0]),
    "unembed.W_U": matrix(2, 2, (_, logit) => (logit === 0 ? 1 : 0)),
    "unembed.b_U": values("d_out", [2], [0, THRESHOLD]),
  };
  return { network, weights, point: "blocks.0.mlp.hook_post", variables: { left: [0, side], right: [side, 2 * side] } };
}
