/** Numbers with named axes: what goes into a program and what comes out. */
import { MechanistError } from "../error.ts";
import { axisNames, sizeOf } from "../tensor/axes.ts";
import type { DType, Tensor } from "../tensor/tensor.ts";

/** The arrays that hold numbers. Engines make `Float32Array` for f32; the arbiter computes in `Float64Array`. */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** A dense row-major array whose axes have names. `bool` is held as bytes 0 and 1. */
export interface Values<Axes extends string = string> {
  readonly axes: Axes;
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: NumberArray;
}

/** Values by name. */
export type NamedValues = Readonly<Record<string, Values>>;

/** f32 numbers under axis names. */
export function values<A extends string>(axes: A, shape: readonly number[], data: ArrayLike<number>): Values<A> {
  return { axes, shape, dtype: "f32", data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** One f32 number. */
export function scalarValue(value: number): Values<""> {
  return values("", [], [value]);
}

/** The only number of values without axes. */
export function itemOf(x: Values): number {
  if (x.data.length !== 1) {
    throw new MechanistError("ShapeMismatch", `item: expected one number, got ${x.data.length} in "${x.axes}"`);
  }
  return x.data[0]!;
}

/** An array of the kind that holds `dtype` on a device. */
export function arrayFor(dtype: DType, length: number): NumberArray {
  if (dtype === "f32") return new Float32Array(length);
  return dtype === "i32" ? new Int32Array(length) : new Uint8Array(length);
}

/** Refuses values that do not fit an input of a program, naming the axis and both numbers. */
export function expectFit(name: string, tensor: Tensor, given: Values | undefined): asserts given is Values {
  if (given === undefined) {
    throw new MechanistError("BadArgument", `input ${name}: expected values for "${tensor.axes}", got none`);
  }
  if (given.axes !== tensor.axes || given.dtype !== tensor.dtype) {
    throw new MechanistError(
      "ShapeMismatch",
      `input ${name}: expected ${tensor.dtype} "${tensor.axes}", got ${given.dtype} "${given.axes}"`,
    );
  }
  axisNames(tensor.axes).forEach((axis, i) => {
    if (given.shape[i] !== tensor.shape[i]) {
      throw new MechanistError(
        "ShapeMismatch",
        `input ${name}: axis ${axis} should be ${tensor.shape[i]}, got ${given.shape[i]}`,
        { axis, expected: tensor.shape[i], got: given.shape[i] },
      );
    }
  });
  if (given.data.length !== sizeOf(tensor.shape)) {
    throw new MechanistError(
      "ShapeMismatch",
      `input ${name}: expected ${sizeOf(tensor.shape)} numbers, got ${given.data.length}`,
    );
  }
}

/** Refuses a NaN or an infinity, and says where the first one is, by axis name. */
export function expectFinite(where: string, x: Values): void {
  const at = x.data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const index: Record<string, number> = {};
  let rest = at;
  axisNames(x.axes)
    .slice()
    .reverse()
    .forEach((axis, i) => {
      const size = x.shape[x.shape.length - 1 - i]!;
      index[axis] = rest % size;
      rest = Math.floor(rest / size);
    });
  const place = axisNames(x.axes).map((axis) => `${axis} ${index[axis]}`);
  throw new MechanistError(
    "NotFinite",
    `${where}: expected finite numbers, got ${x.data[at]}${place.length > 0 ? ` first at ${place.join(", ")}` : ""}`,
    { index, value: String(x.data[at]) },
  );
}
