/**
 * A network with its weights, ready to run: values at any hook point can be read and replaced. Each different question is compiled
 * once and kept.
 */
import {
  compile,
  type CompileOptions,
  type Device,
  type Executable,
  interpret,
  type NamedValues,
  type Values,
} from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { axisNames, input, type Tensor, type Tensors } from "../tensor/index.ts";
import { resolvePoint } from "./hook-names.ts";
import { type HookPoint, type Network, weightInputs } from "./network.ts";

/**
 * What happens at a hook point, as a traced function of the value there. What it returns stands in for the value; nothing leaves it
 * as it is. It may use `input(…)`s of its own, whose values are given at each run: keep the hook and change the values, and the
 * compiled program is used again.
 */
export interface RunHook {
  readonly point: string;
  readonly replace: (value: Tensor) => Tensor | undefined;
}

/** Which hook points: all, a list of names, or those that a pattern or a test finds. */
export type PointFilter = "all" | readonly string[] | RegExp | ((name: string) => boolean);

export interface RunOptions {
  readonly hooks?: readonly RunHook[];
  /** Values for the inputs of hooks and outputs, by name. */
  readonly feeds?: NamedValues;
  /** How many positions at the start of each row are no part of it. */
  readonly padding?: readonly number[];
}

/** A traced run: what can be built on. */
export interface Traced {
  readonly output: Tensor;
  /** The value at each hook point as it goes on from there, replaced ones included. */
  readonly at: Tensors;
  /** The weights, as inputs. */
  readonly weights: Tensors;
  readonly x: Tensor;
}

/** Where and how a network runs; `float64` is the arbiter: slow, and right. */
export interface RunnableOptions extends Omit<CompileOptions, "device"> {
  readonly device?: Device | "float64";
}

/** Programs that are kept; the one that was not used for longest goes first. */
const MOST_PROGRAMS = 64;

type Outputs = Readonly<Record<string, Tensor>>;
type Program = Pick<Executable<Outputs>, "run" | "dispose">;

/** A network with its weights. */
export class RunnableNetwork {
  readonly network: Network;
  readonly weights: NamedValues;
  readonly #options: RunnableOptions;
  readonly #programs = new Map<string, Promise<Program>>();
  readonly #ids = new WeakMap<object, number>();
  readonly #refused = new Map<string, string>();
  #lastId = 0;

  /** @throws `BadArgument` or `ShapeMismatch` where a weight is missing or has another shape */
  constructor(network: Network, weights: NamedValues, options: RunnableOptions = {}) {
    this.network = network;
    this.weights = Object.fromEntries(
      network.weights.map((spec) => {
        const given = weights[spec.name];
        const shape = given?.shape.join("×");
        if (given === undefined || shape !== spec.shape.join("×")) {
          const wanted = `"${spec.axes}" of ${spec.shape.join("×")}`;
          throw new MechanistError("ShapeMismatch", `weight ${spec.name}: expected ${wanted}, got ${shape ?? "none"}`);
        }
        return [spec.name, { ...given, axes: spec.axes }];
      }),
    );
    this.#options = options;
  }

