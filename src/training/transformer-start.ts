/** What the transformers trained here have in common: their weights at the start and their loss. */
import { type NamedValues, values } from "../engine/index.ts";
import type { Transformer } from "../network/transformer/transformer.ts";
import {
  axisSize,
  crossEntropy,
  foldIn,
  type Key,
  randomNormal,
  relabel,
  sizeOf,
  slice,
  type Tensor,
  type Tensors,
} from "../tensor/index.ts";
import type { Hooks } from "../network/network.ts";

/** Standard deviations of normal weights at the start. */
export interface StartScales {
  /** Of `embed.W_E` and of learned positions. */
  readonly embed: number;
  /** Of `unembed.W_U`. */
  readonly unembed: number;
  /** What the matrices that write to the residual stream are multiplied by; 1 unless given. */
  readonly residual?: number;
}

/**
 * Normal weights: embeddings as told, each other matrix with variance 1/(how many numbers it reads); norms at 1, biases at 0.
 *
 * GPT-2 (Radford et al. 2019) has a `residual` of 1/√(2 · layers), so that the stream does not grow with depth.
 */
export function startingWeights(network: Transformer, key: Key, scales: StartScales): NamedValues {
  return Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => {
      const size = sizeOf(shape);
      const deviation = deviationOf(name, shape, scales);
      const data =
        deviation === undefined
          ? new Float32Array(size).fill(/(ln\w*|norm)\.w$/.test(name) && !network.config.norm.unitOffset ? 1 : 0)
          : randomNormal(foldIn(key, name), size).map((x) => x * deviation);
      return [name, values(axes, shape, data)];
    }),
  );
}

/** Nothing for weights that are not random. */
function deviationOf(name: string, shape: readonly number[], scales: StartScales): number | undefined {
  if (name === "embed.W_E" || name === "pos_embed.W_pos") return scales.embed;
  if (name === "unembed.W_U") return scales.unembed;
  const { residual = 1 } = scales;
  if (name.endsWith(".W_O")) return residual / Math.sqrt(shape[0]! * shape[1]!);
  if (name.endsWith(".W_out")) return residual / Math.sqrt(shape[0]!);
  return /\.W_\w+$/.test(name) ? 1 / Math.sqrt(shape[0]!) : undefined;
}

/**
 * The cross-entropy of each next token, in nats: `batch pos`, where position t has that of token t + 1.
 *
 * @param tokens one more than the positions that the network is run on
 */
export function nextTokenLosses(
  network: Transformer,
  weights: Tensors,
  tokens: Tensor<"batch pos">,
  hooks?: Hooks,
): Tensor<"batch pos"> {
  const count = axisSize(tokens, "pos");
  const logits = network.forward(weights, slice(tokens, "pos", 0, count - 1), hooks);
  const next = slice(tokens, "pos", 1, count);
  return crossEntropy(relabel(logits, "batch pos vocab"), next, "vocab");
}
