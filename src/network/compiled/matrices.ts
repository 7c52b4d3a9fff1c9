/** The matrices of a placed plan, under the names and axes that `transformer` has for them. */
import { type NamedValues, type Values, values } from "../../engine/index.ts";
import { axisNames, sizeOf } from "../../tensor/index.ts";
import type { TransformerConfig } from "../transformer/config.ts";
import { transformerWeights } from "../transformer/weights.ts";
import type { Placed } from "./circuit.ts";
import type { Entry } from "./plan.ts";

/** What each token, position and logit has to do with directions: `[row, direction, number]`. */
export interface Ends {
  readonly embed: readonly (readonly [token: number, direction: string, value: number])[];
  readonly posEmbed: readonly (readonly [position: number, direction: string, value: number])[];
  readonly unembed: readonly (readonly [token: number, direction: string, value: number])[];
}

/**
 * The weights of a network.
 *
 * @param directions names of the directions
 * @param basis      a row for each of them, `direction d_model`; absent, each is an axis of the stream
 */
export function matricesOf(
  placed: Placed,
  ends: Ends,
  config: TransformerConfig,
  directions: readonly string[],
  basis?: Float64Array,
): NamedValues {
  const specs = new Map(transformerWeights(config).map((spec) => [spec.name, spec]));
  const numbers = new Map([...specs.values()].map(({ name, shape }) => [name, new Float64Array(sizeOf(shape))]));
  const at = new Map(directions.map((direction, i) => [direction, i]));
  const set = (name: string, index: readonly number[], value: number): void => {
    const { shape } = specs.get(name)!;
    numbers.get(name)![index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0)]! += value;
  };
  const from = (direction: string): number => at.get(direction)!;
  for (const [token, direction, value] of ends.embed) set("embed.W_E", [token, from(direction)], value);
  for (const [position, direction, value] of ends.posEmbed) set("pos_embed.W_pos", [position, from(direction)], value);
  for (const [token, direction, value] of ends.unembed) set("unembed.W_U", [from(direction), token], value);
  for (const { layer, head, q, k, v, o } of placed.heads) {
    const name = (part: string): string => `blocks.${layer}.attn.W_${part}`;
    const reading = (part: string, entries: readonly Entry[]): void => {
      for (const { direction, dimension, value } of entries) set(name(part), [from(direction), head, dimension], value);
    };
    reading("Q", q);
    reading("K", k);
    reading("V", v);
    for (const { direction, dimension, value } of o) set(name("O"), [head, dimension, from(direction)], value);
  }
  for (const { layer, start, units } of placed.mlps) {
    units.forEach(({ reads, writes }, i) => {
      for (const [direction, value] of reads) set(`blocks.${layer}.mlp.W_in`, [from(direction), start + i], value);
      for (const [direction, value] of writes) set(`blocks.${layer}.mlp.W_out`, [start + i, from(direction)], value);
    });
  }
  return Object.fromEntries(
    [...specs.values()].map(({ name, axes, shape }): [string, Values] => {
      const data = numbers.get(name)!;
      const turned = basis === undefined ? data : inBasis(axes, shape, data, basis, directions.length);
      return [name, values(axes, shape, Float32Array.from(turned))];
    }),
  );
}

/** A matrix whose axis `d_model`, the first or the last, is along directions, in a basis of the stream. */
function inBasis(
  axes: string,
  shape: readonly number[],
  data: Float64Array,
  basis: Float64Array,
  size: number,
): Float64Array {
  const result = new Float64Array(data.length);
  const rest = sizeOf(shape) / size;
  // Both what is written and what reads it is turned: the inner products of orthonormal directions stay as they were.
  const [streamStride, restStride] = axisNames(axes)[0] === "d_model" ? [rest, 1] : [1, size];
  for (let direction = 0; direction < size; direction++) {
    for (let r = 0; r < rest; r++) {
      const value = data[direction * streamStride + r * restStride]!;
      if (value === 0) continue;
      for (let d = 0; d < size; d++) {
        result[d * streamStride + r * restStride]! += value * basis[direction * size + d]!;
      }
    }
  }
  return result;
}
