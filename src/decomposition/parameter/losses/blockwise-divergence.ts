/**
 * The divergence of networks with many tokens, in little memory. The logits of a whole batch are the largest thing a language model computes,
 * and their Kullback–Leibler divergence with its gradient would hold half a dozen copies of them. Here a block of rows is turned
 * into logits, compared, and its gradient taken back to what the logits were made of, before the next block begins.
 */
import { MechanistError } from "../../../error.ts";
import type { Hooks, Network } from "../../../network/network.ts";
import {
  axisSize,
  broadcast,
  concat,
  exp,
  gradients,
  logSoftmax,
  mul,
  reshape,
  sizesOf,
  select,
  slice,
  stopGradient,
  sub,
  sum,
  type Tensor,
  type Tensors,
  withDerivative,
} from "../../../tensor/index.ts";
import { answers, divergence } from "./reconstruction.ts";

/** About how many logits there are at once: 32 MiB of them. */
const LOGITS_AT_ONCE = 8_388_608;

/** Runs of one network that are to be compared. */
export interface Comparison {
  /** What runs are compared by: the output, or what the logits are made of where they would be too many. */
  run(x: Tensor, hooks?: Hooks): Tensor;
  /**
   * How far a run is from the network's own, as `divergence` has it. Gradients flow into `run` alone.
   *
   * @param run    of the masked network
   * @param target of the network as it is
   */
  divergence(run: Tensor, target: Tensor): Tensor<"">;
}

/**
 * Compares runs by blocks where the network says how its logits are made and there would be more than a few; by whole outputs elsewhere.
 * The numbers are the same but for rounding.
 *
 * @param weights      the network's own
 * @param logitsAtOnce about how many there may be
 */
export function comparison(network: Network, weights: Tensors, logitsAtOnce: number = LOGITS_AT_ONCE): Comparison {
  const { unembedding, logits, input } = network;
  if (unembedding === undefined || logits === undefined || input.vocab === undefined) return whole(network, weights);
  const { vocab } = input;
  const { point } = unembedding;
  const unembed = (value: Tensor): Tensor => unembedding.logits(weights, value);
  return {
    run: (x, hooks = {}) => {
      let last: Tensor | undefined;
      network.forward(weights, x, {
        ...hooks,
        at: (name, value) => {
          const after = hooks.at?.(name, value);
          if (name === point) last = after ?? value;
          return after;
        },
      });
      if (last === undefined) throw new MechanistError("Internal", `comparison: the network never came to ${point}`);
      return answers(network, last);
    },
    divergence: (run, target) => {
      const { batch, pos } = sizesOf(run) as { batch: number; pos?: number };
      const rows = batch * (pos ?? 1);
      if (rows * vocab <= logitsAtOnce) return divergence(network, unembed(run), stopGradient(unembed(target)));
      return byBlocks(unembed, logits, run, target, Math.max(1, Math.floor(logitsAtOnce / vocab)));
    },
  };
}

function whole(network: Network, weights: Tensors): Comparison {
  return {
    run: (x, hooks) => network.forward(weights, x, hooks),
    divergence: (run, target) => divergence(network, run, stopGradient(target)),
  };
}

/** The mean over rows of the divergence; gradients are made on the way forward. */
function byBlocks(
  unembed: (value: Tensor) => Tensor,
  axis: string,
  run: Tensor,
  target: Tensor,
  rowsPerBlock: number,
): Tensor<""> {
  const [own, other] = [asRows(run), stopGradient(asRows(target))];
  const { batch: rows, value: width } = sizesOf(own) as { batch: number; value: number };
  const logitsOf = (block: Tensor): Tensor =>
    unembed(reshape(block, "batch d_model", { batch: axisSize(block, "batch"), d_model: width }));
  const blocks = Array.from({ length: Math.ceil(rows / rowsPerBlock) }, (_, i) => {
    const [start, end] = [i * rowsPerBlock, Math.min(rows, (i + 1) * rowsPerBlock)];
    const block = stopGradient(slice(own, "batch", start, end));
    const errors = rowDivergence(logitsOf(slice(other, "batch", start, end)), logitsOf(block), axis);
    const [slopes] = gradients(sum(errors), [block]);
    // Side by side, so that an engine that wants the one computes the other while the block's logits are there.
    return concat([reshape(errors, "batch value", { batch: end - start, value: 1 }), slopes], "value");
  });
  const all = concat(blocks, "batch");
  const errors = select(all, "value", 0) as Tensor;
  const slopes = slice(all, "value", 1, width + 1);
  // Each number of a row stands for its share of the row's divergence, and gets the slope that was found for it.
  const shares = broadcast(mul(errors, 1 / width), own.axes, { batch: rows, value: width });
  const total = withDerivative(shares, [own, slopes], (gradient, [, slope]) => [mul(gradient, slope!), undefined]);
  return mul(sum(total), 1 / rows);
}

const asRows = (value: Tensor): Tensor<"batch value"> => {
  const { batch, pos, d_model } = sizesOf(value) as { batch: number; pos?: number; d_model: number };
  return reshape(value, "batch value", { batch: batch * (pos ?? 1), value: d_model });
};

/** `KL(softmax(target) ‖ softmax(logits))` of each row, in nats. */
function rowDivergence(target: Tensor, logits: Tensor, axis: string): Tensor<"batch"> {
  const [logP, logQ] = [logSoftmax(target, axis as never), logSoftmax(logits, axis as never)] as [Tensor, Tensor];
  const p = exp(logP);
  // A row's gradient is q - p. Written so it takes two passes over the logits; the rules of products and logarithms would take six.
  const terms = withDerivative(mul(p, sub(logP, logQ)), [logits, p, logQ], (gradient, [, likely, log]) => [
    mul(gradient, sub(exp(log!), likely!)),
    undefined,
    undefined,
  ]);
  return sum(terms, axis) as Tensor<"batch">;
}
