/**
 * What decides a decoder-only transformer: one description by data for every family. GPT-2, Llama, Gemma and the bare toys are
 * values of this type; none of them is a class.
 */

/** How a network knows where a token stands. */
export type Positions =
  | { readonly kind: "none" }
  /**
   * A vector for each position. In a "shortformer" (Press et al. 2021) it is added to what queries and keys are made of,
   * and never enters the residual stream.
   */
  | {
      readonly kind: "absolute";
      readonly table: "learned" | "sinusoidal";
      readonly addedTo: "residual" | "queries and keys";
    }
  | RotaryPositions;

/** Rotary positions (Su et al. 2021): pairs of dimensions of queries and keys turn by `position · frequency`. */
export interface RotaryPositions {
  readonly kind: "rotary";
  /** One for each pair of dimensions, in radians a position; twice as many dimensions turn, the others pass. */
  readonly frequencies: readonly number[];
  /** Which dimensions are a pair: i and i + half of them, or neighbours. */
  readonly pairs: "halves" | "neighbours";
  /** Multiplies queries and keys after turning; 1 but for YaRN. */
  readonly scale: number;
}

export type Activation = "relu" | "gelu" | "geluTanh" | "silu";

export interface NormConfig {
  readonly kind: "layer" | "rms" | "none";
  readonly epsilon: number;
  /** Whether the weight is stored as its difference from 1, as Gemma does. */
  readonly unitOffset: boolean;
  /** Whether there is a norm after each block's part too, before it is added to the stream (Gemma 2). */
  readonly post: boolean;
}

export interface AttentionConfig {
  readonly heads: number;
  /** How many heads have keys and values of their own; each serves `heads / kvHeads` neighbouring query heads. */
  readonly kvHeads: number;
  readonly dHead: number;
  /** Scores are divided by it; √dHead in most. One for each layer where they differ. */
  readonly scale: number | readonly number[];
  readonly queryKeyValueBias: boolean;
  readonly outputBias: boolean;
  /** An RMS norm over each head's queries and keys (Qwen 3). */
  readonly queryKeyNorm: boolean;
  /** Scores become `cap · tanh(score / cap)`; 0 for none. */
  readonly scoreCap: number;
  /** Whether a query sees only keys that are not after it; false for the networks compiled from programs, which look both ways. */
  readonly causal: boolean;
  /** For each layer how many positions back a query sees, itself included; 0 for all. */
  readonly windows: readonly number[];
}

export interface MlpConfig {
  readonly dMlp: number;
  readonly activation: Activation;
  /** Whether the activation of one projection multiplies another (Shazeer 2020). */
  readonly gated: boolean;
  readonly bias: boolean;
}

/** A decoder-only transformer. */
export interface TransformerConfig {
  /** How many tokens there are. */
  readonly vocab: number;
  /** The longest sequence. */
  readonly context: number;
  readonly layers: number;
  readonly dModel: number;
  readonly positions: Positions;
  readonly norm: NormConfig;
  readonly attention: AttentionConfig;
  /** Absent where a network has attention alone. */
  readonly mlp?: MlpConfig;
  /** Whether attention and MLP both read the stream as it enters the block (GPT-NeoX), and not one after the other. */
  readonly parallel: boolean;
  /** Multiplies embeddings; √dModel in Gemma. */
  readonly embedScale: number;
  /** Whether the unembedding is the embedding, transposed. */
  readonly tied: boolean;
  readonly unembedBias: boolean;
  /** Logits become `cap · tanh(logit / cap)`; 0 for none. */
  readonly logitCap: number;
}

/** The plain toys of the circuits literature: attention alone or with an MLP, no norm, learned positions. */
export interface ToyShape {
  readonly vocab: number;
  readonly context: number;
  readonly layers: number;
  readonly dModel: number;
  readonly heads: number;
  /** `dModel / heads` unless given. */
  readonly dHead?: number;
  /** 0 for attention alone. */
  readonly dMlp?: number;
  readonly activation?: Activation;
  readonly norm?: "layer" | "rms" | "none";
  readonly positions?: Positions;
  readonly tied?: boolean;
  readonly bias?: boolean;
}

/** A bare transformer of some size. */
export function toyTransformer(shape: ToyShape): TransformerConfig {
  const dHead = shape.dHead ?? Math.floor(shape.dModel / shape.heads);
  const bias = shape.bias ?? false;
  return {
    vocab: shape.vocab,
    context: shape.context,
    layers: shape.layers,
    dModel: shape.dModel,
    positions: shape.positions ?? { kind: "absolute", table: "learned", addedTo: "residual" },
    norm: { kind: shape.norm ?? "none", epsilon: 1e-5, unitOffset: false, post: false },
    attention: {
      heads: shape.heads,
      kvHeads: shape.heads,
      dHead,
      scale: Math.sqrt(dHead),
      queryKeyValueBias: bias,
      outputBias: bias,
      queryKeyNorm: false,
      scoreCap: 0,
      causal: true,
      windows: Array.from({ length: shape.layers }, () => 0),
    },
    ...(shape.dMlp !== undefined &&
      shape.dMlp > 0 && {
        mlp: { dMlp: shape.dMlp, activation: shape.activation ?? "relu", gated: false, bias },
      }),
    parallel: false,
    embedScale: 1,
    tied: shape.tied ?? false,
    unembedBias: bias,
    logitCap: 0,
  };
}
