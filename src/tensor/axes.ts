/**
 * Axis names, as types and at run time. `"batch pos d_model"` names three axes; `""` names none, a scalar.
 */
import { MechanistError } from "../error.ts";

/** The axis names of `S`, as a union: `"batch C"` gives `"batch" | "C"`. A plain `string` stays unknown. */
export type Names<S extends string> = string extends S
  ? string
  : S extends `${infer Head} ${infer Tail}`
    ? Head | Names<Tail>
    : S extends ""
      ? never
      : S;

/** The axes of `S` in order, as a tuple. */
export type Ordered<S extends string> = string extends S
  ? readonly string[]
  : S extends `${infer Head} ${infer Tail}`
    ? readonly [Head, ...Ordered<Tail>]
    : S extends ""
      ? readonly []
      : readonly [S];

/** A tuple of names back to one string. */
export type Joined<T extends readonly string[]> = T extends readonly [infer Only extends string]
  ? Only
  : T extends readonly [infer Head extends string, ...infer Tail extends readonly string[]]
    ? `${Head} ${Joined<Tail>}`
    : T extends readonly []
      ? ""
      : string;

/** `S` without the axes `Drop`, in order. */
export type Without<S extends string, Drop extends string> = string extends S
  ? string
  : string extends Drop
    ? string
    : Joined<Filter<Ordered<S>, Names<Drop>>>;

type Filter<T extends readonly string[], Drop extends string> = T extends readonly [
  infer Head extends string,
  ...infer Tail extends readonly string[],
]
  ? Head extends Drop
    ? Filter<Tail, Drop>
    : readonly [Head, ...Filter<Tail, Drop>]
  : readonly [];

/** Whichever of `A` and `B` has all the axes of the other; `never` when neither does. */
export type Wider<A extends string, B extends string> = [Exclude<Names<B>, Names<A>>] extends [never]
  ? A
  : [Exclude<Names<A>, Names<B>>] extends [never]
    ? B
    : never;

/** Makes a call fail to compile, with a sentence, when neither operand has all the axes of the other. */
export type Fits<A extends string, B extends string> = [Wider<A, B>] extends [never]
  ? { error: `neither "${A}" nor "${B}" has all the axes of the other` }
  : unknown;

/** Splits `"batch pos"` into `["batch", "pos"]`; `""` into none. */
export function axisNames(axes: string): readonly string[] {
  return axes === "" ? [] : axes.split(" ");
}

/** Joins axis names and refuses a name that is empty, has a space, or appears twice. */
export function joinAxes(names: readonly string[]): string {
  for (const [i, name] of names.entries()) {
    if (name === "" || /\s/.test(name)) {
      throw new MechanistError(
        "ShapeMismatch",
        `axes "${names.join(" ")}": expected names without spaces, got "${name}"`,
      );
    }
    if (names.indexOf(name) !== i) {
      throw new MechanistError("ShapeMismatch", `axes "${names.join(" ")}": axis ${name} appears twice`, {
        axis: name,
      });
    }
  }
  return names.join(" ");
}

/** How many elements a tensor of this shape has. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
