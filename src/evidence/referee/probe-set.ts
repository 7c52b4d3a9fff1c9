/**
 * The prompts that all subjects are asked about, others that are put in their place, and reference data: fresh draws by key, the same whatever the subjects and
 * however many fit into a batch. Scales, thresholds and means come from reference data, the same for every seed: they are part of what is asked, so that two
 * evaluations ask the same. Chance is the network's mean output
 * on the prompts: the best that can be said without looking at any, so that what it explains of them is exactly nothing and no other sample moves it.
 */
import { compile, type CompileOptions, type Executable, type NamedValues, type Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { Network } from "../../network/network.ts";
import { weightInputs } from "../../network/network.ts";
import {
  add,
  broadcast,
  axisNames,
  foldIn,
  input,
  type Key,
  keyFromSeed,
  log,
  mean,
  sizeOf,
  sizesOf,
  softmax,
  type Tensor,
} from "../../tensor/index.ts";
import type { DataSource } from "../fresh-data.ts";
import { promptDivergence } from "./divergence.ts";

/** Prompts of one draw: a batch is put together of these, so that what is drawn does not depend on its size. */
const DRAW = 16;

export interface ProbeOptions extends CompileOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** Inputs of a program, and their numbers. */
export interface ProbeBatch {
  /** `probe/x` and `probe/output`. */
  readonly feeds: NamedValues;
  readonly key: Key;
}

export class ProbeSet {
  readonly network: Network;
  readonly weights: NamedValues;
  readonly options: ProbeOptions;
  /** How many prompts there are in a batch, and how many batches. */
  readonly size: number;
  readonly batches: number;
  /** The prompts and what the network says to them, as inputs of a program. */
  readonly x: Tensor;
  readonly output: Tensor;
  readonly #source: DataSource;
  readonly #key: Key;
  readonly #programs: Executable<Record<string, Tensor>>[] = [];
  readonly #prompts: Values[] = [];
  readonly #others: Values[] = [];
  readonly #reference: Values[] = [];
  #own: Executable<Record<string, Tensor>> | undefined;
  #chance: Float64Array | undefined;

  private constructor(
    network: Network,
    weights: NamedValues,
    source: DataSource,
    { prompts, size }: { readonly prompts: number; readonly size: number },
    options: ProbeOptions,
  ) {
    this.network = network;
    this.weights = weights;
    this.options = options;
    this.batches = Math.ceil(prompts / size);
    this.size = Math.ceil(prompts / this.batches);
    this.#source = source;
    this.#key = keyOfSeed(options.seed ?? 0);
    const x = source.batch(this.size);
    this.x = input("probe/x", x.axes, sizesOf(x), x.dtype);
    const output = network.forward(weightInputs(network.weights), this.x);
    this.output = input("probe/output", output.axes, sizesOf(output));
  }

  /**
   * Draws prompts, as many others and as much reference data.
   *
   * @param prompts how many; rounded up to whole batches
   * @param size    the most in a batch
   */
  static async open(
    network: Network,
    weights: NamedValues,
    source: DataSource,
    sizes: { readonly prompts: number; readonly size: number },
    options: ProbeOptions = {},
  ): Promise<ProbeSet> {
    const set = new ProbeSet(network, weights, source, sizes, options);
    set.#prompts.push(...(await set.#drawn(set.#key, "prompts")));
    set.#others.push(...(await set.#drawn(set.#key, "others")));
    set.#reference.push(...(await set.#drawn(keyOfSeed(0), "reference")));
    const weightTensors = weightInputs(network.weights);
    set.#own = await compile({ "probe/output": network.forward(weightTensors, set.x) }, options);
    set.#programs.push(set.#own);
    return set;
  }

  get prompts(): number {
    return this.size * this.batches;
  }

  /** The key of a batch's draws, of reference data the same for every seed. */
  keyOf(batch: number): Key {
    return foldIn(foldIn(batch < this.batches ? this.#key : keyOfSeed(0), "draws"), batch);
  }

  /**
   * One batch of prompts; beyond `batches`, of reference data; with what the network says to it.
   *
   * @throws the signal's reason when it has been aborted
   */
  async batch(index: number): Promise<ProbeBatch> {
    this.options.signal?.throwIfAborted();
    const x = this.#prompts[index] ?? this.#reference[index - this.batches]!;
    const output = await this.#outputOf(x);
    return { feeds: { ...this.weights, "probe/x": x, "probe/output": output }, key: this.keyOf(index) };
  }

  /** One batch of reference data, as large as one of prompts: `probe/x`. */
  reference(index: number): NamedValues {
    return this.#fed(this.#reference[index]!);
  }

  /** One batch of other examples, one for each prompt: `probe/x`. */
  others(index: number): NamedValues {
    return this.#fed(this.#others[index]!);
  }

  /** For each prompt the divergence of the network's mean output over all of them: of distributions, the mean of their probabilities. */
  async chance(): Promise<Float64Array> {
    this.#chance ??= await this.#measureChance();
    return this.#chance;
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs) await program.dispose();
  }

  #fed(x: Values): NamedValues {
    this.options.signal?.throwIfAborted();
    return { ...this.weights, "probe/x": x };
  }

  async #outputOf(x: Values): Promise<Values> {
    return (await this.#own!.run(this.#fed(x)))["probe/output"]!;
  }

  async #measureChance(): Promise<Float64Array> {
    const { logits } = this.network;
    const said = logits === undefined ? this.output : (softmax(this.output, logits as never) as Tensor);
    const kept =
      logits === undefined ? axisNames(said.axes).filter((axis) => axis !== "batch" && axis !== "pos") : [logits];
    const over = axisNames(said.axes).filter((axis) => !kept.includes(axis));
    const averaging = await compile({ mean: mean(said, over.join(" ")) as Tensor }, this.options);
    let total: Float64Array | undefined;
    let shape: Values | undefined;
    for (let i = 0; i < this.batches; i++) {
      const output = await this.#outputOf(this.#prompts[i]!);
      shape = (await averaging.run({ "probe/output": output })).mean;
      total ??= new Float64Array(shape!.data.length);
      shape!.data.forEach((value, k) => (total![k]! += value / this.batches));
    }
    await averaging.dispose();
    const average = input(
      "probe/mean",
      shape!.axes,
      Object.fromEntries(axisNames(shape!.axes).map((axis, k) => [axis, shape!.shape[k]!])),
    );
    // Where there are logits, a probability of exactly 0 would be an infinite divergence that only rounding makes.
    const chance = logits === undefined ? average : (log(add(average, 1e-30)) as Tensor);
    const program = await compile(
      { divergence: promptDivergence(this.network, spread(chance, this.output), this.output) },
      this.options,
    );
    const found = new Float64Array(this.prompts);
    for (let i = 0; i < this.batches; i++) {
      const { feeds } = await this.batch(i);
      const given = { ...shape!, data: Float32Array.from(total!) };
      const { divergence } = await program.run({ ...feeds, "probe/mean": given });
      found.set(divergence!.data, i * this.size);
    }
    await program.dispose();
    if (!found.some((value) => value > 0)) {
      throw new MechanistError(
        "Refused",
        "referee: expected a network whose output depends on its input, got one that says the same to all",
      );
    }
    return found;
  }

  async #drawn(key: Key, name: string): Promise<Values[]> {
    const count = this.prompts;
    const drawing = await compile({ x: this.#source.batch(Math.min(DRAW, count)) }, this.options);
    const parts: Values[] = [];
    const each = Math.min(DRAW, count);
    for (let i = 0; i * each < count; i++) {
      this.options.signal?.throwIfAborted();
      parts.push((await drawing.run({ ...this.#source.tables }, foldIn(foldIn(key, name), i))).x!);
    }
    await drawing.dispose();
    return cut(parts, this.size, this.batches);
  }
}

const keyOfSeed = (seed: number): Key => foldIn(keyFromSeed(seed), "referee");

/** A value that all prompts and positions share, as the output has it. */
function spread(shared: Tensor, output: Tensor): Tensor {
  return broadcast(shared, output.axes, sizesOf(output)) as Tensor;
}

/** Rows of some batches, put together anew in batches of another size. */
function cut(parts: readonly Values[], size: number, batches: number): Values[] {
  const [first] = parts;
  const width = sizeOf(first!.shape.slice(1));
  const all =
    parts[0]!.dtype === "i32"
      ? new Int32Array(parts.length * first!.data.length)
      : new Float32Array(parts.length * first!.data.length);
  parts.forEach(({ data }, i) => all.set(data, i * first!.data.length));
  return Array.from({ length: batches }, (_, i) => ({
    ...first!,
    shape: [size, ...first!.shape.slice(1)],
    data: all.slice(i * size * width, (i + 1) * size * width),
  }));
}
