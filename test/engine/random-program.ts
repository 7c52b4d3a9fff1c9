/**
 * Random programs, for properties that hold for every program. A program is a list of instructions that fast-check can shrink: each
 * takes two earlier results, applies an operation that fits them, and adds what comes out.
 */
import fc from "fast-check";
import type { Values } from "../../src/engine/values.ts";
import {
  add,
  axisNames,
  broadcast,
  clamp,
  concat,
  constant,
  contract,
  cos,
  div,
  erf,
  exp,
  gather,
  gelu,
  geluTanh,
  input,
  keyFromSeed,
  layerNorm,
  less,
  log,
  logSoftmax,
  max,
  maximum,
  mean,
  mul,
  neg,
  pad,
  pow,
  randomUniform,
  reciprocal,
  rename,
  rmsNorm,
  sigmoid,
  silu,
  sin,
  sizeOf,
  slice,
  softmax,
  sqrt,
  square,
  sub,
  sum,
  tanh,
  type Tensor,
  topK,
  transpose,
  where,
} from "../../src/tensor/index.ts";

const SIZES: Readonly<Record<string, number>> = { a: 2, b: 3, c: 4 };
const INPUTS = { w: "a b c", x: "c a", y: "b", z: "" } as const;

const above = (x: Tensor): Tensor => add(square(x), 0.5);
const binary = add as (x: Tensor, y: Tensor) => Tensor;
const widen = (x: Tensor, y: Tensor): readonly [Tensor, Tensor] => {
  const missing = axisNames(y.axes).filter((name) => !axisNames(x.axes).includes(name));
  return [missing.length > 0 ? broadcast(x, [...axisNames(x.axes), ...missing].join(" "), SIZES) : x, y];
};

/** An operation on two tensors of any axes; `n` chooses among axes and orders. Results stay of moderate size. */
type Operation = (x: Tensor, y: Tensor, n: number) => Tensor;

/** Axes in an order that does not depend on memory. */
const namesOf = (...xs: readonly Tensor[]): string[] => [...new Set(xs.flatMap((x) => axisNames(x.axes)))].sort();

const along =
  (f: (x: Tensor, axis: string) => Tensor): Operation =>
  (x, _, n) => {
    const names = namesOf(x);
    return names.length === 0 ? x : f(x, names[n % names.length]!);
  };

const OPERATIONS: Readonly<Record<string, Operation>> = {
  add: (x, y) => binary(...widen(x, y)),
  sub: (x, y) => (sub as typeof binary)(...widen(x, y)),
  mul: (x, y) => (mul as typeof binary)(...widen(x, tanh(y))),
  div: (x, y) => (div as typeof binary)(...widen(x, above(y))),
  maximum: (x, y) => (maximum as typeof binary)(...widen(x, y)),
  pow: (x, y) => (pow as typeof binary)(...widen(above(tanh(x)), tanh(y))),
  cube: (x) => pow(tanh(x), 3),
  where: (x, y) => {
    const [a, b] = widen(x, y);
    return where((less as typeof binary)(a, b), a, b as never) as Tensor;
  },
  neg,
  exp: (x) => exp(tanh(x)),
  log: (x) => log(above(x)),
  sqrt: (x) => sqrt(above(x)),
  reciprocal: (x) => reciprocal(above(x)),
  erf,
  tanh,
  sigmoid,
  silu,
  gelu,
  geluTanh,
  sin,
  cos,
  clamp: (x) => clamp(x, -0.75, 0.5),
  scale: (x, _, n) => mul(x, (n % 5) / 2 - 1),
  softmax: along(softmax),
  logSoftmax: along(logSoftmax),
  sum: along(sum as (x: Tensor, axis: string) => Tensor),
  mean: along(mean as (x: Tensor, axis: string) => Tensor),
  max: along(max as (x: Tensor, axis: string) => Tensor),
  layerNorm: along((x, axis) => layerNorm(x, axis, { epsilon: 0.1 })),
  rmsNorm: along((x, axis) => rmsNorm(x, axis, { epsilon: 0.1 })),
  slice: along((x, axis) => pad(slice(x, axis, 1, SIZES[axis]!), axis, 0, 1, 0.25)),
  concat: along((x, axis) => slice(concat([neg(x), x], axis), axis, 1, SIZES[axis]! + 1)),
  gather: along((x, axis) => sum(gather(x, constant("k", { k: 3 }, [1, 0, 1], "i32"), axis), "k")),
  topK: along((x, axis) => sum(topK(x, axis, 2).values, "k")),
  transpose: (x, _, n) => transpose(x, rotated(namesOf(x), n).join(" ")),
  contract: (x, y, n) => {
    const kept = rotated(namesOf(x, y), n).filter((_, i) => (n >> i) & 1);
    return mul(contract(x, tanh(y), kept.join(" ")), 0.5);
  },
  square: along((x, axis) => {
    const rest = namesOf(x).filter((name) => name !== axis);
    return sum(contract(x, rename(tanh(x), `${axis} -> other`), [...rest, axis, "other"].join(" ")), "other");
  }),
};

