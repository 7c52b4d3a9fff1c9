/** A decoder-only transformer as a pure function of named weights. */
import {
  add,
  axisNames,
  axisSize,
  broadcast,
  contract,
  div,
  gather,
  mul,
  relabel,
  reshape,
  sizeOf,
  tanh,
  type Tensor,
  type Tensors,
  transpose,
} from "../../tensor/index.ts";
import { type Hooks, type Network, passing, type Site, type Units, type WeightSpec } from "../network.ts";
import { attention } from "./attention.ts";
import type { Block } from "./block.ts";
import type { TransformerConfig } from "./config.ts";
import { mlp } from "./mlp.ts";
import { norm } from "./norm.ts";
import { transformerPoints } from "./points.ts";
import { positionEmbedding, positionIds, positionTable } from "./positions.ts";
import { transformerWeights } from "./weights.ts";

/** A network that is a transformer, with what decides it. */
export interface Transformer extends Network {
  readonly config: TransformerConfig;
}

/** Whether a network is a transformer, whose points and description are known. */
export function isTransformer(network: Network): network is Transformer {
  return "config" in network && network.input.vocab !== undefined;
}

/** How many axes of a matrix are what it reads: all but the last for `W_O`, the first for the others. */
const readsOf = (name: string): number => (name.endsWith("attn.W_O") ? 2 : 1);

/** The matrices of the blocks, as sites: heads lie side by side along what `W_Q` writes and `W_O` reads. */
function sitesOf(config: TransformerConfig, weights: readonly WeightSpec[]): Site[] {
  return weights
    .filter(({ name }) => /^blocks\.\d+\.(attn|mlp)\.W_/.test(name))
    .map(({ name, shape }) => {
      const reads = readsOf(name);
      const units = unitsOf(config, name.slice(name.lastIndexOf("W_")));
      return { name, dIn: sizeOf(shape.slice(0, reads)), dOut: sizeOf(shape.slice(reads)), units };
    });
}

/** The heads or neurons that a matrix of a block faces. */
function unitsOf({ attention, mlp }: TransformerConfig, matrix: string): Units {
  const { heads, kvHeads } = attention;
  switch (matrix) {
    case "W_Q":
      return { side: "out", kind: "head", count: heads };
    case "W_K":
    case "W_V":
      return { side: "out", kind: "head", count: kvHeads, uses: heads / kvHeads };
    case "W_O":
      return { side: "in", kind: "head", count: heads };
    default:
      return { side: matrix === "W_out" ? "in" : "out", kind: "neuron", count: mlp!.dMlp };
  }
}

