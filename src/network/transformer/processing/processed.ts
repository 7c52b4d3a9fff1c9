/**
 * Weights written another way so that the same function is easier to read. Each way is asked for by its name, none is a default, and each
 * can be taken back exactly: what was there before is kept.
 */
import type { NamedValues, Values } from "../../../engine/index.ts";
import { MechanistError } from "../../../error.ts";
import { axisNames, sizeOf } from "../../../tensor/index.ts";
import type { TransformerConfig } from "../config.ts";
import { type Transformer, transformer } from "../transformer.ts";

/** A transformer with its weights, as a checkpoint has them or processed. */
export interface Weighted {
  readonly network: Transformer;
  readonly weights: NamedValues;
  /** What was done to them, in order; absent for nothing. */
  readonly steps?: readonly string[];
}

/** A transformer whose weights were processed. */
export interface Processed extends Weighted {
  readonly steps: readonly string[];
  /** As it was before the last step, to the bit. */
  readonly before: Weighted;
}

/** Takes every step back. */
export function unprocessed(given: Weighted): Weighted {
  return "before" in given ? unprocessed((given as Processed).before) : given;
}

/** The outcome of a step: another config if need be, and the weights that changed. */
export function processed(
  before: Weighted,
  step: string,
  config: TransformerConfig,
  changed: Readonly<Record<string, Values>>,
): Processed {
  const network = transformer(config);
  const weights = Object.fromEntries(
    network.weights.map(({ name, axes, shape }): [string, Values] => {
      const found = changed[name] ?? before.weights[name];
      return [name, found ?? { axes, shape, dtype: "f32", data: new Float32Array(sizeOf(shape)) }];
    }),
  );
  return { network, weights, steps: [...(before.steps ?? []), step], before };
}

/** Refuses a step that would change what is computed. */
export function cannot(step: string, expected: string, got: string): MechanistError {
  return new MechanistError("BadArgument", `${step}: expected ${expected}, got ${got}`);
}

/** New numbers for a weight, computed in float64 and kept as wide as the old ones. */
export function renumbered(like: Values, number: (i: number) => number): Values {
  const data =
    like.data instanceof Float64Array ? new Float64Array(like.data.length) : new Float32Array(like.data.length);
  for (let i = 0; i < data.length; i++) data[i] = number(i);
  return { ...like, data };
}

/** The unembedding as a weight of its own, which may be changed without the embedding. */
export function unembeddingOf({ network, weights }: Weighted): Values {
  if (!network.config.tied) return weights["unembed.W_U"]!;
  const { data, shape } = weights["embed.W_E"]!;
  const [vocab, dModel] = shape as [number, number];
  const like: Values = { axes: "d_model vocab", shape: [dModel, vocab], dtype: "f32", data };
  return renumbered(like, (i) => data[(i % vocab) * dModel + Math.floor(i / vocab)]!);
}

/** `vector · matrix`, where the vector is along the matrix's first axes. */
export function times(vector: ArrayLike<number>, matrix: Values): Float64Array {
  const width = matrix.data.length / vector.length;
  const result = new Float64Array(width);
  for (let i = 0; i < vector.length; i++) {
    for (let j = 0; j < width; j++) result[j]! += vector[i]! * matrix.data[i * width + j]!;
  }
  return result;
}

/** A weight, or zeros where the network had none. */
export function orZeros(
  weights: NamedValues,
  name: string,
  like: Values,
  axes: string,
  shape: readonly number[],
): Values {
  const wide = like.data instanceof Float64Array;
  const zeros = wide ? new Float64Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
  return weights[name] ?? { axes: axisNames(axes).join(" "), shape, dtype: "f32", data: zeros };
}
