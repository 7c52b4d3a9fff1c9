/** Comparisons, logic and choice. No gradient flows through a comparison. */
import type { Fits, Wider } from "../axes.ts";
import type { OpName } from "../op.ts";
import { asTensor, constant, type DType, expectType, type Operand, type Tensor } from "../tensor.ts";
import { elementwise, numbers } from "./elementwise.ts";
import type { Binary } from "./arithmetic.ts";
import { transpose } from "./shape.ts";

function comparison(op: OpName & ("less" | "lessEqual" | "equal")): Binary {
  return ((a: Operand, b: Operand) => elementwise(op, alike(op, a, b), {}, "bool")) as Binary;
}

/** Two operands of one type, both f32 or both i32; a plain number takes the type of the other. */
function alike(op: string, a: Operand, b: Operand): readonly Operand[] {
  const types = [a, b].flatMap((x) => (typeof x === "number" ? [] : [x.dtype]));
  const dtype = types[0] === "i32" ? "i32" : "f32";
  return [a, b].map((x) => {
    if (typeof x === "number") return constant("", {}, x, dtype);
    expectType(op, x, dtype);
    return x;
  });
}

/** `a < b`, as bool. */
export const less: Binary = comparison("less");

/** `a <= b`, as bool. */
export const lessEqual: Binary = comparison("lessEqual");

/** `a == b`, as bool. */
export const equal: Binary = comparison("equal");

/** `a > b`, as bool. */
export const greater: Binary = swapped(less);

/** `a >= b`, as bool. */
export const greaterEqual: Binary = swapped(lessEqual);

/** A comparison with its operands exchanged; the result keeps the order of the axes of `a` where both have the same. */
function swapped(compare: Binary): Binary {
  return ((a: Operand, b: Operand) => {
    const result: Tensor = compare(b as Tensor, a as never);
    return typeof a !== "number" && a.shape.length === result.shape.length ? transpose(result, a.axes) : result;
  }) as Binary;
}

/** Both true. */
export function and<A extends string, B extends string>(a: Tensor<A>, b: Tensor<B> & Fits<A, B>): Tensor<Wider<A, B>> {
  return elementwise("and", [bool("and", a), bool("and", b)], {}, "bool") as Tensor<Wider<A, B>>;
}

/** Either true. */
export function or<A extends string, B extends string>(a: Tensor<A>, b: Tensor<B> & Fits<A, B>): Tensor<Wider<A, B>> {
  return elementwise("or", [bool("or", a), bool("or", b)], {}, "bool") as Tensor<Wider<A, B>>;
}

/** True where `x` is false. */
export function not<A extends string>(x: Tensor<A>): Tensor<A> {
  return elementwise("not", [bool("not", x)], {}, "bool") as Tensor<A>;
}

/** `condition ? a : b`, element by element; one of the three must have all the axes of the others. */
export function where<C extends string, A extends string = "", B extends string = "">(
  condition: Tensor<C>,
  a: Tensor<A> | number,
  b: Tensor<B> | number,
): Tensor<Wider<C, Wider<A, B>>> {
  bool("where", condition);
  return elementwise("where", [condition, numbers("where", a), numbers("where", b)], {}, "f32", (g, _, [c]) => [
    undefined,
    where(c!, g, 0),
    where(c!, 0, g),
  ]) as Tensor<Wider<C, Wider<A, B>>>;
}

/** The same values as another type: bool becomes 0 and 1, f32 is cut towards zero. No gradient flows. */
export function cast<A extends string>(x: Tensor<A>, dtype: DType): Tensor<A> {
  return x.dtype === dtype ? x : (elementwise("cast", [x], {}, dtype) as Tensor<A>);
}

function bool(op: string, x: Operand): Tensor {
  const tensor = asTensor(x);
  expectType(op, tensor, "bool");
  return tensor;
}
