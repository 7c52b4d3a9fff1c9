/** A checkpoint's tensors as a network's weights: each checked against the config before any is read. */
import type { NamedValues, Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { quoted } from "../../file/json.ts";
import type { OpenTensors } from "../../file/open-tensors.ts";
import { HELD_AS } from "../../file/stored-numbers.ts";
import { nearest } from "../../nearest.ts";
import { axisNames, sizeOf } from "../../tensor/index.ts";
import type { WeightSpec } from "../network.ts";
import type { Transformer } from "../transformer/transformer.ts";
import { arranged, FUSED, storedAxes } from "./arrange.ts";
import type { CheckpointOptions } from "./checkpoint.ts";
import type { Family } from "./family.ts";

export const UNEMBEDDING = "unembed.W_U";
export const EMBEDDING = "embed.W_E";

/** A weight and the axes of the tensor it is made of. */
export interface Made {
  readonly spec: WeightSpec;
  readonly stored: readonly string[];
}

/** What is made of which tensor. */
export type Plan = ReadonlyMap<string, readonly Made[]>;

/**
 * Reads every weight of a network.
 *
 * @throws `BadFile` naming a tensor that is missing, superfluous or of another shape than the config says
 */
export async function readWeights(
  network: Transformer,
  family: Family,
  tensors: OpenTensors,
  where: string,
  { signal, onProgress }: CheckpointOptions,
): Promise<NamedValues> {
  const prefix = prefixOf(family, tensors);
  const plan = planned(network, family, prefix, tensors, where);
  const unembedding = family.weights[UNEMBEDDING]![0];
  expectNoOthers(family, prefix, [...plan.keys(), unembedding], tensors, where);
  const weights: Record<string, Values> = {};
  let done = 0;
  for (const [name, made] of inReadingOrder(plan)) {
    const { data } = await tensors.readTensor(name, { ...(signal !== undefined && { signal }) });
    for (const { spec, stored } of made) {
      const { name: weight, axes, shape } = spec;
      const own = arranged(data as Float32Array, stored, sizesOf(spec), axisNames(axes), partOf(weight));
      weights[weight] = { axes, shape, dtype: "f32", data: own };
    }
    onProgress?.(++done, plan.size);
  }
  if (network.config.tied && tensors.tensors.has(unembedding)) {
    const { data } = await tensors.readTensor(unembedding);
    expectSame(data, weights[EMBEDDING]!.data, unembedding, where);
  }
  return Object.fromEntries(network.weights.map(({ name }) => [name, weights[name]!]));
}

/** What the tensors' names begin with: a file may hold the bare network. */
export function prefixOf(family: Family, { tensors }: OpenTensors): string {
  return [...tensors.keys()].some((name) => name.startsWith(family.prefix)) ? family.prefix : "";
}

/** Finds and measures every tensor. */
export function planned(
  network: Transformer,
  family: Family,
  prefix: string,
  tensors: OpenTensors,
  where: string,
): Plan {
  const plan = new Map<string, Made[]>();
  for (const spec of network.weights) {
    const [, layer = ""] = /^blocks\.(\d+)\./.exec(spec.name) ?? [];
    const source = family.weights[spec.name.replace(/^blocks\.\d+\./, "blocks.#.")];
    if (source === undefined) {
      throw new MechanistError("Internal", `${where}: no tensor is known for the weight ${spec.name}`);
    }
    const name = (spec.name === UNEMBEDDING ? "" : prefix) + source[0].replace("#", layer);
    const sizes = sizesOf(spec);
    const stored = storedAxes("kv_head" in sizes ? source[1] : source[1].replace("kv_head", "head"), sizes);
    expectTensor(tensors, name, stored.shape, where);
    plan.set(name, [...(plan.get(name) ?? []), { spec, stored: stored.names }]);
  }
  return plan;
}

export const sizesOf = ({ axes, shape }: WeightSpec): Readonly<Record<string, number>> =>
  Object.fromEntries(axisNames(axes).map((axis, i) => [axis, shape[i]!]));

/** Which of queries, keys and values a weight is. */
export const partOf = (name: string): number => "QKV".indexOf(name.at(-1)!);

function expectTensor(tensors: OpenTensors, name: string, shape: readonly number[], where: string): void {
  const expected = `${shape.join("×")}, as ${where} says`;
  const tensor = tensors.tensors.get(name);
  if (tensor === undefined) {
    const close = nearest(name, [...tensors.tensors.keys()]);
    const hint = close === undefined ? "" : `; the nearest is ${quoted(close)}`;
    throw new MechanistError("BadFile", `tensor ${quoted(name)}: expected ${expected}, got none${hint}`, { name });
  }
  const got = tensor.shape.join("×") || "one number";
  if (got !== (shape.join("×") || "one number")) {
    throw new MechanistError("BadFile", `tensor ${quoted(name)}: expected ${expected}, got ${got}`, { name });
  }
  if (HELD_AS[tensor.type] !== "f32") {
    throw new MechanistError("BadFile", `tensor ${quoted(name)}: expected floating-point numbers, got ${tensor.type}`);
  }
}

/** A tensor that nothing reads changes nothing, so the network would not be the one that was stored. */
function expectNoOthers(
  family: Family,
  prefix: string,
  known: readonly string[],
  { tensors }: OpenTensors,
  where: string,
): void {
  const read = new Set(known);
  for (const [name, { shape }] of tensors) {
    if (read.has(name) || family.ignored.test(name.startsWith(prefix) ? name.slice(prefix.length) : name)) continue;
    const got = `one of ${shape.join("×") || "one number"}`;
    throw new MechanistError(
      "BadFile",
      `tensor ${quoted(name)}: expected no such tensor in the network of ${where}, got ${got}`,
      { name },
    );
  }
}

/**
 * Tensors that must be rearranged are for a moment held twice. They come first, the largest before the others: then that moment is
 * over before memory is full.
 */
function inReadingOrder(plan: Plan): (readonly [string, readonly Made[]])[] {
  const held = (made: readonly Made[]): number => {
    const same = made.every(({ spec, stored }) => stored.join(" ") === spec.axes && !stored.includes(FUSED));
    return same ? 0 : made.reduce((sum, { spec }) => sum + sizeOf(spec.shape), 0);
  };
  return [...plan].sort(([, a], [, b]) => held(b) - held(a));
}

/** Two tensors that the config says are one. */
function expectSame(head: ArrayLike<number>, embedding: ArrayLike<number>, name: string, where: string): void {
  if (head.length === embedding.length) {
    let i = 0;
    while (i < head.length && head[i] === embedding[i]) i++;
    if (i === head.length) return;
  }
  throw new MechanistError(
    "BadFile",
    `tensor ${quoted(name)}: expected the embedding's numbers, for tie_word_embeddings in ${where} makes them one, got others`,
    { name },
  );
}
