/** Tensors as checkpoints store them, arranged as our weights are. */
import { MechanistError } from "../../error.ts";
import { axisNames } from "../../tensor/index.ts";

/** The axis along which a fused projection has queries, keys and values. */
export const FUSED = "qkv";

/** A stored tensor's axes: `(head d_head) d_model` has two, the first made of two of ours. */
export interface StoredAxes {
  /** The sizes of the file's axes. */
  readonly shape: readonly number[];
  /** Our axes in memory order, with the fused one. */
  readonly names: readonly string[];
}

/** Reads `(head d_head) d_model`. */
export function storedAxes(text: string, sizes: Readonly<Record<string, number>>): StoredAxes {
  const groups = text.match(/\([^)]*\)|\S+/g)!.map((group) => axisNames(group.replaceAll(/[()]/g, "")));
  const sizeOf = (axis: string): number => (axis === FUSED ? 3 : sizes[axis]!);
  return {
    shape: groups.map((group) => group.reduce((product, axis) => product * sizeOf(axis), 1)),
    names: groups.flat(),
  };
}

/**
 * A stored tensor's numbers in the order of a weight's axes.
 *
 * @param data   of the whole tensor
 * @param stored its axes
 * @param sizes  of our axes
 * @param wanted the weight's axes: the stored ones in their order, or the last of them before the first
 * @param part   which of queries, keys and values, where they are fused
 */
export function arranged(
  data: Float32Array,
  stored: readonly string[],
  sizes: Readonly<Record<string, number>>,
  wanted: readonly string[],
  part: number,
): Float32Array {
  const names = stored.filter((axis) => axis !== FUSED);
  const extent = (axes: readonly string[]): number =>
    axes.reduce((product, axis) => product * (axis === FUSED ? 3 : sizes[axis]!), 1);
  let own = data;
  const at = stored.indexOf(FUSED);
  if (at >= 0) {
    const [before, after] = [extent(stored.slice(0, at)), extent(stored.slice(at + 1))];
    own = new Float32Array(before * after);
    for (let i = 0; i < before; i++)
      own.set(data.subarray((3 * i + part) * after, (3 * i + part + 1) * after), i * after);
  }
  if (names.join(" ") === wanted.join(" ")) return own;
  const turn = names.indexOf(wanted[0]!);
  if ([...names.slice(turn), ...names.slice(0, turn)].join(" ") !== wanted.join(" ")) {
    throw new MechanistError("Internal", `arrange: expected "${wanted.join(" ")}" turned, got "${names.join(" ")}"`);
  }
  return transposed(own, extent(names.slice(0, turn)), extent(names.slice(turn)));
}

/**
 * What `arranged` does, the other way round: a weight's numbers put where a stored tensor has them.
 *
 * @param data of the weight
 * @param into the whole tensor; of a fused one the other parts stay
 */
export function replaced(
  data: Float32Array,
  stored: readonly string[],
  sizes: Readonly<Record<string, number>>,
  wanted: readonly string[],
  part: number,
  into: Float32Array,
): void {
  const names = stored.filter((axis) => axis !== FUSED);
  const extent = (axes: readonly string[]): number => axes.reduce((product, axis) => product * sizes[axis]!, 1);
  const turn = names.indexOf(wanted[0]!);
  const own = turn === 0 ? data : transposed(data, extent(names.slice(turn)), extent(names.slice(0, turn)));
  const at = stored.indexOf(FUSED);
  if (at < 0) {
    into.set(own);
    return;
  }
  const [before, after] = [extent(stored.slice(0, at)), extent(stored.slice(at + 1))];
  for (let i = 0; i < before; i++) into.set(own.subarray(i * after, (i + 1) * after), (3 * i + part) * after);
}

/** Rows and columns are turned in squares of this side, which the processor's cache holds. */
const SIDE = 64;

/** `rows columns` as `columns rows`. */
function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let top = 0; top < rows; top += SIDE) {
    const bottom = Math.min(top + SIDE, rows);
    for (let left = 0; left < columns; left += SIDE) {
      const right = Math.min(left + SIDE, columns);
      for (let column = left; column < right; column++) {
        for (let row = top; row < bottom; row++) result[column * rows + row] = data[row * columns + column]!;
      }
    }
  }
  return result;
}
