/**
 * Images of scattered ink, and where three pixels of it lie in a line: a toy whose mechanisms are known, one for each of the four
 * orientations. A pixel is on a line if it and its two neighbours along the orientation are ink.
 */
import {
  add,
  cast,
  concat,
  gather,
  constant,
  less,
  pad,
  relabel,
  relu,
  reshape,
  sub,
  type Tensor,
  uniform,
} from "../tensor/index.ts";

/** Rows down and columns right of the next pixel along each orientation. */
export const ORIENTATIONS = { horizontal: [0, 1], vertical: [1, 0], falling: [1, 1], rising: [-1, 1] } as const;

export interface Lines {
  /** 1 where there is ink, 0 elsewhere; pixels row by row. */
  readonly ink: Tensor<"batch pos feature">;
  /** 1 where a line of an orientation passes, 0 elsewhere, in the order of `ORIENTATIONS`. */
  readonly lines: Tensor<"batch pos output">;
}

/**
 * A batch of images.
 *
 * @param name    of the draws
 * @param density how likely a pixel is ink
 */
export function lines(
  name: string,
  { batch, height, width, density }: { batch: number; height: number; width: number; density: number },
): Lines {
  const pos = height * width;
  const ink = cast(less(uniform(name, "batch pos", { batch, pos }), density), "f32");
  // Beyond the edge there is none: one more pixel, after the last.
  const padded = pad(relabel(ink, "batch pixel"), "pixel", 0, 1);
  const moved = ([down, right]: readonly [number, number], by: number): Tensor<"batch pos"> => {
    const indices = Array.from({ length: pos }, (_, at) => {
      const [row, column] = [Math.floor(at / width) + by * down, (at % width) + by * right];
      return row >= 0 && row < height && column >= 0 && column < width ? row * width + column : pos;
    });
    return relabel(gather(padded, constant("pos", { pos }, indices, "i32"), "pixel"), "batch pos");
  };
  const found = Object.values(ORIENTATIONS).map((way) => {
    const three = add(add(moved(way, -1), ink), moved(way, 1));
    return reshape(relu(sub(three, 2)), "batch pos output", { batch, pos, output: 1 });
  });
  return { ink: reshape(ink, "batch pos feature", { batch, pos, feature: 1 }), lines: concat(found, "output") };
}
