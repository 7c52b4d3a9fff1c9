/// <reference types="vite/client" />
/**
 * The golden cases of the tensor layer's operations, as `reference/goldens` wrote them, made into programs. A case names the
 * function to call, so a new case in the fixtures is a new test without a line here.
 */
import * as layer from "../../src/tensor/index.ts";
import type { DType, Tensor } from "../../src/tensor/index.ts";
import { gradients, input, mul, sizeOf, sum } from "../../src/tensor/index.ts";
import type { Values } from "../../src/engine/values.ts";

/** Numbers in a fixture; infinities are written as text. */
type Data = readonly (number | string)[];
type Argument = number | string | readonly Argument[] | { readonly [key: string]: Argument };

interface Stored {
  readonly axes: string;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: Data;
}

export interface GoldenCase {
  readonly name: string;
  /** A function of the tensor layer and its arguments; `"$x"` stands for the input `x`. */
  readonly call: readonly Argument[];
  readonly inputs: Readonly<Record<string, Stored>>;
  readonly output: Stored;
  /** Which part of the result is meant, where it has several. */
  readonly pick?: string;
  /** The gradient that arrives at the output, and those it becomes at the inputs. */
  readonly cotangent?: Data;
  /** Whether finite differences have nothing to say here. */
  readonly kink?: boolean;
  readonly gradients?: Readonly<Record<string, Data>>;
}

/** A case as a program: what to compute, from what, and what should come out. */
export interface GoldenProgram {
  readonly outputs: Readonly<Record<string, Tensor>>;
  readonly feeds: Readonly<Record<string, Values>>;
  readonly expected: Readonly<Record<string, Values>>;
}

const functions: Readonly<Record<string, unknown>> = { ...layer };

const files = import.meta.glob<readonly GoldenCase[]>("./ops/*.json", { eager: true, import: "default" });

/** Every family of operations with its cases. */
export const families: readonly (readonly [name: string, cases: readonly GoldenCase[]])[] = Object.entries(files).map(
  ([path, cases]) => [path.replace(/^.*\/|\.json$/g, ""), cases],
);

/** Traces a case: its output, and its gradients where it has them. */
export function programOf(golden: GoldenCase): GoldenProgram {
  const inputs: Record<string, Tensor> = {};
  const feeds: Record<string, Values> = {};
  for (const [name, stored] of Object.entries(golden.inputs)) {
    inputs[name] = inputFor(name, stored);
    feeds[name] = valuesOf(stored);
  }
  const made = call(golden.call, inputs);
  const output = (golden.pick === undefined ? made : made[golden.pick as keyof Tensor]) as Tensor;
  const outputs: Record<string, Tensor> = { output };
  const expected: Record<string, Values> = { output: valuesOf(golden.output) };
  if (golden.gradients !== undefined) {
    const arriving = { ...golden.output, data: golden.cotangent! };
    feeds["cotangent"] = valuesOf(arriving);
    const loss = sum(mul(output, inputFor("cotangent", arriving) as never)) as Tensor;
    const names = Object.keys(golden.gradients);
    gradients(
      loss,
      names.map((name) => inputs[name]!),
    ).forEach((gradient, i) => {
      const name = names[i]!;
      outputs[`gradient of ${name}`] = gradient;
      expected[`gradient of ${name}`] = valuesOf({ ...golden.inputs[name]!, data: golden.gradients![name]! });
    });
  }
  return { outputs, feeds, expected };
}

function inputFor(name: string, { axes, shape, dtype }: Stored): Tensor {
  return input(name, axes, Object.fromEntries(layer.axisNames(axes).map((axis, i) => [axis, shape[i]!])), dtype);
}

function call([name, ...args]: readonly Argument[], inputs: Readonly<Record<string, Tensor>>): Tensor {
  const f = functions[name as string] as (...args: unknown[]) => Tensor;
  return f(...args.map((argument) => resolve(argument, inputs)));
}

function resolve(argument: Argument, inputs: Readonly<Record<string, Tensor>>): unknown {
  if (argument === "Infinity") return Infinity;
  if (typeof argument === "string") return argument.startsWith("$") ? inputs[argument.slice(1)] : argument;
  if (typeof argument === "number") return argument;
  if (isList(argument)) {
    const isCall = typeof argument[0] === "string" && !argument[0].startsWith("$");
    return isCall ? call(argument, inputs) : argument.map((item) => resolve(item, inputs));
  }
  return Object.fromEntries(Object.entries(argument).map(([key, value]) => [key, resolve(value, inputs)]));
}

const isList = (argument: Argument): argument is readonly Argument[] => Array.isArray(argument);

function valuesOf({ axes, shape, dtype, data }: Stored): Values {
  const numbers = data.map(Number);
  if (numbers.length !== sizeOf(shape)) throw new Error(`fixture "${axes}": ${numbers.length} numbers`);
  const held = { f32: Float64Array, i32: Int32Array, bool: Uint8Array }[dtype];
  return { axes, shape, dtype, data: held.from(numbers) };
}
