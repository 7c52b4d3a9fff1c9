/** Which part of the value at a hook point is meant: heads, neurons, positions, by the names of its axes. */
import { MechanistError } from "../error.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { named } from "../settings.ts";
import { axisNames } from "../tensor/index.ts";
import type { PointSizes } from "./examples.ts";

/**
 * A part of the value at a hook point: the elements whose index along each named axis is listed, all along the others.
 * `{ point: "blocks.1.attn.hook_z", at: { head: [3], pos: [5, 6] } }` is what head 3 writes at two positions.
 */
export interface Selection {
  readonly point: string;
  readonly at?: Readonly<Record<string, readonly number[]>>;
}

/** What is intervened on at once: one part, or several, at one point or at many. */
export type Variant = Selection | readonly Selection[];

/** A variant as a list. */
export const listOf = (variant: Variant): readonly Selection[] => ("point" in variant ? [variant] : variant);

/** A variant as a list, checked. */
export function selectionsOf(runnable: RunnableNetwork, sizes: PointSizes, variant: Variant): readonly Selection[] {
  const list = listOf(variant);
  for (const { point, at = {} } of list) {
    const axes = axisNames(runnable.point(point).axes).filter((axis) => axis !== "batch");
    for (const [axis, indices] of Object.entries(at)) {
      named(`${point} axis`, axis, Object.fromEntries(axes.map((name) => [name, name])));
      const size = sizes.get(point)![axis]!;
      const bad = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= size);
      if (bad !== undefined) {
        throw new MechanistError(
          "BadArgument",
          `${point} ${axis}: expected an index from 0 to ${size - 1}, got ${bad}`,
        );
      }
    }
  }
  const twice = list.find(({ point }, i) => list.findIndex((other) => other.point === point) !== i);
  if (twice === undefined) return list;
  throw new MechanistError(
    "BadArgument",
    `intervention: expected each point once in a variant, got ${twice.point} twice`,
  );
}

/** The axes that a selection names, in the point's order. */
export function namedAxes(sizes: PointSizes, { point, at = {} }: Selection): readonly string[] {
  return Object.keys(sizes.get(point)!).filter((axis) => axis in at);
}
