/** Tensors in a file that are read one by one, so that memory holds what is kept and one chunk, however large the file is. */
import { arrayFor, type NumberArray, type Values } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { nearest } from "../nearest.ts";
import { axisNames, sizeOf } from "../tensor/axes.ts";
import type { DType } from "../tensor/tensor.ts";
import { quoted } from "./json.ts";
import type { StoredType } from "./stored-numbers.ts";

/** A tensor without its numbers. */
export interface TensorInfo {
  readonly name: string;
  /** How it is stored. */
  readonly type: StoredType;
  readonly shape: readonly number[];
  /** Its axis names, `axis0 axis1 …` for a file that has none. */
  readonly axes: string;
}

/** How a tensor is read. */
export interface ReadOptions {
  /** Axis names instead of the file's; as many as the tensor has axes. */
  readonly axes?: string;
  readonly signal?: AbortSignal;
}

/** Tensors that are read when asked for. */
export interface OpenTensors {
  /** What there is, without its numbers. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The header's `__metadata__` without `axes`; of shards, the first one's. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Reads one tensor, types as in `HELD_AS`. @throws `BadFile` where there is none of that name */
  readTensor(name: string, options?: ReadOptions): Promise<Values>;
  close(): Promise<void>;
}

/** Large enough that calls cost little, small enough to stay in the processor's cache between reading and widening. */
export const CHUNK_BYTES = 2 ** 20;

/** @throws `BadFile` with the nearest name where there is none of this */
export function tensorNamed<T extends TensorInfo>(where: string, tensors: ReadonlyMap<string, T>, name: string): T {
  const tensor = tensors.get(name);
  if (tensor !== undefined) return tensor;
  const close = nearest(name, [...tensors.keys()]);
  const hint = close === undefined ? "none" : `none; the nearest is ${quoted(close)}`;
  throw new MechanistError("BadFile", `${where}: expected a tensor ${quoted(name)}, got ${hint}`, {
    name,
    nearest: close,
  });
}

/** @throws `BadFile` where axis names do not fit a shape */
export function expectAxes(where: string, axes: string, shape: readonly number[]): void {
  if (axisNames(axes).length !== shape.length) {
    throw new MechanistError(
      "BadFile",
      `${where}: expected axes "${axes}", got a shape of ${shape.length}: ${shape.join("×")}`,
    );
  }
}

/**
 * An array for a tensor's numbers.
 *
 * @throws `Unavailable` where the file holds more than memory does
 */
export function arrayOf(where: string, dtype: DType, shape: readonly number[]): NumberArray {
  try {
    return arrayFor(dtype, sizeOf(shape));
  } catch (cause) {
    throw new MechanistError(
      "Unavailable",
      `${where}: expected memory for its numbers, got none`,
      { numbers: sizeOf(shape) },
      { cause },
    );
  }
}