/** The network's function, its sites and its hook points. */
export function transformer(config: TransformerConfig): Transformer {
  const weights = transformerWeights(config);
  const sites = sitesOf(config, weights);
  const embedding: Site = { name: "embed.W_E", dIn: config.vocab, dOut: config.dModel, indexed: true };
  const siteNamed = new Map([embedding, ...sites].map((site) => [site.name, site]));

  const matrix = (given: Tensors, name: string): Tensor<"d_in d_out"> => {
    const { dIn, dOut } = siteNamed.get(name)!;
    return reshape(given[name]!, "d_in d_out", { d_in: dIn, d_out: dOut });
  };

  const product = (given: Tensors, hooks: Hooks, name: string, activation: Tensor): Tensor => {
    const site = siteNamed.get(name)!;
    const W = given[name]!;
    const written = axisNames(W.axes).slice(readsOf(name));
    const sizes = { batch: axisSize(activation, "batch"), pos: axisSize(activation, "pos") };
    const flat = reshape(activation, "batch pos d_in", { ...sizes, d_in: site.dIn });
    const M = matrix(given, name);
    const out = hooks.matmul?.(site, flat, M) ?? contract(flat, M, "batch pos d_out");
    const outSizes = Object.fromEntries(written.map((axis) => [axis, axisSize(W, axis)]));
    return reshape(out, ["batch", "pos", ...written].join(" "), { ...sizes, ...outSizes });
  };

  const forward = (given: Tensors, tokens: Tensor, hooks: Hooks = {}, padding?: Tensor<"batch">): Tensor => {
    const [batch, pos] = [axisSize(tokens, "batch"), axisSize(tokens, "pos")];
    const ids = positionIds(pos, padding);
    let stream = passing(
      hooks,
      "hook_embed",
      embedded(config, tokens, matrix(given, embedding.name), embedding, hooks),
    );
    const table = positionTable(config, given);
    let shortform: Tensor | undefined;
    if (table !== undefined && config.positions.kind === "absolute") {
      const rows = positionEmbedding(table, ids);
      const everywhere = broadcast(rows, "batch pos d_model", { batch, pos, d_model: config.dModel });
      const seen = passing(hooks, "hook_pos_embed", everywhere);
      if (config.positions.addedTo === "residual") stream = add(stream, seen);
      else shortform = seen;
    }
    for (let layer = 0; layer < config.layers; layer++) {
      const name = `blocks.${layer}`;
      const block: Block = {
        config,
        layer,
        name,
        weights: given,
        hooks,
        ids,
        shortform,
        padding,
        product: (site, activation) => product(given, hooks, `${name}.${site}`, activation),
      };
      stream = through(block, stream);
    }
    const final = norm(config.norm, given, "ln_final", stream, hooks);
    return capped(config, passing(hooks, "unembed.hook_out", unembedded(config, given, final)));
  };

  return {
    config,
    input: { axes: "batch pos", dtype: "i32", sizes: {}, vocab: config.vocab, context: config.context },
    logits: "vocab",
    unembedding: {
      point: config.norm.kind === "none" ? `blocks.${config.layers - 1}.hook_resid_post` : "ln_final.hook_out",
      logits: (given, value) => capped(config, unembedded(config, given, value)),
    },
    sites,
    furtherSites: [embedding],
    weights,
    points: transformerPoints(config),
    forward,
    matrix,
  };
}

function embedded(
  { embedScale }: TransformerConfig,
  tokens: Tensor,
  W_E: Tensor<"d_in d_out">,
  site: Site,
  hooks: Hooks,
): Tensor {
  const rows = relabel(hooks.matmul?.(site, tokens, W_E) ?? gather(W_E, tokens, "d_in"), "batch pos d_model");
  return embedScale === 1 ? rows : mul(rows, embedScale);
}

/** One block: attention and MLP, one after the other or side by side, each added to the residual stream. */
function through(block: Block, stream: Tensor): Tensor {
  const { config, weights, hooks, name } = block;
  const pre = passing(hooks, `${name}.hook_resid_pre`, stream);
  const added = (point: string, post: string, x: Tensor): Tensor =>
    passing(hooks, `${name}.${point}`, config.norm.post ? norm(config.norm, weights, `${name}.${post}`, x, hooks) : x);
  const attentionOut = added("hook_attn_out", "ln1_post", attention(block, pre));
  const mid = add(pre, attentionOut);
  if (config.mlp === undefined) return passing(hooks, `${name}.hook_resid_post`, mid);
  const read = config.parallel ? pre : passing(hooks, `${name}.hook_resid_mid`, mid);
  const mlpOut = added("hook_mlp_out", "ln2_post", mlp(block, config.mlp, passing(hooks, `${name}.hook_mlp_in`, read)));
  return passing(hooks, `${name}.hook_resid_post`, add(config.parallel ? mid : read, mlpOut));
}

function unembedded({ tied }: TransformerConfig, given: Tensors, stream: Tensor): Tensor {
  const W_U = tied ? transpose(given["embed.W_E"]!, "d_model vocab") : given["unembed.W_U"]!;
  const logits = contract(stream, W_U, stream.axes.replace(/d_model$/, "vocab"));
  const bias = given["unembed.b_U"];
  return bias === undefined ? logits : add(logits, relabel(bias, "vocab"));
}

function capped({ logitCap }: TransformerConfig, logits: Tensor): Tensor {
  return logitCap > 0 ? mul(tanh(div(logits, logitCap)), logitCap) : logits;
}
