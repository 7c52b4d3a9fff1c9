/**
 * Rank-one subcomponents: at each site `W ≈ Σ_c V[:, c] U[c, :]` (SPD paper, section 2, with matrices that multiply from
 * the right). `V[:, c]` reads, `U[c, :]` writes.
 */
import type { NamedValues } from "../../engine/index.ts";
import { values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { Site, WeightSpec } from "../../network/network.ts";
import type { Slots } from "./importance/importance.ts";
import {
  add,
  axisSize,
  contract,
  einsum,
  foldIn,
  gather,
  type Key,
  mul,
  randomNormal,
  rename,
  reshape,
  sizesOf,
  sub,
  type Tensor,
  type Tensors,
  transpose,
} from "../../tensor/index.ts";

/** One site's subcomponents in a traced program. */
export interface Subcomponents {
  readonly V: Tensor<"d_in C">;
  readonly U: Tensor<"C d_out">;
}

/** The weights that hold a site's subcomponents. */
export function subcomponentWeights(site: Site, C: number): WeightSpec[] {
  return [
    { name: `${site.name}.V`, axes: "d_in C", shape: [site.dIn, C] },
    { name: `${site.name}.U`, axes: "C d_out", shape: [C, site.dOut] },
  ];
}

/** Their numbers at the start: `V ~ N(0, 1/√d_in)`, `U ~ N(0, 1/√C)`, standard deviations (SPD repository). */
export function initialSubcomponents(site: Site, C: number, key: Key): NamedValues {
  const draw = (name: string, count: number, deviation: number): Float32Array =>
    randomNormal(foldIn(key, name), count).map((x) => x * deviation);
  const [V, U] = [`${site.name}.V`, `${site.name}.U`];
  return {
    [V]: values("d_in C", [site.dIn, C], draw(V, site.dIn * C, 1 / Math.sqrt(site.dIn))),
    [U]: values("C d_out", [C, site.dOut], draw(U, C * site.dOut, 1 / Math.sqrt(C))),
  };
}

/**
 * A site's subcomponents among named tensors.
 *
 * Where sites are tied each has tensors of its own, and their components are the mean of the one's and of the other's, transposed: it is the
 * same for both, and pulls at both alike, so that what starts out equal stays equal.
 */
export function subcomponentsOf(tensors: Tensors, site: Site): Subcomponents {
  const V = tensors[`${site.name}.V`] as Tensor<"d_in C">;
  const U = tensors[`${site.name}.U`] as Tensor<"C d_out">;
  if (site.tiedTo === undefined) return { V, U };
  const [read, written] = [tensors[`${site.tiedTo}.V`]!, tensors[`${site.tiedTo}.U`]!];
  return {
    V: mul(add(V, transpose(rename(written, "d_out -> d_in"), "d_in C")), 0.5),
    U: mul(add(U, transpose(rename(read, "d_in -> d_out"), "C d_out")), 0.5),
  };
}

/** Numbers at the start by which tied sites have the same components, those of the earlier site. */
export function tied(sites: readonly Site[], components: NamedValues): NamedValues {
  const later = sites.filter((site) => site.tiedTo !== undefined && site.transposeOf === site.tiedTo);
  const copies = later.flatMap(({ name, tiedTo }) => [
    [`${name}.V`, transposedValues("d_in C", components[`${tiedTo}.U`]!)],
    [`${name}.U`, transposedValues("C d_out", components[`${tiedTo}.V`]!)],
  ]);
  return { ...components, ...(Object.fromEntries(copies) as NamedValues) };
}

/**
 * What tied sites' components are, in numbers: the mean that `subcomponentsOf` takes. What is learnt of both drifts apart by rounding, which
 * Adam makes large where slopes are next to nothing.
 */
export function withTiesMade(sites: readonly Site[], components: NamedValues): NamedValues {
  const pairs = sites.filter(({ tiedTo }) => tiedTo !== undefined);
  const mean = (one: NamedValues[string], other: NamedValues[string]): NamedValues[string] => ({
    ...one,
    data: Float32Array.from(one.data, (x, i) => (x + other.data[i]!) / 2),
  });
  const made = pairs.flatMap(({ name, tiedTo }) => [
    [`${name}.V`, mean(components[`${name}.V`]!, transposedValues("d_in C", components[`${tiedTo}.U`]!))],
    [`${name}.U`, mean(components[`${name}.U`]!, transposedValues("C d_out", components[`${tiedTo}.V`]!))],
  ]);
  return { ...components, ...(Object.fromEntries(made) as NamedValues) };
}

function transposedValues(axes: string, { shape, data }: NamedValues[string]): NamedValues[string] {
  const [rows, columns] = shape as [number, number];
  const turned = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)]!);
  return values(axes, [columns, rows], turned);
}

