/** Compiled networks on many inputs at once, whole or with parts ablated. */
import { compile, type Executable, interpret, type NamedValues, type Values, values } from "../../src/engine/index.ts";
import { type Compiled } from "../../src/network/compiled/compile.ts";
import { type Category } from "../../src/network/compiled/language.ts";
import { decode, encode } from "../../src/network/compiled/vocabulary.ts";
import { type Hooks, weightInputs } from "../../src/network/network.ts";
import { transformer } from "../../src/network/transformer/transformer.ts";
import { add, input, mul, sub, type Tensor } from "../../src/tensor/index.ts";

/** Every input of the given lengths. */
export function everyInput(vocabulary: readonly string[], lengths: readonly number[]): string[][] {
  return lengths.flatMap((length) => {
    let inputs: string[][] = [[]];
    for (let i = 0; i < length; i++) inputs = inputs.flatMap((start) => vocabulary.map((token) => [...start, token]));
    return inputs;
  });
}

/** What a network says at each token of each input. */
export type Outputs = Category[][];

function decoded(compiled: Compiled, inputs: readonly (readonly string[])[], logits: Values): Outputs {
  const [, pos, vocab] = logits.shape as [number, number, number];
  return inputs.map((tokens, b) =>
    tokens.map((_, i) => {
      // Inputs stand at the end of their row.
      const at = (b * pos + pos - tokens.length + i) * vocab;
      return decode(compiled.vocabulary, logits.data.subarray(at, at + vocab));
    }),
  );
}

function feedsFor(compiled: Compiled, inputs: readonly (readonly string[])[], pos: number): NamedValues {
  const padding = inputs.map((tokens) => pos - 1 - tokens.length);
  const ids = inputs.flatMap((tokens, b) => [
    ...Array.from({ length: padding[b]! }, () => 0),
    ...encode(compiled.vocabulary, tokens),
  ]);
  return {
    tokens: { axes: "batch pos", shape: [inputs.length, pos], dtype: "i32", data: Int32Array.from(ids) },
    padding: { axes: "batch", shape: [inputs.length], dtype: "i32", data: Int32Array.from(padding) },
  };
}

/** Inputs of one length, without padding: in float32 on ONNX Runtime, or in float64 by the arbiter. */
export async function outputsOf(
  compiled: Compiled,
  inputs: readonly (readonly string[])[],
  engine: "float32" | "float64" = "float32",
): Promise<Outputs> {
  const network = transformer(compiled.config);
  const pos = inputs[0]!.length + 1;
  const ids = input("tokens", "batch pos", { batch: inputs.length, pos }, "i32");
  const program = { logits: network.forward(weightInputs(network.weights), ids) };
  const feeds = { ...compiled.weights, ...feedsFor(compiled, inputs, pos) };
  if (engine === "float64") return decoded(compiled, inputs, interpret(program, feeds).logits);
  const executable = await compile(program, { threads: 1 });
  try {
    return decoded(compiled, inputs, (await executable.run(feeds)).logits);
  } finally {
    await executable.dispose();
  }
}

/** Where what a part writes can be replaced: a hook point, the axis along which parts lie, and whether the value has `d_model` too. */
interface Place {
  readonly point: string;
  readonly axis: "head" | "d_mlp" | undefined;
  readonly size: number;
  readonly width: number;
}

function placesOf({ config }: Compiled): Place[] {
  const { dModel: width, attention, mlp, layers } = config;
  return [
    { point: "hook_embed", axis: undefined, size: 1, width },
    { point: "hook_pos_embed", axis: undefined, size: 1, width },
    ...Array.from({ length: layers }, (_, i): Place[] => [
      { point: `blocks.${i}.attn.hook_result`, axis: "head", size: attention.heads, width },
      ...(mlp === undefined
        ? []
        : [{ point: `blocks.${i}.mlp.hook_post`, axis: "d_mlp" as const, size: mlp.dMlp, width: 1 }]),
    ]).flat(),
  ];
}

/** Which entries of a place an address is: all, one head, or some hidden units. */
function entriesOf(address: string): { point: string; entries: number[] } | undefined {
  if (address === "unembed") return undefined;
  if (address === "embed" || address === "pos_embed") return { point: `hook_${address}`, entries: [0] };
  const [part, range] = address.split(":") as [string, string];
  const [first, last = first] = range.split("-").map(Number) as [number, number?];
  return {
    point: part.endsWith("attn") ? `${part}.hook_result` : `${part}.hook_post`,
    entries: Array.from({ length: last - first + 1 }, (_, i) => first + i),
  };
}

