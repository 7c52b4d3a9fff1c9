/**
 * A plain multilayer perceptron: each layer reads what the one before has written, and nothing else. Without an activation function it is a
 * deep linear network, whose output is a product of matrices times the input (Saxe, McClelland & Ganguli 2014).
 */
import { add, einsum, relabel, relu, type Tensor, type Tensors } from "../tensor/index.ts";
import {
  type HookPoint,
  type Hooks,
  type Network,
  passing,
  type Site,
  type Units,
  type WeightSpec,
} from "./network.ts";

export interface MlpShape {
  /** How many numbers go in. */
  readonly features: number;
  /** How many neurons each hidden layer has. */
  readonly hidden: readonly number[];
  readonly outputs: number;
  readonly activation: "relu" | "none";
  readonly bias: boolean;
}

interface Layer {
  readonly site: Site;
  /** The name of what is added to the product; absent without biases. */
  readonly bias?: string;
  /** Of a hidden layer; absent for the last. */
  readonly block?: string;
}

/** The network's function, its sites and its hook points. The output is `batch output`: numbers, or logits. */
export function mlp({ features, hidden, outputs, activation, bias }: MlpShape): Network {
  const sizes = [features, ...hidden, outputs];
  const layers = sizes.slice(1).map((dOut, l): Layer => {
    const dIn = sizes[l]!;
    const neurons = (side: Units["side"], count: number): { units?: Units } =>
      activation === "none" ? {} : { units: { side, kind: "neuron", count } };
    if (l === hidden.length) {
      // What it reads are neurons unless there is no layer before it.
      const read = l === 0 ? {} : neurons("in", dIn);
      return { site: { name: "unembed.W_U", dIn, dOut, ...read }, ...(bias && { bias: "unembed.b_U" }) };
    }
    const block = `blocks.${l}.mlp`;
    const site = { name: `${block}.W_in`, dIn, dOut, ...neurons("out", dOut) };
    return { block, site, ...(bias && { bias: `${block}.b_in` }) };
  });

  const matrix = (given: Tensors, site: string): Tensor<"d_in d_out"> => given[site] as Tensor<"d_in d_out">;

  const forward = (given: Tensors, x: Tensor, hooks: Hooks = {}): Tensor => {
    let value: Tensor<"batch d_in"> = relabel(x, "batch d_in");
    for (const { site, bias: b, block } of layers) {
      const W = matrix(given, site.name);
      const seen = hooks.matmul?.(site, value, W) as Tensor<"batch d_out"> | undefined;
      const product = seen ?? einsum("batch d_in, d_in d_out -> batch d_out", value, W);
      const into = b === undefined ? product : add(product, given[b] as Tensor<"d_out">);
      if (block === undefined) return passing(hooks, "unembed.hook_out", relabel(into, "batch output"));
      const pre = passing(hooks, `${block}.hook_pre`, relabel(into, "batch d_mlp"));
      value = relabel(passing(hooks, `${block}.hook_post`, activation === "relu" ? relu(pre) : pre), "batch d_in");
    }
    return value;
  };

  return {
    input: { axes: "batch feature", dtype: "f32", sizes: { feature: features } },
    sites: layers.map(({ site }) => site),
    weights: layers.flatMap(({ site, bias: b }): WeightSpec[] => [
      { name: site.name, axes: "d_in d_out", shape: [site.dIn, site.dOut] },
      ...(b === undefined ? [] : [{ name: b, axes: "d_out", shape: [site.dOut] }]),
    ]),
    points: layers.flatMap(({ block }): HookPoint[] =>
      block === undefined
        ? [{ name: "unembed.hook_out", axes: "batch output" }]
        : ["hook_pre", "hook_post"].map((point) => ({ name: `${block}.${point}`, axes: "batch d_mlp" })),
    ),
    forward,
    matrix,
  };
}
