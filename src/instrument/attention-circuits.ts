/**
 * The two circuits of a head (Elhage et al. 2021, "A mathematical framework"): QK decides where it looks, OV what looking there does. Rows are
 * what reads, `x QK yᵀ` the score of query x for key y, `x OV` what x writes where it is looked at.
 *
 * The full circuits run from tokens to tokens through the embedding and, for OV, the unembedding. The weights of norms are in them, what a
 * norm divides by is not, and neither are biases, turning by position, or what earlier blocks write.
 */
import { Matrix } from "ml-matrix";
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { Network } from "../network/network.ts";
import { isTransformer, type Transformer } from "../network/transformer/transformer.ts";
import { FactoredMatrix } from "./factored-matrix.ts";

/** A head by its place. */
export interface HeadPlace {
  readonly layer: number;
  readonly head: number;
}

/** A head's circuits in the residual stream, `d_model d_model`, and between tokens, `vocab vocab`. */
export interface HeadCircuits extends HeadPlace {
  readonly QK: FactoredMatrix;
  readonly OV: FactoredMatrix;
  /** A row for each query token, a column for each key token; not divided by the head's scale. */
  readonly fullQK: FactoredMatrix;
  /** A row for each token that is looked at, a column for each logit. */
  readonly fullOV: FactoredMatrix;
}

/** The network as a transformer, or the sentence that it is none. */
export function expectTransformer(where: string, network: Network): Transformer {
  if (isTransformer(network)) return network;
  throw new MechanistError("BadArgument", `${where}: expected a transformer, got a network without attention`);
}

/** All heads, layer by layer. */
export function headsOf(network: Transformer): HeadPlace[] {
  const { layers, attention } = network.config;
  return Array.from({ length: layers * attention.heads }, (_, i) => ({
    layer: Math.floor(i / attention.heads),
    head: i % attention.heads,
  }));
}

/** The circuits of one head. */
export function headCircuits(network: Transformer, weights: NamedValues, { layer, head }: HeadPlace): HeadCircuits {
  const { attention, embedScale, tied } = network.config;
  const { heads, kvHeads } = attention;
  if (!(layer >= 0 && layer < network.config.layers && head >= 0 && head < heads)) {
    const wanted = `a layer below ${network.config.layers} and a head below ${heads}`;
    throw new MechanistError("BadArgument", `head: expected ${wanted}, got ${layer} and ${head}`);
  }
  const name = `blocks.${layer}`;
  const shared = Math.floor(head / (heads / kvHeads));
  const gain = gainOf(network, weights, `${name}.ln1`);
  const part = (which: "Q" | "K" | "V", of: number): Matrix =>
    scaledRows(sideOf(weights[`${name}.attn.W_${which}`]!, of), gain);
  const [W_Q, W_K, W_V] = [part("Q", head), part("K", shared), part("V", shared)];
  const W_O = blockOf(weights[`${name}.attn.W_O`]!, head);
  const W_E = matrixOf(weights["embed.W_E"]!).mul(embedScale);
  const W_U = scaledRows(
    tied ? matrixOf(weights["embed.W_E"]!).transpose() : matrixOf(weights["unembed.W_U"]!),
    gainOf(network, weights, "ln_final"),
  );
  return {
    layer,
    head,
    QK: new FactoredMatrix(W_Q, W_K.transpose()),
    OV: new FactoredMatrix(W_V, W_O),
    fullQK: new FactoredMatrix(W_E.mmul(W_Q), W_E.mmul(W_K).transpose()),
    fullOV: new FactoredMatrix(W_E.mmul(W_V), W_O.mmul(W_U)),
  };
}

/** What a norm multiplies each dimension by; nothing where there is no norm. */
export function gainOf({ config }: Transformer, weights: NamedValues, norm: string): Float64Array | undefined {
  const weight = weights[`${norm}.w`];
  return weight && Float64Array.from(weight.data, (w) => w + (config.norm.unitOffset ? 1 : 0));
}

/** Values with two axes as a matrix in float64. */
function matrixOf({ data, shape }: Values): Matrix {
  return Matrix.from1DArray(shape[0]!, shape[1]!, data as unknown as number[]);
}

/** Of `d_model head d_head`, one head's `d_model d_head`. */
function sideOf({ data, shape }: Values, head: number): Matrix {
  const [dModel, heads, dHead] = shape as [number, number, number];
  const taken = new Matrix(dModel, dHead);
  for (let i = 0; i < dModel; i++)
    for (let j = 0; j < dHead; j++) taken.set(i, j, data[(i * heads + head) * dHead + j]!);
  return taken;
}

/** Of `head d_head d_model`, one head's `d_head d_model`. */
function blockOf({ data, shape }: Values, head: number): Matrix {
  const [, dHead, dModel] = shape as [number, number, number];
  const start = head * dHead * dModel;
  return Matrix.from1DArray(dHead, dModel, data.subarray(start, start + dHead * dModel) as unknown as number[]);
}

function scaledRows(W: Matrix, gain: Float64Array | undefined): Matrix {
  if (gain !== undefined) gain.forEach((g, row) => W.mulRow(row, g));
  return W;
}
