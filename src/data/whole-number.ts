/** Whole numbers, row indices and coin flips as traced programs of uniform draws. */
import { MechanistError } from "../error.ts";
import { cast, floor, gather, mul, type Sizes, sub, type Tensor, uniform } from "../tensor/index.ts";

/** A uniform draw has 24 bits: above this, some whole numbers would be noticeably likelier than others. */
const MOST = 2 ** 20;

/**
 * Whole numbers from 0 to `below` - 1, all equally likely to within `below` in 2²⁴.
 *
 * Every float32 device draws the same. The arbiter, which does not round the product, may draw the number below where a
 * product lies within half a unit in the last place of a whole number: less than `below` in 2²⁴ draws.
 *
 * @param name  names the draws, so that two in one program differ
 * @param below at most 2²⁰
 * @returns     i32
 */
export function wholeNumbers<Axes extends string>(
  name: string,
  axes: Axes,
  sizes: Sizes<Axes>,
  below: number,
): Tensor<Axes> {
  if (!Number.isInteger(below) || below < 1 || below > MOST) {
    throw new MechanistError("BadArgument", `${name}: expected a whole bound from 1 to ${MOST}, got ${below}`);
  }
  return cast(floor(mul(uniform(name, axes, sizes), below)), "i32");
}

/** Rows of a table, drawn uniformly and with replacement: a batch of `batch` rows of `row pos`. */
export function drawRows(name: string, table: Tensor<"row pos">, batch: number): Tensor<"batch pos"> {
  return gather(table, wholeNumbers(name, "batch", { batch }, table.shape[0]!), "row") as Tensor<"batch pos">;
}

/** -1 or 1, each with probability 1/2. */
export function signs<Axes extends string>(name: string, axes: Axes, sizes: Sizes<Axes>): Tensor<Axes> {
  return sub(mul(cast(wholeNumbers(name, axes, sizes, 2), "f32"), 2) as Tensor<Axes>, 1) as Tensor<Axes>;
}
