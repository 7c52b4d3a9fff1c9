/**
 * Symbolic tensors: nodes of a traced program. A tensor knows its axes, sizes, type, the operation that
 * makes it and how a gradient flows back through it. It holds no numbers; an engine computes those.
 */
import { MechanistError } from "../error.ts";
import { axisNames, joinAxes, type Names, sizeOf } from "./axes.ts";
import type { OpAttributes, OpName } from "./op.ts";

/** `f32` is float64 inside the arbiter; `i32` holds indices; `bool` holds comparisons. */
export type DType = "f32" | "i32" | "bool";

/**
 * Given the gradient of a loss with respect to a node, the gradients with respect to its inputs. Whatever it needs it takes from the node
 * it is given, so that a node made anew with other inputs and sizes has the right one.
 */
export type Derivative = (gradient: Tensor, of: Tensor) => readonly (Tensor | undefined)[];

/**
 * A value of a traced program whose axes have names: `Tensor<"batch pos d_model">`.
 * The order of the names is the order in memory (row-major); no operation depends on it.
 */
export interface Tensor<Axes extends string = string> {
  readonly axes: Axes;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly op: OpName;
  readonly inputs: readonly Tensor[];
  readonly attributes: OpAttributes[OpName];
  /** Absent where no gradient flows: integers, comparisons, leaves, `stopGradient`. */
  readonly derivative?: Derivative;
}

/** A tensor made by one particular operation. */
export type NodeOf<K extends OpName> = Tensor & { readonly op: K; readonly attributes: OpAttributes[K] };

/** Narrows a tensor to the operation that made it. */
export function isOp<K extends OpName>(tensor: Tensor, op: K): tensor is NodeOf<K> {
  return tensor.op === op;
}

/** Makes a node. Only operation definitions call this. */
export function node<Axes extends string, K extends OpName>(parts: {
  op: K;
  inputs: readonly Tensor[];
  axes: Axes;
  shape: readonly number[];
  dtype?: DType;
  attributes: OpAttributes[K];
  derivative?: Derivative;
}): Tensor<Axes> {
  return { dtype: "f32", ...parts };
}

/** Sizes by axis name: `{ batch: 4096, C: 20 }`. */
export type Sizes<Axes extends string = string> = Readonly<Record<Names<Axes>, number>>;

function shapeFor(where: string, axes: string, sizes: Readonly<Record<string, number>>): number[] {
  return axisNames(joinAxes(axisNames(axes).slice())).map((name) => {
    const size = sizes[name];
    if (size === undefined || !Number.isInteger(size) || size < 0) {
      throw new MechanistError("ShapeMismatch", `${where} "${axes}": axis ${name} needs a whole size, got ${size}`, {
        axis: name,
      });
    }
    return size;
  });
}

/**
 * A value given at each run, found by its name.
 *
 * @param name   unique in a program
 * @param axes   its axes, in memory order
 * @param sizes  the size of each axis
 */
export function input<Axes extends string>(
  name: string,
  axes: Axes,
  sizes: Sizes<Axes>,
  dtype: DType = "f32",
): Tensor<Axes> {
  const shape = shapeFor(`input ${name}`, axes, sizes);
  return node({ op: "input", inputs: [], axes, shape, dtype, attributes: { name, source: "given" } });
}

/**
 * Independent draws from U[0, 1), made anew at each run from the run's key and this name: the same key, name and
 * shape give the same numbers on every device, whatever else the program holds.
 */
export function uniform<Axes extends string>(name: string, axes: Axes, sizes: Sizes<Axes>): Tensor<Axes> {
  const shape = shapeFor(`uniform ${name}`, axes, sizes);
  return node({ op: "input", inputs: [], axes, shape, attributes: { name, source: "uniform" } });
}

/** A tensor of known numbers. A single number fills any shape. */
export function constant<Axes extends string>(
  axes: Axes,
  sizes: Sizes<Axes>,
  data: number | ArrayLike<number>,
  dtype: DType = "f32",
): Tensor<Axes> {
  const shape = shapeFor("constant", axes, sizes);
  const values = typeof data === "number" ? Float64Array.of(data) : Float64Array.from(data);
  if (values.length !== 1 && values.length !== sizeOf(shape)) {
    throw new MechanistError(
      "ShapeMismatch",
      `constant "${axes}": expected ${sizeOf(shape)} numbers, got ${values.length}`,
    );
  }
  return node({ op: "constant", inputs: [], axes, shape, dtype, attributes: { data: values } });
}

/** A number as a tensor without axes. */
export function scalar(value: number): Tensor<""> {
  return constant("", {} as Sizes<"">, value);
}

/** A tensor, or a plain number that stands for a scalar. */
export type Operand = Tensor | number;

/** Turns a plain number into a scalar tensor. */
export function asTensor(value: Operand): Tensor {
  return typeof value === "number" ? scalar(value) : value;
}

/** The size of one axis of a tensor. */
export function axisSize(tensor: Tensor, axis: string): number {
  const size = tensor.shape[axisNames(tensor.axes).indexOf(axis)];
  if (size === undefined) {
    throw new MechanistError("ShapeMismatch", `axis ${axis}: not one of "${tensor.axes}"`, { axis });
  }
  return size;
}

/** The sizes of a tensor by axis name. */
export function sizesOf(tensor: Tensor): Record<string, number> {
  return Object.fromEntries(axisNames(tensor.axes).map((name, i) => [name, tensor.shape[i]!]));
}

/** Refuses a tensor of another type than the operation takes. */
export function expectType(where: string, tensor: Tensor, dtype: DType): void {
  if (tensor.dtype !== dtype) {
    const advice = dtype === "f32" ? "; cast it first" : "";
    throw new MechanistError("ShapeMismatch", `${where}: expected ${dtype}, got ${tensor.dtype}${advice}`);
  }
}