/** How many slots sites have among named tensors. */
export function slotsIn(sites: readonly Site[], tensors: Tensors): Slots[] {
  return sites.map((site) => ({ site, C: axisSize(subcomponentsOf(tensors, site).V, "C") }));
}

/** What the subcomponents of a site leave over: `W - Σ_c V_c U_c`. */
export function weightDelta(W: Tensor<"d_in d_out">, { V, U }: Subcomponents): Tensor<"d_in d_out"> {
  return sub(W, einsum("d_in C, C d_out -> d_in d_out", V, U));
}

/** What a site reads, row by row: vectors, or indices where its matrix is a table. */
export type SiteRows = Tensor<"batch d_in"> | Tensor<"batch">;

/** What a site reads as rows: vectors as `rowsOf` has them, indices of tables one a row. */
export function siteRows(activation: Tensor): SiteRows {
  if (activation.dtype !== "i32") return rowsOf(activation);
  const { batch, pos } = sizesOf(activation) as { batch: number; pos?: number };
  return reshape(activation, "batch", { batch: batch * (pos ?? 1) });
}

/** Rows times a matrix that reads from the right, `d_in …`; of a table the rows that are asked for. */
function read(rows: SiteRows, M: Tensor, axes: string): Tensor {
  return rows.axes === "batch" ? transpose(gather(M as Tensor<"d_in">, rows, "d_in"), axes) : contract(rows, M, axes);
}

/** Rows times a site's own matrix. */
export function ownProduct(rows: SiteRows, W: Tensor<"d_in d_out">): Tensor<"batch d_out"> {
  return read(rows, W, "batch d_out") as Tensor<"batch d_out">;
}

/**
 * An activation as rows, `batch d_in`: where there are positions, each position of each example is a row of its own, because what a
 * subcomponent does there depends on nothing else.
 *
 * @param activation `batch d_in` or `batch pos d_in`
 */
export function rowsOf(activation: Tensor): Tensor<"batch d_in"> {
  if (activation.dtype === "i32") {
    throw new MechanistError("BadArgument", "rows of a site: expected vectors, got token ids of an embedding");
  }
  const { batch, pos, d_in } = sizesOf(activation) as { batch: number; pos?: number; d_in: number };
  return reshape(activation, "batch d_in", { batch: batch * (pos ?? 1), d_in });
}

/** What was computed row by row, `batch d_out`, under the leading axes of the activation that the rows are of. */
export function fromRows(rows: Tensor<"batch d_out">, activation: Tensor): Tensor {
  const { d_in: _, ...leading } = sizesOf(activation);
  const axes = [...Object.keys(leading), "d_out"].join(" ");
  return reshape(rows, axes, { ...leading, d_out: axisSize(rows, "d_out") });
}

/** How strongly each subcomponent reads: its inner activation `h_c = V[:, c] · a`, or `V[i, c]` where the site is indexed. */
export function innerActivation(rows: SiteRows, { V }: Subcomponents): Tensor<"C batch"> {
  return read(rows, V, "C batch") as Tensor<"C batch">;
}
