/**
 * In which order units count as active, by what a method itself says: one number for each component and row, above 0 exactly where the method
 * calls the component active there, comparable between sites.
 *
 *   magnitudes:   |what a component writes| / root mean square of the length of what its site writes in the network
 *   importances:  g > 0:  ⌈1024 g⌉ + s / (1 + s)        g = 0:  s / (1 + s) - 1
 *
 * with s the magnitude over the same root mean square: among equal importances (many are exactly 1) the one that does more goes first.
 * Importances are told apart in steps of 1/1024, because float32 has no digits for both.
 */
import { ActivationDecomposition } from "../../decomposition/activation/index.ts";
import { pointRows } from "../../decomposition/activation/coder.ts";
import type { Decomposition, Masks } from "../../decomposition/decomposition.ts";
import { ownProduct, siteRows } from "../../decomposition/parameter/subcomponents.ts";
import { compile } from "../../engine/index.ts";
import {
  abs,
  add,
  div,
  floor,
  greater,
  mean,
  mul,
  neg,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  where,
} from "../../tensor/index.ts";
import type { ProbeSet } from "./probe-set.ts";

/** The root mean square of the length of what each site writes. */
export type Scales = Readonly<Record<string, number>>;

const STEPS = 1024;

/** How strongly each component acts, whatever the family; of clusters over several sites nothing can be told. */
export function strengthsOf(decomposition: Decomposition, x: Tensor): Masks {
  return decomposition.activations?.(x) ?? lengths(decomposition, x);
}

/** The same in units of what its site writes. */
function relativeStrengths(decomposition: Decomposition, x: Tensor, scales: Scales): Partial<Masks> {
  const found = strengthsOf(decomposition, x);
  return Object.fromEntries(
    Object.entries(found).map(([site, s]) => [site, div(abs(s), scales[site] ?? 1) as Tensor<"C batch">]),
  );
}

/** How long what each component carries is: in no particular unit, but of one site comparable. */
function lengths(decomposition: Decomposition, x: Tensor): Masks {
  const names = new Set(decomposition.sites.map(({ name }) => name));
  const carried = Object.entries(decomposition.carried(x)).filter(([site]) => names.has(site));
  return Object.fromEntries(
    carried.map(([site, z]) => [site, sqrt(sum(square(z), "m" as never)) as Tensor<"C batch">]),
  );
}

/** The numbers that units are put in order by: `C batch` for each site. */
export function ownScores(decomposition: Decomposition, x: Tensor, scales: Scales): Masks {
  const activity = decomposition.activity(x);
  if (decomposition.measure === "magnitude") {
    return Object.fromEntries(
      Object.entries(activity).map(([site, z]) => [site, div(z, scales[site] ?? 1) as Tensor<"C batch">]),
    );
  }
  const strong = relativeStrengths(decomposition, x, scales);
  return Object.fromEntries(
    Object.entries(activity).map(([site, g]) => {
      const s = strong[site];
      const tie = s === undefined ? mul(g, 0) : div(s, add(s, 1));
      const rank = neg(floor(neg(mul(g, STEPS))));
      return [site, where(greater(g, 0), add(rank, tie), sub(tie, 1)) as Tensor<"C batch">];
    }),
  );
}

/** What each site writes in a run on the network's own weights, squared and summed: one number a row. */
function squaresWritten(decomposition: Decomposition, x: Tensor): Record<string, Tensor> {
  const { network, tensors } = decomposition;
  const found: Record<string, Tensor> = {};
  const lengthOf = (rows: Tensor, axis: string): Tensor => sum(square(rows), axis as never) as Tensor;
  const points: Record<string, Tensor> = {};
  const coders = decomposition instanceof ActivationDecomposition ? decomposition.coders : [];
  const names = new Set(decomposition.sites.map(({ name }) => name));
  network.forward(tensors, x, {
    matmul: (site, activation, matrix) => {
      if (names.has(site.name))
        found[site.name] = lengthOf(ownProduct(siteRows(activation), matrix) as Tensor, "d_out");
      return undefined;
    },
    at: (point, value) => {
      if (names.has(point) || coders.some(({ writes }) => writes.includes(point)))
        points[point] = lengthOf(pointRows(value) as Tensor, "d_in");
      return undefined;
    },
  });
  for (const { site, writes } of coders) {
    const parts = writes.map((point) => points[point]!);
    found[site.name] = parts.reduce((a, b) => add(a, b) as Tensor);
  }
  for (const [point, square] of Object.entries(points)) if (names.has(point)) found[point] ??= square;
  return found;
}

/** The scale of each site, over reference data. Sites that write at no place of their own have none. */
export async function siteScales(decomposition: Decomposition, probe: ProbeSet): Promise<Scales> {
  const squares = squaresWritten(decomposition, probe.x);
  const names = Object.keys(squares);
  if (names.length === 0) return {};
  const program = await compile(
    Object.fromEntries(names.map((site) => [site, mean(squares[site]!) as Tensor])),
    probe.options,
  );
  const totals: Record<string, number> = {};
  try {
    for (let i = 0; i < probe.batches; i++) {
      const found = await program.run({ ...decomposition.values, ...probe.reference(i) });
      for (const site of names) totals[site] = (totals[site] ?? 0) + found[site]!.data[0]! / probe.batches;
    }
  } finally {
    await program.dispose();
  }
  return Object.fromEntries(names.map((site) => [site, Math.sqrt(totals[site]!) || 1]));
}
