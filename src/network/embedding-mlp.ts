/**
 * An MLP that reads the sum of its tokens' embeddings, `y = ReLU(Σ_pos W_E[token] W_in + b_in) W_U + b_U`: the smallest network that learns
 * modular addition as transformers do. It does not know which token came first.
 */
import { add, einsum, gather, relabel, relu, sum, type Tensor, type Tensors } from "../tensor/index.ts";
import { type Hooks, type Network, passing, type Site } from "./network.ts";

export interface EmbeddingMlpShape {
  readonly vocab: number;
  /** The most tokens that are summed. */
  readonly context: number;
  readonly dModel: number;
  readonly dMlp: number;
}

/** The network's function, its sites and its hook points. The output is `batch vocab`: one row of logits, whatever the number of tokens. */
export function embeddingMlp({ vocab, context, dModel, dMlp }: EmbeddingMlpShape): Network {
  const W_in: Site = { name: "blocks.0.mlp.W_in", dIn: dModel, dOut: dMlp };
  const W_U: Site = { name: "unembed.W_U", dIn: dMlp, dOut: vocab };
  const matrix = (given: Tensors, site: string): Tensor<"d_in d_out"> => relabel(given[site]!, "d_in d_out");

  const forward = (given: Tensors, tokens: Tensor, hooks: Hooks = {}): Tensor => {
    const product = <O extends string>(site: Site, x: Tensor, axis: O): Tensor<`batch ${O}`> => {
      const [read, W] = [relabel(x, "batch d_in"), matrix(given, site.name)];
      const seen = hooks.matmul?.(site, read, W);
      return relabel(seen ?? einsum("batch d_in, d_in d_out -> batch d_out", read, W), `batch ${axis}`);
    };
    const rows = gather(given["embed.W_E"] as Tensor<"vocab d_model">, tokens, "vocab");
    const embedded = passing(hooks, "hook_embed", relabel(rows, "batch pos d_model"));
    const summed = passing(hooks, "blocks.0.hook_resid_pre", sum(embedded, "pos"));
    const b_in = given["blocks.0.mlp.b_in"] as Tensor<"d_mlp">;
    const pre = passing(hooks, "blocks.0.mlp.hook_pre", add(product(W_in, summed, "d_mlp"), b_in));
    const post = passing(hooks, "blocks.0.mlp.hook_post", relu(pre));
    const b_U = given["unembed.b_U"] as Tensor<"vocab">;
    return passing(hooks, "unembed.hook_out", add(product(W_U, post, "vocab"), b_U));
  };

  return {
    input: { axes: "batch pos", dtype: "i32", sizes: {}, vocab, context },
    logits: "vocab",
    sites: [W_in, W_U],
    weights: [
      { name: "embed.W_E", axes: "vocab d_model", shape: [vocab, dModel] },
      { name: "blocks.0.mlp.W_in", axes: "d_model d_mlp", shape: [dModel, dMlp] },
      { name: "blocks.0.mlp.b_in", axes: "d_mlp", shape: [dMlp] },
      { name: "unembed.W_U", axes: "d_mlp vocab", shape: [dMlp, vocab] },
      { name: "unembed.b_U", axes: "vocab", shape: [vocab] },
    ],
    points: [
      { name: "hook_embed", axes: "batch pos d_model" },
      { name: "blocks.0.hook_resid_pre", axes: "batch d_model" },
      { name: "blocks.0.mlp.hook_pre", axes: "batch d_mlp" },
      { name: "blocks.0.mlp.hook_post", axes: "batch d_mlp" },
      { name: "unembed.hook_out", axes: "batch vocab" },
    ],
    forward,
    matrix,
  };
}
