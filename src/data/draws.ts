/** Draws that toys are made of, as traced programs: they run on the device inside the training step, or once on the host. */
import { interpret, type Values } from "../engine/index.ts";
import { arrayFor } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import {
  cast,
  cos,
  floor,
  gather,
  type Key,
  log,
  mul,
  neg,
  type Sizes,
  sqrt,
  sub,
  type Tensor,
  uniform,
} from "../tensor/index.ts";

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
    throw new MechanistError("BadArgument", `draw ${name}: expected a whole bound from 1 to ${MOST}, got ${below}`);
  }
  return cast(floor(mul(uniform(name, axes, sizes), below)), "i32");
}

/** -1 or 1, each with probability 1/2; f32. */
export function signs<Axes extends string>(name: string, axes: Axes, sizes: Sizes<Axes>): Tensor<Axes> {
  return sub(mul(cast(wholeNumbers(name, axes, sizes, 2), "f32"), 2), 1);
}

/** The standard normal distribution, by Box and Muller's transform of two uniform draws. */
export function normals<Axes extends string>(name: string, axes: Axes, sizes: Sizes<Axes>): Tensor<Axes> {
  // 1 - u is never 0.
  const radius: Tensor = sqrt(mul(neg(log(sub(1, uniform(`${name}/radius`, axes, sizes)))), 2));
  const angle: Tensor = mul(uniform(`${name}/angle`, axes, sizes), 2 * Math.PI);
  return mul(radius, cos(angle)) as Tensor<Axes>;
}

/** Rows of a table, drawn uniformly and with replacement: `batch` rows of `row pos`. */
export function drawRows(name: string, table: Tensor<"row pos">, batch: number): Tensor<"batch pos"> {
  return gather(table, wholeNumbers(name, "batch", { batch }, table.shape[0]!), "row") as Tensor<"batch pos">;
}

/** The numbers of a program of draws under a key, in the arrays that a device would hold them in. */
export function sampled<O extends Readonly<Record<string, Tensor>>>(
  program: O,
  key: Key,
): { [K in keyof O]: Values<O[K]["axes"]> } {
  return Object.fromEntries(
    Object.entries(interpret(program, {}, key)).map(([name, x]) => {
      const data = arrayFor(x.dtype, x.data.length);
      data.set(x.data);
      return [name, { ...x, data }];
    }),
  ) as { [K in keyof O]: Values<O[K]["axes"]> };
}
