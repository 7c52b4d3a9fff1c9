/** Directions that nothing reads, taken out of the weights that write them. */
import type { Values } from "../../../engine/index.ts";
import { cannot, type Processed, processed, renumbered, unembeddingOf, type Weighted } from "./processed.ts";

/**
 * Takes the mean over `d_model` out of all that is written to the residual stream. A layer norm subtracts that mean before anything reads
 * it, so only the stream's own values change.
 *
 * @throws `BadArgument` where something reads the mean: without norms, with RMS norms, and with norms after each part
 */
export function centreWritingWeights(given: Weighted): Processed {
  const step = "centreWritingWeights";
  const { network, weights } = given;
  const { config } = network;
  if (config.norm.kind !== "layer")
    throw cannot(step, "layer norms, which subtract the mean", `${config.norm.kind} norms`);
  if (config.norm.post) throw cannot(step, "weights that write to the stream themselves", "norms after them");
  if (config.positions.kind === "absolute" && config.positions.addedTo === "queries and keys") {
    throw cannot(step, "positions that are written to the stream", "positions that queries and keys are made of");
  }
  const changed: Record<string, Values> = { ...(config.tied && { "unembed.W_U": unembeddingOf(given) }) };
  for (const [name, W] of Object.entries(weights)) {
    if (!/^(embed\.W_E|pos_embed\.W_pos)$|\.(attn\.[Wb]_O|mlp\.[Wb]_out)$/.test(name)) continue;
    changed[name] = centred(W, config.dModel);
  }
  return processed(given, step, { ...config, tied: false }, changed);
}

/**
 * Takes the mean over `vocab` out of the unembedding and its bias: all logits of a position move by the same number, which log-softmax does
 * not see.
 *
 * @throws `BadArgument` where a cap on logits does see it
 */
export function centreUnembedding(given: Weighted): Processed {
  const step = "centreUnembedding";
  const { network, weights } = given;
  const { config } = network;
  if (config.logitCap > 0)
    throw cannot(step, "logits without a cap, which is not linear", `a cap of ${config.logitCap}`);
  const bias = weights["unembed.b_U"];
  return processed(
    given,
    step,
    { ...config, tied: false },
    {
      "unembed.W_U": centred(unembeddingOf(given), config.vocab),
      ...(bias !== undefined && { "unembed.b_U": centred(bias, config.vocab) }),
    },
  );
}

/** Rows of `width` without their mean. */
function centred(W: Values, width: number): Values {
  const means = new Float64Array(W.data.length / width);
  for (let i = 0; i < W.data.length; i++) means[Math.floor(i / width)]! += W.data[i]! / width;
  return renumbered(W, (i) => W.data[i]! - means[Math.floor(i / width)]!);
}
