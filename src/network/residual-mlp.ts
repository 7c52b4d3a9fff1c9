/**
 * The residual MLP: features embedded in a residual stream of more dimensions, layers that each read the stream and add to it
 * without biases, and the embedding's transpose to read features off at the end,
 * `y = (x W_E + Σ_l ReLU(r_l W_in,l) W_out,l) W_Eᵀ`. With fewer neurons than features it is the toy of compressed computation
 * (Braun, Bushnaq, Heimersheim, Mendel & Sharkey 2025, "Interpretability in Parameter Space"; Bushnaq, Braun & Sharkey 2025).
 */
import { add, einsum, relabel, relu, rename, type Tensor, type Tensors, transpose } from "../tensor/index.ts";
import { type HookPoint, type Hooks, type Network, passing, type Site, type WeightSpec } from "./network.ts";

export interface ResidualMlpShape {
  readonly features: number;
  /** Dimensions of the residual stream. */
  readonly dModel: number;
  /** Neurons of each layer. */
  readonly dMlp: number;
  readonly layers: number;
}

const layerNames = (layers: number): string[] => Array.from({ length: layers }, (_, l) => `blocks.${l}`);

/** The network's function, its sites and its hook points. `embed.W_E` is no site: it stays as it was drawn. */
export function residualMlp({ features, dModel, dMlp, layers }: ResidualMlpShape): Network {
  const names = layerNames(layers);
  const neurons = { kind: "neuron", count: dMlp } as const;
  const sites: readonly Site[] = names.flatMap((name): Site[] => [
    { name: `${name}.mlp.W_in`, dIn: dModel, dOut: dMlp, units: { side: "out", ...neurons } },
    { name: `${name}.mlp.W_out`, dIn: dMlp, dOut: dModel, units: { side: "in", ...neurons } },
  ]);
  const siteNamed = new Map(sites.map((site) => [site.name, site]));
  const matrix = (given: Tensors, site: string): Tensor<"d_in d_out"> => relabel(given[site]!, "d_in d_out");

  const forward = (given: Tensors, x: Tensor, hooks: Hooks = {}): Tensor => {
    const product = <O extends string>(name: string, activation: Tensor, axis: O): Tensor<`batch ${O}`> => {
      const [read, W] = [relabel(activation, "batch d_in"), matrix(given, name)];
      const seen = hooks.matmul?.(siteNamed.get(name)!, read, W);
      return relabel(seen ?? einsum("batch d_in, d_in d_out -> batch d_out", read, W), `batch ${axis}`);
    };
    const W_E = given["embed.W_E"] as Tensor<"feature d_model">;
    const embedded = einsum("batch feature, feature d_model -> batch d_model", relabel(x, "batch feature"), W_E);
    let stream = passing(hooks, "hook_embed", embedded);
    for (const name of names) {
      const pre = passing(hooks, `${name}.hook_resid_pre`, stream);
      const into = passing(hooks, `${name}.mlp.hook_pre`, product(`${name}.mlp.W_in`, pre, "d_mlp"));
      const post = passing(hooks, `${name}.mlp.hook_post`, relu(into));
      const out = passing(hooks, `${name}.hook_mlp_out`, product(`${name}.mlp.W_out`, post, "d_model"));
      stream = passing(hooks, `${name}.hook_resid_post`, add(pre, out));
    }
    const W_U = transpose(W_E, "d_model feature");
    const read = einsum("batch d_model, d_model feature -> batch feature", stream, W_U);
    return passing(hooks, "unembed.hook_out", read);
  };

  return {
    input: { axes: "batch feature", dtype: "f32", sizes: { feature: features } },
    sites,
    weights: residualMlpWeights(names, { features, dModel, dMlp }),
    points: [
      { name: "hook_embed", axes: "batch d_model" },
      ...names.flatMap(blockPoints),
      { name: "unembed.hook_out", axes: "batch feature" },
    ],
    forward,
    matrix,
  };
}

function residualMlpWeights(
  names: readonly string[],
  { features, dModel, dMlp }: Omit<ResidualMlpShape, "layers">,
): readonly WeightSpec[] {
  return [
    { name: "embed.W_E", axes: "feature d_model", shape: [features, dModel], frozen: true },
    ...names.flatMap((name) => [
      { name: `${name}.mlp.W_in`, axes: "d_model d_mlp", shape: [dModel, dMlp] },
      { name: `${name}.mlp.W_out`, axes: "d_mlp d_model", shape: [dMlp, dModel] },
    ]),
  ];
}

function blockPoints(name: string): HookPoint[] {
  return [
    { name: `${name}.hook_resid_pre`, axes: "batch d_model" },
    { name: `${name}.mlp.hook_pre`, axes: "batch d_mlp" },
    { name: `${name}.mlp.hook_post`, axes: "batch d_mlp" },
    { name: `${name}.hook_mlp_out`, axes: "batch d_model" },
    { name: `${name}.hook_resid_post`, axes: "batch d_model" },
  ];
}

/**
 * The same output without ever making the residual stream: what each matrix reads and writes is multiplied by the embedding, or by what
 * the matrices before it write, ahead of the data. With a batch far larger than the stream and a stream far wider than the features that
 * is a small fraction of the work, so training uses it; nothing can be hooked.
 *
 * @param x `batch feature`
 */
export function foldedResidualMlp(given: Tensors, x: Tensor<"batch feature">, layers: number): Tensor<"batch feature"> {
  const W_E = given["embed.W_E"] as Tensor<"feature d_model">;
  const W_U = rename<"out d_model">(W_E, "feature -> out");
  let output: Tensor<"batch out"> = einsum(
    "batch feature, feature out -> batch out",
    x,
    einsum("feature d_model, out d_model -> feature out", W_E, W_U),
  );
  const written: { readonly post: Tensor<"batch from">; readonly W_out: Tensor<"from d_model"> }[] = [];
  for (const name of layerNames(layers)) {
    const W_in = given[`${name}.mlp.W_in`] as Tensor<"d_model d_mlp">;
    let pre: Tensor<"batch d_mlp"> = einsum(
      "batch feature, feature d_mlp -> batch d_mlp",
      x,
      einsum("feature d_model, d_model d_mlp -> feature d_mlp", W_E, W_in),
    );
    for (const { post, W_out } of written) {
      const through = einsum("from d_model, d_model d_mlp -> from d_mlp", W_out, W_in);
      pre = add(pre, einsum("batch from, from d_mlp -> batch d_mlp", post, through));
    }
    const post = rename<"batch from">(relu(pre), "d_mlp -> from");
    const W_out = rename<"from d_model">(given[`${name}.mlp.W_out`]!, "d_mlp -> from");
    written.push({ post, W_out });
    const read = einsum("from d_model, out d_model -> from out", W_out, W_U);
    output = add(output, einsum("batch from, from out -> batch out", post, read));
  }
  return rename<"batch feature">(output, "out -> feature");
}
