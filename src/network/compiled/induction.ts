/**
 * An induction circuit (Elhage et al. 2021, Olsson et al. 2022) written by hand in an attention-only transformer of two layers with three
 * heads each, of which one is real, one writes what nobody reads, and one does nothing. Every edge is known to be true or not.
 */
import { type NamedValues, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { foldIn, type Key, keyFromSeed, randomNormal, sizeOf } from "../../tensor/index.ts";
import { toyTransformer, type TransformerConfig } from "../transformer/config.ts";
import { type Transformer, transformer } from "../transformer/transformer.ts";
import { transformerWeights } from "../transformer/weights.ts";
import type { CircuitEdge } from "./circuit.ts";

export interface InductionOptions {
  /** The score of a key that matches; others have 0. At 1 attention is nearly even, at 100 it is all or nothing. */
  readonly beta: number;
  readonly vocabulary?: number;
  readonly context?: number;
  /** The logit of a token that all attention is on. */
  readonly gain?: number;
  /** What the heads write that nobody reads is drawn from it. */
  readonly key?: Key;
}

/** A pair of an earlier and a later part. Addresses: `embed` (tokens and positions together), `blocks.0.attn:0`, `unembed`. */
export type InductionEdge = Omit<CircuitEdge, "directions">;

export interface HandCodedInduction {
  readonly config: TransformerConfig;
  readonly network: Transformer;
  readonly weights: NamedValues;
  /** All pairs, with query, key and value apart: 52. */
  readonly edges: readonly InductionEdge[];
  /** The 7 of them that do it. */
  readonly trueEdges: readonly InductionEdge[];
}

const [REAL, JUNK] = [0, 1];
const HEADS = 3;

/**
 * Makes the network.
 *
 * The stream is `tok | pos | prev | out | junk`. In layer 0 the real head looks from position i at i - 1 and writes its token as
 * `prev`. In layer 1 it looks from a token at the positions whose `prev` that is, and writes their tokens as `out`, which the logits
 * read. Position 0, with nothing before it, looks at itself. The second head of each layer has random weights and writes `junk`; the
 * third has none. Attention is causal, scores are not scaled.
 */
export function handCodedInduction(options: InductionOptions): HandCodedInduction {
  const { beta, vocabulary: vocab = 8, context = 16, gain = 8, key = keyFromSeed(0) } = options;
  if (!(Number.isFinite(beta) && beta >= 0)) {
    throw new MechanistError("BadArgument", `induction: expected a beta of at least 0, got ${beta}`);
  }
  const [tok, pos, prev, out, junk] = [0, vocab, vocab + context, 2 * vocab + context, 3 * vocab + context];
  const dModel = 4 * vocab + context;
  const dHead = Math.max(vocab, context);
  const toy = toyTransformer({ vocab, context, layers: 2, dModel, heads: HEADS, dHead });
  const config = { ...toy, attention: { ...toy.attention, scale: 1 } };
  const numbers = new Map(transformerWeights(config).map((spec) => [spec.name, { spec, data: empty(spec.shape) }]));
  const set = (name: string, index: readonly number[], value: number): void => {
    const { spec, data } = numbers.get(name)!;
    data[index.reduce((flat, i, axis) => flat * spec.shape[axis]! + i, 0)] = value;
  };
  for (let t = 0; t < vocab; t++) {
    set("embed.W_E", [t, tok + t], 1);
    set("unembed.W_U", [out + t, t], gain);
    set("blocks.0.attn.W_V", [tok + t, REAL, t], 1);
    set("blocks.0.attn.W_O", [REAL, t, prev + t], 1);
    set("blocks.1.attn.W_Q", [tok + t, REAL, t], beta);
    set("blocks.1.attn.W_K", [prev + t, REAL, t], 1);
    set("blocks.1.attn.W_V", [tok + t, REAL, t], 1);
    set("blocks.1.attn.W_O", [REAL, t, out + t], 1);
  }
  for (let p = 0; p < context; p++) {
    set("pos_embed.W_pos", [p, pos + p], 1);
    set("blocks.0.attn.W_K", [pos + p, REAL, p], 1);
    if (p > 0) set("blocks.0.attn.W_Q", [pos + p, REAL, p - 1], beta);
  }
  for (const layer of [0, 1]) {
    for (const part of ["Q", "K", "V"]) {
      const name = `blocks.${layer}.attn.W_${part}`;
      const drawn = randomNormal(foldIn(key, name), dModel * dHead);
      for (let i = 0; i < drawn.length; i++) set(name, [Math.floor(i / dHead), JUNK, i % dHead], drawn[i]! / 4);
    }
    const name = `blocks.${layer}.attn.W_O`;
    const drawn = randomNormal(foldIn(key, name), dHead * vocab);
    for (let i = 0; i < drawn.length; i++) set(name, [JUNK, Math.floor(i / vocab), junk + (i % vocab)], drawn[i]! / 4);
  }
  return {
    config,
    network: transformer(config),
    weights: Object.fromEntries(
      [...numbers].map(([name, { spec, data }]) => [name, values(spec.axes, spec.shape, data)]),
    ),
    edges: allEdges(),
    trueEdges: TRUE_EDGES,
  };
}

function empty(shape: readonly number[]): Float32Array {
  return new Float32Array(sizeOf(shape));
}

const head = (layer: number, index: number): string => `blocks.${layer}.attn:${index}`;
const PARTS = ["q", "k", "v"] as const;

const TRUE_EDGES: readonly InductionEdge[] = [
  ...PARTS.map((into) => ({ from: "embed", to: head(0, REAL), into })),
  { from: "embed", to: head(1, REAL), into: "q" },
  { from: head(0, REAL), to: head(1, REAL), into: "k" },
  { from: "embed", to: head(1, REAL), into: "v" },
  { from: head(1, REAL), to: "unembed", into: "in" },
];

function allEdges(): InductionEdge[] {
  const heads = (layer: number): string[] => Array.from({ length: HEADS }, (_, i) => head(layer, i));
  const into = (froms: readonly string[], tos: readonly string[]): InductionEdge[] =>
    tos.flatMap((to) => PARTS.flatMap((part) => froms.map((from) => ({ from, to, into: part }))));
  return [
    ...into(["embed"], heads(0)),
    ...into(["embed", ...heads(0)], heads(1)),
    ...["embed", ...heads(0), ...heads(1)].map((from) => ({ from, to: "unembed", into: "in" as const })),
  ];
}