  /**
   * Runs the network.
   *
   * @param options.cache  the hook points whose values are kept; none unless given
   * @param options.stopAt a hook point that is as far as the network runs: `output` is the value there
   */
  async run(
    x: Values,
    options: RunOptions & { readonly cache?: PointFilter; readonly stopAt?: string } = {},
  ): Promise<{ output: Values; cache: NamedValues }> {
    const stopAt = options.stopAt === undefined ? undefined : this.point(options.stopAt).name;
    const points = options.cache === undefined ? [] : this.points(options.cache);
    const names = (stopAt === undefined ? points : this.#upTo(points, stopAt)).map(({ name }) => name);
    const question = `run ${stopAt ?? ""} ${names.join(" ")}`;
    const results = await this.#computed(question, x, options, ({ output, at }) => ({
      output: stopAt === undefined ? output : at[stopAt]!,
      ...Object.fromEntries(names.map((name) => [`cache:${name}`, at[name]!])),
    }));
    const cache = Object.fromEntries(names.map((name) => [name, results[`cache:${name}`]!]));
    return { output: results.output!, cache };
  }

  /**
   * Whatever can be traced from a run: a loss, a gradient with respect to the value at a hook point.
   *
   * @param outputs kept with its program: give the same function again and nothing is compiled anew
   */
  compute<O extends Outputs>(
    x: Values,
    outputs: (traced: Traced) => O,
    options: RunOptions = {},
  ): Promise<{ [K in keyof O]: Values }> {
    return this.#computed(`compute ${this.#idOf(outputs)}`, x, options, outputs) as Promise<{ [K in keyof O]: Values }>;
  }

  /** The hook points that a filter finds, in the order they are met. */
  points(filter: PointFilter): readonly HookPoint[] {
    const { points } = this.network;
    if (filter === "all") return points.filter(({ name }) => !this.#refused.has(name));
    if (filter instanceof RegExp) return this.points((name) => filter.test(name));
    if (typeof filter === "function") return points.filter(({ name }) => filter(name) && this.#usable(name));
    const wanted = new Set(filter.map((name) => this.point(name).name));
    return points.filter(({ name }) => wanted.has(name));
  }

  /**
   * The hook point called `name`, here or in another tool (`hook-names.ts`).
   *
   * @throws `UnknownName` with the nearest name there is; `Refused` where the name means something else, or where the self-check found
   * that the point does not hold what its name says
   */
  point(name: string): HookPoint {
    const point = resolvePoint(this.network, name);
    const why = this.#refused.get(point.name);
    if (why !== undefined) throw new MechanistError("Refused", `hook point ${name}: failed its check, ${why}`);
    return point;
  }

  /** Refuses a hook point from now on. */
  refuse(name: string, why: string): void {
    this.#refused.set(resolvePoint(this.network, name).name, why);
  }

  /** The same network with other weights, on the same device: shuffled ones for instance, as a null. Dispose of it by itself. */
  withWeights(weights: NamedValues): RunnableNetwork {
    return new RunnableNetwork(this.network, weights, this.#options);
  }

  async dispose(): Promise<void> {
    const programs = [...this.#programs.values()];
    this.#programs.clear();
    for (const program of programs) await (await program).dispose();
  }

  #usable(name: string): boolean {
    this.point(name);
    return true;
  }

  #upTo(points: readonly HookPoint[], stopAt: string): readonly HookPoint[] {
    const order = this.network.points.map(({ name }) => name);
    return points.filter(({ name }) => order.indexOf(name) <= order.indexOf(stopAt));
  }

  async #computed(
    question: string,
    x: Values,
    { hooks = [], feeds = {}, padding }: RunOptions,
    outputs: (traced: Traced) => Outputs,
  ): Promise<Readonly<Record<string, Values>>> {
    this.#expectInput(x);
    const ids = hooks.map((hook) => this.#idOf(hook));
    const key = [question, x.shape.join("×"), ids.join(","), padding === undefined ? "" : "padded"].join(" | ");
    let program = this.#programs.get(key);
    if (program === undefined) {
      program = this.#prepare(outputs(this.#trace(x, hooks, padding !== undefined)));
      program.catch(() => this.#programs.delete(key));
    }
    // The last one used is the last one to go.
    this.#programs.delete(key);
    this.#programs.set(key, program);
    const [oldest] = this.#programs.keys();
    if (this.#programs.size > MOST_PROGRAMS && oldest !== undefined) {
      const old = this.#programs.get(oldest)!;
      this.#programs.delete(oldest);
      void old.then((p) => p.dispose());
    }
    const rows: NamedValues =
      padding === undefined
        ? {}
        : { padding: { axes: "batch", shape: [padding.length], dtype: "i32", data: Int32Array.from(padding) } };
    return (await program).run({ ...this.weights, ...rows, ...feeds, x });
  }

  #trace(x: Values, hooks: readonly RunHook[], padded: boolean): Traced {
    const sizes = Object.fromEntries(axisNames(x.axes).map((axis, i) => [axis, x.shape[i]!]));
    const given = input("x", x.axes, sizes, x.dtype);
    const weights = weightInputs(this.network.weights);
    const padding = padded ? input("padding", "batch", { batch: x.shape[0]! }, "i32") : undefined;
    const named = hooks.map(({ point, replace }) => ({ point: this.point(point).name, replace }));
    const at: Record<string, Tensor> = {};
    const output = this.network.forward(
      weights,
      given,
      {
        at: (point, value) => {
          let replaced: Tensor | undefined;
          for (const hook of named.filter((h) => h.point === point)) {
            const next = hook.replace(replaced ?? value);
            if (next !== undefined) replaced = expectFit(point, value, next);
          }
          at[point] = replaced ?? value;
          return replaced;
        },
      },
      padding,
    );
    return { output, at, weights, x: given };
  }

  async #prepare(outputs: Outputs): Promise<Program> {
    const { device, ...options } = this.#options;
    if (device !== "float64") return compile(outputs, { ...options, ...(device !== undefined && { device }) });
    return {
      run: async (feeds: NamedValues = {}) => interpret(outputs, feeds),
      dispose: async () => undefined,
    };
  }

  #idOf(thing: object): number {
    const known = this.#ids.get(thing);
    if (known !== undefined) return known;
    this.#ids.set(thing, ++this.#lastId);
    return this.#lastId;
  }

  #expectInput(x: Values): void {
    const { axes, dtype, sizes, vocab, context } = this.network.input;
    if (x.axes !== axes || x.dtype !== dtype) {
      throw new MechanistError("ShapeMismatch", `run: expected ${dtype} "${axes}", got ${x.dtype} "${x.axes}"`);
    }
    axisNames(axes).forEach((axis, i) => {
      const [wanted, got] = [sizes[axis], x.shape[i]!];
      if (wanted !== undefined && wanted !== got) {
        throw new MechanistError("ShapeMismatch", `run: axis ${axis} should be ${wanted}, got ${got}`);
      }
      if (axis === "pos" && context !== undefined && got > context) {
        throw new MechanistError("BadArgument", `run: expected at most ${context} positions, got ${got}`);
      }
    });
    if (vocab === undefined) return;
    const bad = x.data.findIndex((id) => id < 0 || id >= vocab);
    if (bad >= 0) {
      const at = `row ${Math.floor(bad / x.shape[1]!)}, position ${bad % x.shape[1]!}`;
      throw new MechanistError(
        "BadArgument",
        `run: expected token ids from 0 to ${vocab - 1}, got ${x.data[bad]} at ${at}`,
      );
    }
  }
}

/** Token ids as the input of a network, one row a sequence; rows must be equally long. */
export function tokenValues(rows: readonly (readonly number[])[]): Values<"batch pos"> {
  const pos = rows[0]?.length ?? 0;
  const odd = rows.findIndex((row) => row.length !== pos);
  if (odd >= 0) {
    throw new MechanistError(
      "BadArgument",
      `tokens: expected rows of ${pos} ids, got ${rows[odd]!.length} in row ${odd}`,
    );
  }
  return { axes: "batch pos", shape: [rows.length, pos], dtype: "i32", data: Int32Array.from(rows.flat()) };
}

function expectFit(point: string, value: Tensor, got: Tensor): Tensor {
  const described = ({ dtype, axes, shape }: Tensor): string =>
    `${dtype} "${axes}" of ${shape.join("×") || "one number"}`;
  if (described(value) === described(got)) return got;
  throw new MechanistError(
    "ShapeMismatch",
    `hook ${point}: expected ${described(value)}, got ${described(got)} from the hook`,
  );
}