function rotated(names: readonly string[], n: number): string[] {
  const by = names.length === 0 ? 0 : n % names.length;
  return [...names.slice(by), ...names.slice(0, by)];
}

export interface Instruction {
  readonly operation: string;
  readonly first: number;
  readonly second: number;
  readonly choice: number;
}

/** Instructions, newest results being the likeliest operands. */
export const instructions: fc.Arbitrary<readonly Instruction[]> = fc.array(
  fc.record({
    operation: fc.constantFrom(...Object.keys(OPERATIONS)),
    first: fc.nat(3),
    second: fc.nat(7),
    choice: fc.nat(30),
  }),
  { minLength: 1, maxLength: 10 },
);

/** How many numbers the inputs hold together. */
export const COUNT = 24 + 8 + 3 + 1;

/** Numbers for every input, in (-2, 2). All differ, so that no program meets a tie. */
export const numbers: fc.Arbitrary<readonly number[]> = fc
  .nat()
  .map((seed) => Array.from(randomUniform(keyFromSeed(seed), COUNT), (u) => 4 * u - 2));

export interface Program {
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Every result of the instructions. */
  readonly results: readonly Tensor[];
  /** A smooth scalar of all of them. */
  readonly loss: Tensor<"">;
}

/** Builds a program. `turn` puts the axes of the inputs in another order in memory, which must change no number. */
export function build(list: readonly Instruction[], turn = 0): Program {
  const inputs = Object.fromEntries(
    Object.entries(INPUTS).map(([name, axes]) => [name, input(name, rotated(axisNames(axes), turn).join(" "), SIZES)]),
  );
  const pool: Tensor[] = Object.values(inputs);
  for (const { operation, first, second, choice } of list) {
    const [x, y] = [first, second].map((back) => pool[pool.length - 1 - (back % pool.length)]!) as [Tensor, Tensor];
    pool.push(OPERATIONS[operation]!(x, y, choice));
  }
  const results = pool.slice(Object.keys(INPUTS).length);
  const parts = results.map((x) => mean(square(add(tanh(x), 0.3))) as Tensor as Tensor<"">);
  return { inputs, results, loss: parts.reduce((a, b) => add(a, b)) };
}

/** The numbers as values of a program's inputs, whatever their order in memory. */
export function feedsFor({ inputs }: Program, data: readonly number[]): Record<string, Values> {
  let start = 0;
  return Object.fromEntries(
    Object.entries(INPUTS).map(([name, axes]) => {
      const { axes: order, shape } = inputs[name]!;
      const own = data.slice(start, (start += sizeOf(shape)));
      return [name, { axes: order, shape, dtype: "f32", data: Float64Array.from(arranged(axes, order, own)) }];
    }),
  );
}

/** Row-major numbers of axes `from` in the order of axes `to`. */
export function arranged(from: string, to: string, data: ArrayLike<number>): number[] {
  const out: number[] = [];
  const visit = (index: Readonly<Record<string, number>>, rest: readonly string[]): void => {
    const [axis, ...others] = rest;
    if (axis === undefined) {
      out.push(data[axisNames(from).reduce((at, name) => at * SIZES[name]! + index[name]!, 0)]!);
      return;
    }
    for (let i = 0; i < SIZES[axis]!; i++) visit({ ...index, [axis]: i }, others);
  };
  visit({}, axisNames(to));
  return out;
}