export type Ablation = "zero" | "mean";

/** How far apart two runs are at worst, over all tokens of all inputs. */
export interface Difference {
  /** Numbers as they are; categories 0 or 1. */
  readonly decoded: number;
  /** Of the logits that stand for the output. */
  readonly logits: number;
}

/** A network on a fixed set of inputs, any parts of which can be replaced by nothing or by their mean over all tokens of the inputs. */
export class AblationBench {
  readonly #compiled: Compiled;
  readonly #inputs: readonly (readonly string[])[];
  readonly #executable: Executable<{ logits: Tensor }>;
  readonly #feeds: NamedValues;
  readonly #places: readonly Place[];
  #means: NamedValues = {};
  #whole: Values | undefined;

  private constructor(
    compiled: Compiled,
    inputs: readonly (readonly string[])[],
    executable: Executable<{ logits: Tensor }>,
    feeds: NamedValues,
  ) {
    this.#compiled = compiled;
    this.#inputs = inputs;
    this.#executable = executable;
    this.#feeds = feeds;
    this.#places = placesOf(compiled);
  }

  static async create(compiled: Compiled, inputs: readonly (readonly string[])[]): Promise<AblationBench> {
    const network = transformer(compiled.config);
    const batch = inputs.length;
    const pos = compiled.config.context;
    const ids = input("tokens", "batch pos", { batch, pos }, "i32");
    const padding = input("padding", "batch", { batch }, "i32");
    const seen: Record<string, Tensor> = {};
    const places = new Map(placesOf(compiled).map((place) => [place.point, place]));
    const hooks: Hooks = {
      at: (point, value) => {
        const found = places.get(point);
        if (found === undefined) return undefined;
        const { axis, size, width } = found;
        const sizes = { [axis ?? "one"]: size, d_model: width };
        const keep =
          axis === undefined ? input(`keep ${point}`, "", {}) : input(`keep ${point}`, axis as string, sizes as never);
        seen[point] = value;
        const instead = input(`mean ${point}`, axesOf(found), sizes as never) as Tensor;
        return add(mul(value, keep), mul(instead, sub(1, keep) as Tensor) as Tensor);
      },
    };
    const logits = network.forward(weightInputs(network.weights), ids, hooks, padding);
    const executable = await compile({ logits }, { threads: 1 });
    const bench = new AblationBench(compiled, inputs, executable, feedsFor(compiled, inputs, pos));
    const looking = await compile(seen, { threads: 1 });
    const found = await looking.run(bench.#given([], "zero", compiled.weights));
    await looking.dispose();
    bench.#means = Object.fromEntries(
      [...places.values()].map((place) => [place.point, bench.#mean(place, found[place.point]!)]),
    );
    bench.#whole = await bench.without([], "zero");
    return bench;
  }

  /** The logits without some parts. */
  async without(
    addresses: readonly string[],
    ablation: Ablation,
    weights: NamedValues = this.#compiled.weights,
  ): Promise<Values> {
    return (await this.#executable.run(this.#given(addresses, ablation, weights))).logits;
  }

  /** What the whole network says. */
  get outputs(): Outputs {
    return decoded(this.#compiled, this.#inputs, this.#whole!);
  }

  /** How far logits are from those of the whole network. */
  difference(logits: Values): Difference {
    const { output } = this.#compiled.vocabulary;
    const ids = output.kind === "numerical" ? [output.id] : output.ids;
    const [, pos, vocab] = logits.shape as [number, number, number];
    let worst = 0;
    this.#inputs.forEach((tokens, b) => {
      for (let i = pos - tokens.length; i < pos; i++) {
        for (const id of ids) {
          const at = (b * pos + i) * vocab + id;
          const apart = Math.abs(logits.data[at]! - this.#whole!.data[at]!);
          // A NaN is no small difference.
          worst = apart <= worst ? worst : apart;
        }
      }
    });
    return { decoded: distance(decoded(this.#compiled, this.#inputs, logits), this.outputs), logits: worst };
  }

  dispose(): Promise<void> {
    return this.#executable.dispose();
  }

  #given(addresses: readonly string[], ablation: Ablation, weights: NamedValues): NamedValues {
    const gone = addresses.flatMap((address) => entriesOf(address) ?? []);
    const given = this.#places.flatMap((place): [string, Values][] => {
      const { point, axis, size } = place;
      const keep = new Float32Array(size).fill(1);
      for (const { entries } of gone.filter((one) => one.point === point)) for (const i of entries) keep[i] = 0;
      return [
        [`keep ${point}`, axis === undefined ? values("", [], keep) : values(axis, [size], keep)],
        [
          `mean ${point}`,
          ablation === "mean" ? this.#means[point]! : filled(place, new Float32Array(size * place.width)),
        ],
      ];
    });
    return { ...weights, ...this.#feeds, ...Object.fromEntries(given) };
  }

  /** The mean over all tokens, with the one before the input and without padding. */
  #mean(place: Place, seen: Values): Values {
    const [, pos] = seen.shape as [number, number];
    const each = place.size * place.width;
    const sum = new Float64Array(each);
    let count = 0;
    this.#inputs.forEach((tokens, b) => {
      for (let i = pos - 1 - tokens.length; i < pos; i++) {
        count++;
        for (let j = 0; j < each; j++) sum[j]! += seen.data[(b * pos + i) * each + j]!;
      }
    });
    return filled(
      place,
      Float32Array.from(sum, (x) => x / count),
    );
  }
}

/** The axes of what stands in for a place's value: along its parts and `d_model`, where it has them. */
function axesOf({ axis, width }: Place): string {
  return [axis, width > 1 ? "d_model" : undefined].filter(Boolean).join(" ");
}

function filled(place: Place, data: Float32Array): Values {
  const axes = axesOf(place);
  return values(
    axes,
    axes.split(" ").map((name) => (name === "d_model" ? place.width : place.size)),
    data,
  );
}

/** How far two outputs are apart at worst: numbers by their difference, categories by 0 or 1. */
export function distance(a: Outputs, b: Outputs): number {
  let worst = 0;
  a.forEach((row, i) =>
    row.forEach((x, j) => {
      const y = b[i]![j]!;
      const apart = typeof x === "number" && typeof y === "number" ? Math.abs(x - y) : Number(x !== y);
      worst = Number.isNaN(apart) ? Number.NaN : Math.max(worst, apart);
    }),
  );
  return worst;
}

/**
 * Weights in which some edges carry nothing: each reader no longer sees the directions that the writer writes.
 *
 * @param edges of the compiled network's `circuit` or `outside`
 */
export function withoutEdges(
  { weights, circuit, outside, directions, basis }: Compiled,
  edges: readonly { readonly from: string; readonly to: string; readonly into: string }[],
): NamedValues {
  const changed: Record<string, Values> = { ...weights };
  const writes = new Map([...circuit.nodes, ...outside.nodes].map((node) => [node.address, node.writes]));
  const dModel = directions.length;
  for (const { from, to, into } of edges) {
    const { name, columns } = readerOf(to, into, weights);
    const old = changed[name]!;
    const data = Float64Array.from(old.data);
    const width = data.length / dModel;
    for (const direction of writes.get(from)!) {
      const at = directions.indexOf(direction) * dModel;
      for (const column of columns) {
        let along = 0;
        for (let d = 0; d < dModel; d++) along += basis.data[at + d]! * data[d * width + column]!;
        for (let d = 0; d < dModel; d++) data[d * width + column]! -= along * basis.data[at + d]!;
      }
    }
    changed[name] = values(old.axes, old.shape, Float32Array.from(data));
  }
  return changed;
}

/** The matrix that reads, and its columns where axes other than `d_model` lie in a row. */
function readerOf(to: string, into: string, weights: NamedValues): { name: string; columns: number[] } {
  const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);
  if (to === "unembed") return { name: "unembed.W_U", columns: range(0, weights["unembed.W_U"]!.shape[1]!) };
  const { point, entries } = entriesOf(to)!;
  const part = point.replace(/\.hook_\w+$/, "");
  if (part.endsWith("mlp")) return { name: `${part}.W_in`, columns: entries };
  const name = `${part}.W_${into.toUpperCase()}`;
  const dHead = weights[name]!.shape[2]!;
  return { name, columns: range(entries[0]! * dHead, dHead) };
}
