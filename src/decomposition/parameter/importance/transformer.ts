/**
 * Causal importance by transformers that look along the sequence (VPD, "causal importance function"; param-decomp SPEC, S5 and S6): what goes into each
 * site, RMS-normalised and side by side, `→ Linear → blocks → one head a site`. Blocks are pre-norm with norms that have no weights, attention
 * without biases that turns queries and keys by position, and an MLP with GELU and biases; nothing is normalised before the heads.
 *
 * Sites lie in chunks, each with a transformer of its own. All sites in one chunk is the global transformer of the paper, one site a chunk the
 * layerwise one. A chunk reads what goes into its sites, in the order in which it names them, or values at hook points, the boundaries of
 * the residual stream for instance, which are narrower than all that goes into the sites together.
 *
 * Where a network has no positions each example is a sequence of one, and attention a product of two matrices.
 */
import { MechanistError } from "../../../error.ts";
import type { Block } from "../../../network/transformer/block.ts";
import { attention } from "../../../network/transformer/attention.ts";
import { toyTransformer, type TransformerConfig } from "../../../network/transformer/config.ts";
import { mlp } from "../../../network/transformer/mlp.ts";
import { indices } from "../../../network/transformer/positions.ts";
import { blockWeights } from "../../../network/transformer/weights.ts";
import {
  add,
  axisNames,
  axisSize,
  concat,
  contract,
  reshape,
  rmsNorm,
  sizeOf,
  sizesOf,
  stopGradient,
  type Tensor,
  type Tensors,
} from "../../../tensor/index.ts";
import { head, headWeights } from "./dense.ts";
import type { ImportanceFunction, SeenSite, Slots } from "./importance.ts";
import { bySite, widthOf } from "./seen.ts";
import { drawn, kaiming, type Start, type StartedWeight, ZERO } from "./start.ts";

/** The size of each chunk's transformer. */
export interface ImportanceTransformer {
  readonly dModel: number;
  readonly blocks: number;
  /** Each has `dModel / heads` dimensions, an even number. */
  readonly heads: number;
  /** Hidden units of each block's MLP. */
  readonly dMlp: number;
  /** Whether a position sees only those not after it; the paper's sees all. */
  readonly causal: boolean;
}

/** A hook point that a chunk reads. */
export interface Tap {
  readonly point: string;
  /** How many numbers it holds for each example and position. */
  readonly width: number;
}

/** Sites that share a transformer. */
export interface Chunk {
  readonly sites: readonly string[];
  /** What it reads; absent, what goes into its sites. */
  readonly taps?: readonly Tap[];
}

/** That of float32, as PyTorch's `rms_norm` has it. */
const EPSILON = 2 ** -23;

/** The slowest pair of dimensions turns by nearly 1/this a position. */
const ROTARY_BASE = 10_000;

/** One transformer for each chunk. */
export function chunkwiseTransformer(shape: ImportanceTransformer, chunks: readonly Chunk[]): ImportanceFunction {
  const config = configOf(shape);
  const parts = (slots: readonly Slots[]): StartedWeight[] =>
    chunks.flatMap((chunk, i) => chunkWeights(config, chunk, nameOf(i), inChunk(chunk, slots)));
  return {
    points: [...new Set(chunks.flatMap(({ taps = [] }) => taps.map(({ point }) => point)))],
    weights: parts,
    start: (slots, key) => drawn(parts(slots), key),
    preactivations: (weights, seen, at) => {
      const sites = bySite(seen);
      return Object.fromEntries(
        chunks.flatMap((chunk, i) => {
          const own = chunk.sites.map((name) => sites.get(name)!);
          const stream = hiddenStream(config, weights, nameOf(i), inputsOf(chunk, own, at));
          return own.map(({ site }) => [site.name, head(weights, site, stream)]);
        }),
      );
    },
  };
}

const nameOf = (chunk: number): string => `importance.chunks.${chunk}`;

/** The blocks as the network layer describes them; norms are applied outside, for they have no weights. */
function configOf({ dModel, blocks, heads, dMlp, causal }: ImportanceTransformer): TransformerConfig {
  const dHead = dModel / heads;
  if (dHead % 2 !== 0) {
    const fix = "an even number of dimensions in each head";
    throw new MechanistError(
      "BadArgument",
      `importance transformer: expected ${fix}, got ${dModel} for ${heads} heads`,
    );
  }
  const frequencies = Array.from({ length: dHead / 2 }, (_, i) => ROTARY_BASE ** ((-2 * i) / dHead));
  const toy = toyTransformer({
    vocab: 1,
    context: 1,
    layers: blocks,
    dModel,
    heads,
    dMlp,
    activation: "gelu",
    positions: { kind: "rotary", frequencies, pairs: "halves", scale: 1 },
  });
  return { ...toy, attention: { ...toy.attention, causal }, mlp: { ...toy.mlp!, bias: true } };
}

