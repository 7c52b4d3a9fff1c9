/**
 * An induction circuit written by hand into a transformer with attention alone: 2 layers of 3 heads, of which one does the work, one writes
 * where nobody reads, and one does nothing. 52 edges, 7 of them true. Directions of the stream are axes: tokens, positions,
 * the previous token, the prediction, and junk.
 */
import { type NamedValues, values } from "../../src/engine/index.ts";
import { type Edge, edgeName } from "../../src/intervention/edges/graph.ts";
import { RunnableNetwork } from "../../src/network/run.ts";
import { toyTransformer } from "../../src/network/transformer/config.ts";
import { transformer } from "../../src/network/transformer/transformer.ts";
import { foldIn, keyFromSeed, randomNormal, randomPermutation } from "../../src/tensor/index.ts";

export const VOCAB = 8;
export const LENGTH = 16;
const JUNK = 4;
const D_MODEL = 3 * VOCAB + LENGTH + JUNK;
const D_HEAD = LENGTH;
const [TOKEN, POSITION, PREVIOUS, PREDICTION, SPARE] = [
  0,
  VOCAB,
  VOCAB + LENGTH,
  2 * VOCAB + LENGTH,
  3 * VOCAB + LENGTH,
];

/** The 7 edges that matter. */
export const TRUE_EDGES: readonly Edge[] = [
  ...(["q", "k", "v"] as const).map((into) => ({ from: "embed", to: "blocks.0.attn:0", into })),
  { from: "blocks.0.attn:0", to: "blocks.1.attn:0", into: "k" },
  { from: "embed", to: "blocks.1.attn:0", into: "q" },
  { from: "embed", to: "blocks.1.attn:0", into: "v" },
  { from: "blocks.1.attn:0", to: "unembed", into: "in" },
];
const NAMES = new Set(TRUE_EDGES.map(edgeName));
export const isTrue = (edge: Edge): boolean => NAMES.has(edgeName(edge));

/** @param beta what attention scores are multiplied by: at 1 attention is undecided, at 100 it is all or nothing */
export function handCodedInduction(beta: number, options: { readonly device?: "float64" } = {}): RunnableNetwork {
  const config = toyTransformer({ vocab: VOCAB, context: LENGTH, layers: 2, dModel: D_MODEL, heads: 3, dHead: D_HEAD });
  const network = transformer({ ...config, attention: { ...config.attention, scale: 1 / beta } });
  const weights: Record<string, Float64Array> = {};
  const shapes = new Map(network.weights.map(({ name, shape }) => [name, shape]));
  for (const [name, shape] of shapes) weights[name] = new Float64Array(shape.reduce((a, b) => a * b, 1));
  const set = (name: string, at: readonly number[], value: number): void => {
    weights[name]![at.reduce((flat, i, axis) => flat * shapes.get(name)![axis]! + i, 0)] = value;
  };
  for (let t = 0; t < VOCAB; t++) {
    set("embed.W_E", [t, TOKEN + t], 1);
    set("unembed.W_U", [PREDICTION + t, t], 8);
    // Head 0 of layer 0 copies the token before; head 0 of layer 1 looks for the token after an equal one.
    set("blocks.0.attn.W_V", [TOKEN + t, 0, t], 1);
    set("blocks.0.attn.W_O", [0, t, PREVIOUS + t], 1);
    set("blocks.1.attn.W_Q", [TOKEN + t, 0, t], 1);
    set("blocks.1.attn.W_K", [PREVIOUS + t, 0, t], 1);
    set("blocks.1.attn.W_V", [TOKEN + t, 0, t], 1);
    set("blocks.1.attn.W_O", [0, t, PREDICTION + t], 1);
  }
  for (let p = 0; p < LENGTH; p++) {
    set("pos_embed.W_pos", [p, POSITION + p], 1);
    if (p > 0) set("blocks.0.attn.W_Q", [POSITION + p, 0, p - 1], 1);
    set("blocks.0.attn.W_K", [POSITION + p, 0, p], 1);
  }
  for (const layer of [0, 1]) {
    const key = foldIn(keyFromSeed(24), layer);
    for (const part of ["Q", "K", "V"]) {
      const draws = randomNormal(foldIn(key, part), D_MODEL * D_HEAD);
      for (let d = 0; d < D_MODEL; d++) {
        for (let i = 0; i < D_HEAD; i++) set(`blocks.${layer}.attn.W_${part}`, [d, 1, i], 0.3 * draws[d * D_HEAD + i]!);
      }
    }
    const draws = randomNormal(foldIn(key, "O"), D_HEAD * JUNK);
    for (let i = 0; i < D_HEAD; i++) {
      for (let j = 0; j < JUNK; j++) set(`blocks.${layer}.attn.W_O`, [1, i, SPARE + j], draws[i * JUNK + j]!);
    }
  }
  const given: NamedValues = Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => [
      name,
      {
        ...values(axes, shape, []),
        data: options.device === "float64" ? weights[name]! : Float32Array.from(weights[name]!),
      },
    ]),
  );
  return new RunnableNetwork(network, given, options);
}

/** Sequences that are a permutation of the tokens, twice. The next token after the last is the first. */
export function repeated(count: number, seed: number): number[][] {
  return Array.from({ length: count }, (_, i) => {
    const order = randomPermutation(foldIn(keyFromSeed(seed), i), VOCAB);
    return [...order, ...order];
  });
}
