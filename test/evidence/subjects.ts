/** Decompositions of known worth that measures are tried on: components and importances as they were written down, nothing learnt. */
import type { ImportanceFunction, SeenSite } from "../../src/decomposition/parameter/importance/importance.ts";
import { ParameterDecomposition } from "../../src/decomposition/parameter/parameter-decomposition.ts";
import { type NamedValues, type Values, values } from "../../src/engine/index.ts";
import type { Network } from "../../src/network/network.ts";
import { tms } from "../../src/network/tms.ts";
import {
  axisSize,
  cast,
  concat,
  constant,
  foldIn,
  greater,
  keyFromSeed,
  randomNormal,
  relabel,
  slice,
  type Tensor,
  transpose,
} from "../../src/tensor/index.ts";

/** A site's components: `V` is `d_in C`, `U` is `C d_out`. */
export interface Parts {
  readonly V: Values;
  readonly U: Values;
}

/** Importances `C batch` by site, from what the sites see. */
export type Importances = (seen: readonly SeenSite[]) => Readonly<Record<string, Tensor<"C batch">>>;

/** A decomposition of given components with given importances. */
export function handMade(
  network: Network,
  weights: NamedValues,
  parts: Readonly<Record<string, Parts>>,
  importances: Importances,
): ParameterDecomposition {
  const given: ImportanceFunction = {
    weights: () => [],
    start: () => ({}),
    preactivations: (_, seen) => importances(seen),
  };
  const components = Object.fromEntries(
    Object.entries(parts).flatMap(([site, { V, U }]) => [
      [`${site}.V`, V],
      [`${site}.U`, U],
    ]),
  );
  return new ParameterDecomposition(network, weights, components, given);
}

/** A matrix from what stands in each row and column. */
export function matrix(
  axes: string,
  rows: number,
  columns: number,
  at: (row: number, column: number) => number,
): Values {
  const data = Float32Array.from({ length: rows * columns }, (_, i) => at(Math.floor(i / columns), i % columns));
  return values(axes, [rows, columns], data);
}

/** Normal draws with this deviation. */
export function noise(
  name: string,
  rows: number,
  columns: number,
  deviation: number,
): (row: number, column: number) => number {
  const draws = randomNormal(foldIn(keyFromSeed(7), name), rows * columns);
  return (row, column) => deviation * draws[row * columns + column]!;
}

/** The same importance for every component on every input. */
export function always(value: number): Importances {
  return (seen) =>
    Object.fromEntries(
      seen.map(({ site, inner, C }) => [site.name, constant("C batch", { C, batch: axisSize(inner, "batch") }, value)]),
    );
}

/** Every matrix as its own rows: `V` the identity, `U` the matrix. */
export function rowsAsParts(network: Network, weights: NamedValues): Record<string, Parts> {
  return Object.fromEntries(
    network.sites.map(({ name, dIn, dOut }) => [
      name,
      {
        V: matrix("d_in C", dIn, dIn, (i, c) => Number(i === c)),
        U: { ...weights[name]!, axes: "C d_out", shape: [dIn, dOut] },
      },
    ]),
  );
}

const FEATURES = 5;
/** Slots a site; those beyond the features hold nothing. */
const SLOTS = 8;

/** The regular pentagon, with a bias that keeps a single feature's neighbours silent. */
const directions = Array.from({ length: FEATURES }, (_, i) => (2 * Math.PI * i) / FEATURES).map(
  (angle) => [Math.cos(angle), Math.sin(angle)] as const,
);
export const pentagon: NamedValues = {
  W: values("feature hidden", [FEATURES, 2], directions.flat()),
  b: values("feature", [FEATURES], new Float32Array(FEATURES).fill(-0.4)),
};
export const pentagonNetwork = tms({ features: FEATURES, hidden: 2, identity: false });

const of = (c: number, i: number): number => directions[c]?.[i] ?? 0;

/** The features themselves: one component reads feature i and writes its direction, one reads the direction and writes feature i. */
export const features: Readonly<Record<string, Parts>> = {
  linear1: {
    V: matrix("d_in C", FEATURES, SLOTS, (i, c) => Number(i === c)),
    U: matrix("C d_out", SLOTS, 2, (c, o) => of(c, o)),
  },
  linear2: {
    V: matrix("d_in C", 2, SLOTS, (i, c) => of(c, i)),
    U: matrix("C d_out", SLOTS, FEATURES, (c, o) => Number(o === c)),
  },
};

/** Components that have nothing to do with the features, of about their size. */
export const strangers: Readonly<Record<string, Parts>> = Object.fromEntries(
  pentagonNetwork.sites.map(({ name, dIn, dOut }) => [
    name,
    {
      V: matrix("d_in C", dIn, SLOTS, noise(`${name}.V`, dIn, SLOTS, 1 / Math.sqrt(dIn))),
      U: matrix("C d_out", SLOTS, dOut, noise(`${name}.U`, SLOTS, dOut, 1 / Math.sqrt(SLOTS))),
    },
  ]),
);

/** Component c matters where feature `c + shift` is there: with a shift of 0 as it should be. */
export function featureImportances(shift: number): Importances {
  return (seen) => {
    const x = seen.find(({ site }) => site.name === "linear1")!.activation;
    const present = transpose(cast(greater(x, 0), "f32"), "d_in batch");
    const moved = concat([slice(present, "d_in", shift, FEATURES), slice(present, "d_in", 0, shift)], "d_in");
    const batch = axisSize(x, "batch");
    const idle = constant("d_in batch", { d_in: SLOTS - FEATURES, batch }, 0);
    const g = relabel(concat([moved, idle], "d_in"), "C batch");
    return { linear1: g, linear2: g };
  };
}
