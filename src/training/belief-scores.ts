/**
 * How near a transformer comes to the ideal observer of the hidden Markov model that it was trained on: its loss above the least there
 * is, and how linearly the observer's belief states can be read off its residual stream (Shai et al. 2024).
 */
import { beliefSequences } from "../data/belief-state.ts";
import { type HiddenMarkovModel, sampleSequences } from "../data/hidden-markov.ts";
import { type NamedValues, type Values } from "../engine/index.ts";
import { RunnableNetwork } from "../network/run.ts";
import type { Transformer } from "../network/transformer/transformer.ts";
import { foldIn, type Key, randomPermutation } from "../tensor/index.ts";
import { fitLinear, type Rows, rSquared } from "./linear-regression.ts";
import type { LoopOptions } from "./loop.ts";

/** Sequences that maps are fitted on, and as many others that everything is measured on. */
const SEQUENCES = 2048;

/** What is measured of one sample of sequences; rows run over sequences and positions. */
interface Sample {
  readonly beliefs: Rows;
  /** The ideal observer's distribution of the next token. */
  readonly predictions: Rows;
  /** The network's, as natural logarithms. */
  readonly logProbabilities: Float64Array;
  readonly final: Rows;
  readonly allLayers: Rows;
}

/**
 * Measures a network. Sequences are drawn from the model, so every context counts as often as it occurs; maps from activations to
 * beliefs are fitted on some and judged on others.
 *
 * `excessLoss` is the mean over contexts of the Kullback-Leibler divergence of the network's next-token distribution from the ideal
 * observer's: the loss above `lossFloor`, in nats, without the noise of the tokens drawn.
 */
export async function beliefScores(
  model: HiddenMarkovModel,
  network: Transformer,
  weights: NamedValues,
  key: Key,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const { device, threads } = options;
  const runnable = new RunnableNetwork(network, weights, { ...(device && { device }), ...(threads && { threads }) });
  const [fit, held] = [await sampled(model, runnable, foldIn(key, "fit")), await sampled(model, runnable, key)];
  await runnable.dispose();
  const order = randomPermutation(foldIn(key, "shuffle"), SEQUENCES * network.config.context);
  const r2 = (x: "final" | "allLayers" | "predictions"): number =>
    rSquared(fitLinear(fit[x], fit.beliefs), held[x], held.beliefs);
  return {
    ...losses(held),
    beliefR2: r2("final"),
    beliefR2AllLayers: r2("allLayers"),
    nextTokenR2: r2("predictions"),
    shuffledR2: rSquared(
      fitLinear(fit.final, reordered(fit.beliefs, order)),
      held.final,
      reordered(held.beliefs, order),
    ),
  };
}

async function sampled(model: HiddenMarkovModel, runnable: RunnableNetwork, key: Key): Promise<Sample> {
  const { config } = runnable.network as Transformer;
  const streams = [
    "blocks.0.hook_resid_pre",
    ...Array.from({ length: config.layers }, (_, layer) => `blocks.${layer}.hook_resid_post`),
  ];
  const { tokens } = sampleSequences(model, key, { batch: SEQUENCES, pos: config.context });
  const { beliefs, predictions } = beliefSequences(model, tokens);
  const { output, cache } = await runnable.run(tokens, { cache: streams });
  const layers = streams.map((name) => rowsOf(cache[name]!));
  return {
    beliefs: rowsOf(beliefs),
    predictions: rowsOf(predictions),
    logProbabilities: logSoftmaxRows(rowsOf(output)),
    final: layers.at(-1)!,
    allLayers: sideBySide(layers),
  };
}

function rowsOf({ shape, data }: Values): Rows {
  return { columns: shape.at(-1)!, data };
}

function sideBySide(parts: readonly Rows[]): Rows {
  const columns = parts.reduce((total, part) => total + part.columns, 0);
  const count = parts[0]!.data.length / parts[0]!.columns;
  const data = new Float32Array(count * columns);
  for (let n = 0; n < count; n++) {
    let at = n * columns;
    for (const part of parts) {
      data.set(part.data.subarray(n * part.columns, (n + 1) * part.columns), at);
      at += part.columns;
    }
  }
  return { columns, data };
}

function logSoftmaxRows({ columns, data }: Rows): Float64Array {
  const out = new Float64Array(data.length);
  for (let from = 0; from < data.length; from += columns) {
    const row = data.subarray(from, from + columns);
    let [highest, total] = [-Infinity, 0];
    for (const x of row) highest = Math.max(highest, x);
    for (const x of row) total += Math.exp(x - highest);
    row.forEach((x, i) => (out[from + i] = x - highest - Math.log(total)));
  }
  return out;
}

function losses({ predictions, logProbabilities }: Sample): { lossFloor: number; excessLoss: number } {
  let [floor, loss] = [0, 0];
  predictions.data.forEach((p, i) => {
    if (p === 0) return;
    floor -= p * Math.log(p);
    loss -= p * logProbabilities[i]!;
  });
  const contexts = predictions.data.length / predictions.columns;
  return { lossFloor: floor / contexts, excessLoss: (loss - floor) / contexts };
}

function reordered({ columns, data }: Rows, order: readonly number[]): Rows {
  const out = new Float64Array(data.length);
  order.forEach((from, to) => out.set(data.subarray(from * columns, (from + 1) * columns), to * columns));
  return { columns, data: out };
}