/** The slots of a chunk's sites, in its order. */
function inChunk(chunk: Chunk, slots: readonly Slots[]): Slots[] {
  return chunk.sites.map((name) => {
    const found = slots.find(({ site }) => site.name === name);
    if (found !== undefined) return found;
    throw new MechanistError("BadArgument", `importance transformer: expected slots at ${name}, got none`);
  });
}

function chunkWeights(config: TransformerConfig, chunk: Chunk, name: string, slots: readonly Slots[]): StartedWeight[] {
  const { dModel, layers } = config;
  const widths = chunk.taps?.map(({ width }) => width) ?? slots.map(({ site }) => widthOf(site));
  const dIn = widths.reduce((total, width) => total + width, 0);
  const blocks = Array.from({ length: layers }, (_, i) => blockWeights(config, `${name}.blocks.${i}`)).flat();
  return [
    { name: `${name}.W`, axes: "d_in d_model", shape: [dIn, dModel], start: kaiming(dIn, Math.SQRT2) },
    { name: `${name}.b`, axes: "d_model", shape: [dModel], start: ZERO },
    ...blocks.map((spec) => ({ ...spec, start: blockStart(spec.name, spec.shape) })),
    ...slots.flatMap((one) => headWeights(one, dModel)),
  ];
}

function blockStart(name: string, shape: readonly number[]): Start {
  if (name.endsWith("attn.W_O")) return { kind: "even", bound: 1 / Math.sqrt(sizeOf(shape.slice(0, 2))) };
  if (name.includes(".attn.")) return { kind: "even", bound: 1 / Math.sqrt(shape[0]!) };
  if (name.endsWith("W_in")) return kaiming(shape[0]!, Math.SQRT2);
  return name.endsWith("W_out") ? kaiming(shape[0]!, 1) : ZERO;
}

/** What a chunk reads, normalised and side by side, `batch pos d_in`. No gradient goes back into the network through it. */
function inputsOf({ taps }: Chunk, sites: readonly SeenSite[], at: Tensors): Tensor {
  const read =
    taps?.map(({ point, width }) => ({ value: at[point]!, width })) ??
    sites.map(({ site, activation }) => ({ value: activation, width: widthOf(site) }));
  const { batch, pos = 1 } = sizesOf(sites[0]!.activation) as { batch: number; pos?: number };
  return concat(
    read.map(({ value, width }) => {
      const rows = reshape(stopGradient(value), "batch pos d_in", { batch, pos, d_in: width });
      return rmsNorm(rows, "d_in", { epsilon: EPSILON });
    }),
    "d_in",
  );
}

/** What the heads read: the residual stream after the last block, one row an example and position. */
function hiddenStream(config: TransformerConfig, weights: Tensors, name: string, x: Tensor): Tensor<"batch hidden"> {
  const projected = contract(x, weights[`${name}.W`]!, "batch pos d_model");
  let stream: Tensor = add(projected, weights[`${name}.b`]!);
  const [batch, pos] = [axisSize(x, "batch"), axisSize(x, "pos")];
  const normalized = (): Tensor => rmsNorm(stream, "d_model", { epsilon: EPSILON });
  for (let layer = 0; layer < config.layers; layer++) {
    const block = blockOf(config, weights, `${name}.blocks.${layer}`, layer, pos);
    stream = add(stream, attention(block, normalized()));
    stream = add(stream, mlp(block, config.mlp!, normalized()));
  }
  return reshape(stream, "batch hidden", { batch: batch * pos, hidden: config.dModel });
}

function blockOf(config: TransformerConfig, weights: Tensors, name: string, layer: number, pos: number): Block {
  return {
    config,
    layer,
    name,
    weights,
    hooks: {},
    ids: indices("pos", pos),
    shortform: undefined,
    padding: undefined,
    product: (site, activation) => {
      const W = weights[`${name}.${site}`]!;
      const written = axisNames(W.axes).filter((axis) => !axisNames(activation.axes).includes(axis));
      return contract(activation, W, ["batch", "pos", ...written].join(" "));
    },
  };
}
