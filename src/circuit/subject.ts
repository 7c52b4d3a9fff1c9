/** What this layer works on: a network taken apart into rank-one components, and one input to it. */
import type { Decomposition } from "../decomposition/decomposition.ts";
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { Site } from "../network/network.ts";
import { axisNames, broadcast, input, reshape, type Tensor } from "../tensor/index.ts";

/** A decomposition whose components are rank one, `<site>.V` (`d_in C`) and `<site>.U` (`C d_out`) among its tensors. */
export type RankOneDecomposition = Pick<
  Decomposition,
  "network" | "sites" | "values" | "tensors" | "activity" | "masked"
>;

/** The site called `name`. */
export function siteOf({ sites }: Pick<RankOneDecomposition, "sites">, name: string): Site {
  const found = sites.find((site) => site.name === name);
  if (found !== undefined) return found;
  const known = sites.map((site) => site.name).join(", ");
  throw new MechanistError("UnknownName", `site: expected one of ${known}, got ${name}`);
}

/** How many components a site has. */
export function componentCount({ values }: Pick<RankOneDecomposition, "values">, site: string): number {
  const V = values[`${site}.V`];
  if (V === undefined)
    throw new MechanistError("BadArgument", `${site}: expected rank-one components, got no ${site}.V`);
  return V.shape[1]!;
}

/** Numbers of a component as plain lists: what it reads with, `d_in`, and what it writes, `d_out`. */
export function vectorsOf(
  { values }: Pick<RankOneDecomposition, "values">,
  site: string,
  component: number,
): { readonly V: Float64Array; readonly U: Float64Array } {
  const [V, U] = [values[`${site}.V`]!, values[`${site}.U`]!];
  const [dIn, C] = V.shape as [number, number];
  const dOut = U.shape[1]!;
  if (component >= C) {
    throw new MechanistError("BadArgument", `${site}: expected a component from 0 to ${C - 1}, got ${component}`);
  }
  return {
    V: Float64Array.from({ length: dIn }, (_, i) => V.data[i * C + component]!),
    U: Float64Array.from({ length: dOut }, (_, o) => U.data[component * dOut + o]!),
  };
}

/** The lengths of what a site's components write, `C`: with them activations do not depend on how length is shared between V and U. */
export function writeNorms(subject: Pick<RankOneDecomposition, "values">, site: string): Float64Array {
  const { data, shape } = subject.values[`${site}.U`]!;
  const [C, dOut] = shape as [number, number];
  return Float64Array.from({ length: C }, (_, c) => {
    let total = 0;
    for (let o = 0; o < dOut; o++) total += data[c * dOut + o]! ** 2;
    return Math.sqrt(total);
  });
}

/** How many positions an input has; 1 where a network has none. */
export function positionsOf(x: Pick<Values, "axes" | "shape">): number {
  const at = axisNames(x.axes).indexOf("pos");
  return at < 0 ? 1 : x.shape[at]!;
}

/** Whether inputs are sequences. */
export const hasPositions = ({ network }: Pick<RankOneDecomposition, "network">): boolean =>
  axisNames(network.input.axes).includes("pos");

/** The input of a program that is run on `batch` inputs like `x`. */
export function inputLike(x: Values, batch: number): Tensor {
  const sizes = Object.fromEntries(axisNames(x.axes).map((axis, i) => [axis, i === 0 ? batch : x.shape[i]!]));
  return input("x", x.axes, sizes, x.dtype);
}

/** One input, `batch` times over. */
export function repeated(x: Values, batch: number): Values {
  expectOne(x);
  const data = new (x.data.constructor as new (length: number) => Float64Array)(x.data.length * batch);
  for (let i = 0; i < batch; i++) data.set(x.data as Float64Array, i * x.data.length);
  return { ...x, shape: [batch, ...x.shape.slice(1)], data };
}

/** Refuses more or fewer than one input. */
export function expectOne(x: Values): void {
  if (x.shape[0] !== 1) throw new MechanistError("BadArgument", `prompt: expected 1 row, got ${x.shape[0]}`);
}

/** Masks that are the same for every row of a batch, given as `C pos` under `mask/<site>`: `C batch`, a row for each example and position. */
export function sharedMasks(
  subject: RankOneDecomposition,
  batch: number,
  pos: number,
): Readonly<Record<string, Tensor<"C batch">>> {
  return Object.fromEntries(
    subject.sites.map(({ name }) => {
      const C = componentCount(subject, name);
      const given = input(`mask/${name}`, "C pos", { C, pos }) as Tensor;
      const all = broadcast(given, "C batch pos", { C, batch, pos });
      return [name, reshape(all, "C batch", { C, batch: batch * pos })];
    }),
  );
}

/** Numbers for `sharedMasks`, from `C batch` numbers of one input, whose rows are its positions. */
export function maskFeeds(masks: NamedValues): NamedValues {
  return Object.fromEntries(
    Object.entries(masks).map(([site, { shape, data }]) => [
      `mask/${site}`,
      { axes: "C pos", shape, dtype: "f32" as const, data },
    ]),
  );
}
