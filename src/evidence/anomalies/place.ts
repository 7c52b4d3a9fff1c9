/**
 * What a decomposition makes of some rows, place by place: the value that is taken apart, what the components make of it, how strongly
 * each acts and where its direction lies. All anomalies are measured on this, so that they are measured alike for every family.
 *
 * Where components are parts of a weight matrix, the value is what the matrix writes and a component acts with its causal importance;
 * where they are parts of activations, the value is that of the hook point and a component acts with what it carries.
 */
import { ActivationDecomposition, type Coder, pointRows } from "../../decomposition/activation/index.ts";
import { componentFactors, type Decomposition, importancesOf, isOfWeights } from "../../decomposition/decomposition.ts";
import type { CompileOptions } from "../../engine/index.ts";
import { compile, type NamedValues, type Values, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { Site } from "../../network/network.ts";
import {
  add,
  einsum,
  foldIn,
  gather,
  input,
  keyFromSeed,
  mul,
  relabel,
  sizeOf,
  sqrt,
  square,
  sum,
  type Tensor,
  transpose,
} from "../../tensor/index.ts";
import type { KnownMechanisms } from "../../training/known-mechanisms.ts";
import type { DataSource } from "../fresh-data.ts";
import { turnRound } from "./signs.ts";
import { type TrueFeatures, trueFeatures } from "./true-features.ts";

/** The data that anomalies are measured on. */
export interface AnomalyData extends DataSource {
  /** The token that rows are filled up with; its positions do not count. */
  readonly padding?: number;
}

export interface ObserveOptions extends CompileOptions {
  readonly known?: KnownMechanisms;
  /** Rows, positions of examples; as many as memory allows up to 16,384 unless given. */
  readonly rows?: number;
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** One place where components write. */
export interface Place {
  /** The site of the components; with the hook point behind an arrow where they write at several. */
  readonly name: string;
  readonly site: string;
  readonly rows: number;
  readonly width: number;
  /** How many components. */
  readonly C: number;
  /** The value that is taken apart, `row d`. */
  readonly x: Float32Array;
  /** What the components make of it together, as the method masks them: `row d`. */
  readonly made: Float32Array;
  /** The length of what each component writes, with the sign along its direction: `C row`; 0 where it does not act. Positive on some row of each that acts. */
  readonly z: Float32Array;
  /** Unit directions of what each writes, `C d`, zeros for one that writes nothing; absent where components have more than one. */
  readonly directions?: Float32Array;
  /** Unit directions of what each reads, `C d_in`, for parts of weight matrices. */
  readonly readDirections?: Float32Array;
  /** The features that the value is the sum of, where they are known. */
  readonly truth?: TrueFeatures;
}

/** What was seen. */
export interface Observed {
  readonly rows: number;
  readonly places: readonly Place[];
  /** The token at each row; absent where the network reads none. */
  readonly tokens?: Int32Array;
  /** How strongly each feature is there, `row feature`; absent where the network is given tokens, or sequences. */
  readonly features?: Float32Array;
}

/** Unit directions of a place's components. */
interface Directions {
  readonly writes: Float32Array;
  readonly reads?: Float32Array;
}

const ROWS = 16_384;
const FEWEST_ROWS = 256;
/** Numbers kept at most: 128 MB. */
const NUMBERS = 2 ** 25;
const LARGEST_BATCH = 1024;

/** The strength of one component on all rows. */
export const strengthOf = ({ z, rows }: Pick<Place, "z" | "rows">, c: number): Float32Array =>
  z.subarray(c * rows, (c + 1) * rows);

/** The direction of one component. */
export const directionOf = (directions: Float32Array, width: number, c: number): Float32Array =>
  directions.subarray(c * width, (c + 1) * width);

/** The share of rows on which each component acts at all. */
export function frequencies(place: Pick<Place, "z" | "rows" | "C">): Float64Array {
  return Float64Array.from({ length: place.C }, (_, c) => {
    const own = strengthOf(place, c);
    let fired = 0;
    for (let row = 0; row < own.length; row++) if (own[row] !== 0) fired++;
    return fired / place.rows;
  });
}

/** A place as tensors of a program. */
interface Traced {
  readonly site: string;
  readonly name: string;
  readonly x: Tensor<"batch d">;
  readonly made: Tensor<"batch d">;
  /** `C batch`. */
  readonly z: Tensor;
  readonly C: number;
  readonly width: number;
  readonly directed: boolean;
}

/**
 * Runs a decomposition on fresh data.
 *
 * @throws `BadArgument` for one whose components neither are parts of weight matrices nor write at hook points
 */
export async function observe(
  decomposition: Decomposition,
  data: AnomalyData,
  { known, rows: asked, seed = 0, signal, ...placement }: ObserveOptions = {},
): Promise<Observed> {
  const sample = data.batch(1);
  const rowsEach = sample.axes.includes("pos") ? sizeOf(sample.shape) / (sample.shape[2] ?? 1) : 1;
  const directions = await directionsOf(decomposition, placement);
  const perRow = traced(decomposition, sample, directions).reduce((n, { C, width }) => n + C + 3 * width, 0);
  const rows = Math.max(FEWEST_ROWS, Math.min(asked ?? ROWS, Math.floor(NUMBERS / perRow)));
  const x = data.batch(Math.max(1, Math.min(Math.ceil(rows / rowsEach), Math.ceil(LARGEST_BATCH / rowsEach))));
  const places = traced(decomposition, x, directions);
  const outputs: Record<string, Tensor> = { input: x };
  places.forEach((place, i) => {
    for (const part of ["x", "made", "z"] as const) outputs[`${part} ${i}`] = place[part];
  });
  const program = await compile(outputs, placement);
  const kept = places.map(({ C, width }) => ({
    x: new Float32Array(rows * width),
    made: new Float32Array(rows * width),
    z: new Float32Array(C * rows),
  }));
  const isTokens = x.dtype === "i32";
  const tokens = new Int32Array(isTokens ? rows : 0);
  const features = x.axes === "batch feature" ? new Float32Array(rows * x.shape[1]!) : undefined;
  const key = foldIn(keyFromSeed(seed), "anomalies");
  try {
    for (let filled = 0, run = 0, empty = 0; filled < rows; run++) {
      signal?.throwIfAborted();
      const found: NamedValues = await program.run({ ...decomposition.values, ...data.tables }, foldIn(key, run));
      const given = found.input!;
      const total = found["x 0"]!.shape[0]!;
      const counted = Array.from({ length: total }, (_, row) => row).filter(
        (row) => !isTokens || data.padding === undefined || given.data[row] !== data.padding,
      );
      const own = counted.slice(0, rows - filled);
      empty = own.length === 0 ? empty + 1 : 0;
      if (empty > 10)
        throw new MechanistError("BadArgument", "anomalies: expected rows in the data, got padding alone");
      places.forEach(({ C, width }, i) => {
        for (const part of ["x", "made"] as const) {
          const from = found[`${part} ${i}`]!.data as Float32Array;
          own.forEach((row, j) =>
            kept[i]![part].set(from.subarray(row * width, (row + 1) * width), (filled + j) * width),
          );
        }
        const from = found[`z ${i}`]!.data;
        for (let c = 0; c < C; c++) {
          for (let j = 0; j < own.length; j++) kept[i]!.z[c * rows + filled + j] = from[c * total + own[j]!]!;
        }
      });
      own.forEach((row, j) => {
        if (isTokens) tokens[filled + j] = given.data[row]!;
        if (features) {
          const n = x.shape[1]!;
          features.set((given.data as Float32Array).subarray(row * n, (row + 1) * n), (filled + j) * n);
        }
      });
      filled += own.length;
    }
  } finally {
    await program.dispose();
  }
  places.forEach(({ name }, i) => {
    const { x: value, z } = kept[i]!;
    withoutRounding(z, value, rows);
    turnRound({ z, rows }, Object.values(directions[name] ?? {}));
  });
  return {
    rows,
    ...(isTokens && { tokens }),
    ...(features && { features }),
    places: places.map(({ name, site, C, width, directed }, i) => {
      const own = { name, site, rows, width, C, ...kept[i]! };
      const truth = known && features && trueFeatures(decomposition, known, features, own);
      return {
        ...own,
        ...(directed && { directions: directions[name]!.writes }),
        ...(directions[name]?.reads && { readDirections: directions[name].reads }),
        ...(truth && { truth }),
      };
    }),
  };
}

/** Strengths below this share of the value's usual length are float32's rounding: a component that reads across the value does not act. */
const ROUNDING = 1e-6;

function withoutRounding(z: Float32Array, x: Float32Array, rows: number): void {
  const least = ROUNDING * Math.sqrt(x.reduce((total, v) => total + v ** 2, 0) / rows);
  for (let i = 0; i < z.length; i++) if (Math.abs(z[i]!) < least) z[i] = 0;
}

/** All places of a decomposition. */
function traced(decomposition: Decomposition, x: Tensor, directions: Readonly<Record<string, unknown>>): Traced[] {
  if (decomposition instanceof ActivationDecomposition) return activationPlaces(decomposition, x, directions);
  if (isOfWeights(decomposition)) return weightPlaces(decomposition, x);
  throw new MechanistError(
    "BadArgument",
    "anomalies: expected components that write at hook points or are parts of weight matrices, got neither",
  );
}

const placeName = ({ site, writes }: Coder, point: string): string =>
  writes.length === 1 ? site.name : `${site.name} -> ${point}`;

function activationPlaces(
  decomposition: ActivationDecomposition,
  x: Tensor,
  directions: Readonly<Record<string, unknown>>,
): Traced[] {
  const { tensors, coders } = decomposition;
  const at: Record<string, Tensor<"batch d_in">> = {};
  const wanted = new Set(coders.flatMap(({ reads, writes }) => [...reads, ...writes]));
  decomposition.network.forward(tensors, x, {
    at: (point, value) => {
      if (wanted.has(point)) at[point] = pointRows(value);
      return undefined;
    },
  });
  const strengths = decomposition.activations(x);
  return coders.flatMap((coder) => {
    const carried = coder.encode(tensors, at);
    return coder.writes.map((point) => {
      const bias = coder.bias?.(tensors, at, point);
      const written = coder.decode(tensors, carried, point) as Tensor;
      return {
        site: coder.site.name,
        name: placeName(coder, point),
        x: relabel(at[point]!, "batch d"),
        made: relabel(bias === undefined ? written : (add(written, bias) as Tensor), "batch d"),
        z: strengths[coder.site.name]!,
        C: coder.count,
        width: at[point]!.shape[1]!,
        directed: placeName(coder, point) in directions,
      };
    });
  });
}

function weightPlaces(decomposition: Decomposition, x: Tensor): Traced[] {
  const { network, tensors, sites } = decomposition;
  const written: Record<string, Tensor> = {};
  const product = ({ name, indexed }: Site, activation: Tensor, matrix: Tensor<"d_in d_out">): Tensor => {
    const own = indexed
      ? gather(matrix, activation, "d_in")
      : einsum(
          `${activation.axes}, d_in d_out -> ${activation.axes.replace("d_in", "d_out")}` as "a b, b c -> a c",
          activation as Tensor<"a b">,
          matrix as Tensor as Tensor<"b c">,
        );
    written[name] = pointRows(own);
    return own;
  };
  network.forward(tensors, x, { matmul: (site, activation, matrix) => product(site, activation, matrix) });
  const [importances, carried] = [importancesOf(decomposition, x), decomposition.carried(x)];
  return sites.map((site) => {
    const { name, dOut: width } = site;
    const U = componentFactors(decomposition, site).U;
    const [C, m] = U.shape as [number, number];
    const g = importances[name]!;
    const acting = mul(carried[name]! as Tensor, g as Tensor) as Tensor<"C m batch">;
    const lengths = m === 1 ? (sqrt(sum(square(U), "d_out")) as Tensor) : undefined;
    const strength = lengths
      ? (mul(sum(acting, "m") as Tensor, sum(lengths, "m")) as Tensor)
      : (mul((decomposition.activations?.(x) ?? importances)[name]! as Tensor, g as Tensor) as Tensor);
    return {
      site: name,
      name,
      x: relabel(written[name]!, "batch d"),
      made: relabel(einsum("C m batch, C m d_out -> batch d_out", acting, U) as Tensor, "batch d"),
      z: strength,
      C,
      width,
      directed: m === 1,
    };
  });
}

/** How many components are asked at once for what they write. */
const AT_ONCE = 256;

/** The unit directions of what components write, by place, for components of rank one. */
async function directionsOf(
  decomposition: Decomposition,
  placement: CompileOptions,
): Promise<Readonly<Record<string, Directions>>> {
  const found: Record<string, Directions> = {};
  if (decomposition instanceof ActivationDecomposition) {
    for (const coder of decomposition.coders.filter(({ rank }) => rank === 1)) {
      for (const point of coder.writes) {
        found[placeName(coder, point)] = { writes: await writtenByEach(decomposition, coder, point, placement) };
      }
    }
    return found;
  }
  if (!isOfWeights(decomposition)) return found;
  const outputs = decomposition.sites.flatMap((site) => {
    const { V, U } = componentFactors(decomposition, site);
    if (U.shape[1] !== 1) return [];
    const reads = transpose(sum(V, "m") as Tensor<"d_in C">, "C d_in") as Tensor;
    return [[`${site.name}/V`, reads] as const, [`${site.name}/U`, sum(U, "m") as Tensor] as const];
  });
  if (outputs.length === 0) return found;
  const program = await compile(Object.fromEntries(outputs), placement);
  try {
    const all: NamedValues = await program.run(decomposition.values);
    for (const { name } of decomposition.sites) {
      const [V, U] = [all[`${name}/V`], all[`${name}/U`]];
      if (V === undefined || U === undefined) continue;
      const unit = ({ data, shape }: Values): Float32Array => unitRows(Float32Array.from(data), shape[1]!);
      found[name] = { writes: unit(U), reads: unit(V) };
    }
  } finally {
    await program.dispose();
  }
  return found;
}

async function writtenByEach(
  { tensors, values: own }: ActivationDecomposition,
  coder: Coder,
  point: string,
  placement: CompileOptions,
): Promise<Float32Array> {
  const batch = Math.min(AT_ONCE, coder.count);
  const sizes = { C: coder.count, m: 1, batch };
  const program = await compile(
    { written: coder.decode(tensors, input("anomalies.carried", "C m batch", sizes), point) },
    placement,
  );
  try {
    const rows: Float32Array[] = [];
    for (let from = 0; from < coder.count; from += batch) {
      const each = new Float32Array(coder.count * batch);
      for (let i = 0; i < batch && from + i < coder.count; i++) each[(from + i) * batch + i] = 1;
      const { written } = await program.run({
        ...own,
        "anomalies.carried": values("C m batch", [coder.count, 1, batch], each),
      });
      const width = written.shape[1]!;
      rows.push((written.data as Float32Array).slice(0, Math.min(batch, coder.count - from) * width));
    }
    const width = rows[0]!.length / batch;
    const all = new Float32Array(coder.count * width);
    rows.reduce((offset, part) => (all.set(part, offset), offset + part.length), 0);
    return unitRows(all, width);
  } finally {
    await program.dispose();
  }
}

/** Rows at length 1, in place; rows of zeros stay. */
export function unitRows(data: Float32Array, width: number): Float32Array {
  for (let from = 0; from < data.length; from += width) {
    const row = data.subarray(from, from + width);
    const length = Math.hypot(...row);
    if (length > 0) for (let k = 0; k < width; k++) row[k]! /= length;
  }
  return data;
}
