/**
 * What stands in for a value that is taken away: nothing, the mean of other data, the value of another example, noise, or the value of
 * another run. Every kind says of itself where its numbers come from; results carry that along.
 */
import { type NamedValues, type Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { axisNames, foldIn, type Key, randomNormal, randomPermutation, sizeOf } from "../tensor/index.ts";
import { captured, type WorkOptions } from "./capture.ts";
import { countOf, type Examples, expectAlike, picked, sameRow } from "./examples.ts";

export type SourceKind = "zero" | "mean" | "resample" | "noise" | "patch" | "steer";

/** The data that stand-ins come from. */
export interface Reference {
  readonly name: string;
  readonly n: number;
  /** For each example the row of the reference that stands in for it, where it is one row. */
  readonly drawn?: readonly number[];
}

/** What stands in at one point: `replace` takes the place of the value, `add` is added to it. */
export interface StandIn {
  readonly how: "replace" | "add";
  /** `batch …` with one row an example, or without `batch` where all examples have the same; 0 for nothing. */
  readonly values: Values | 0;
}

/** Where stand-ins come from. */
export interface Source {
  readonly kind: SourceKind;
  /** None where no data are involved. */
  readonly reference: Reference | null;
  /** One sentence for a reader of results. */
  readonly description: string;
  /** The stand-ins at some points for the examples that are intervened on. */
  standIns(
    runnable: RunnableNetwork,
    base: Examples,
    points: readonly string[],
    options?: WorkOptions,
  ): Promise<Readonly<Record<string, StandIn>>>;
}

const replaced = (values: NamedValues): Readonly<Record<string, StandIn>> =>
  Object.fromEntries(Object.entries(values).map(([point, v]) => [point, { how: "replace" as const, values: v }]));

/** Zero ablation: nothing stands in. Far from what the rest of the network is used to. */
export function zeros(): Source {
  return {
    kind: "zero",
    reference: null,
    description: "zeros",
    standIns: async (_runnable, _base, points) =>
      Object.fromEntries(points.map((point) => [point, { how: "replace", values: 0 }])),
  };
}

/**
 * Mean ablation: the mean over reference data, at each position of its own or over positions too.
 *
 * @throws `Refused` where a row of the reference is one of those evaluated: a mean that has seen its own example hides part of the effect
 */
export function meanOf(reference: Examples, over: "rows" | "rows and positions" = "rows"): Source {
  const n = countOf(reference);
  return {
    kind: "mean",
    reference: { name: reference.name, n },
    description: `the mean over ${n} rows of ${reference.name}${over === "rows" ? ", at each position" : " and their positions"}`,
    standIns: async (runnable, base, points, options) => {
      for (let row = 0; row < n; row++) {
        for (let other = 0; other < countOf(base); other++) {
          if (!sameRow(reference.x, row, base.x, other)) continue;
          throw new MechanistError(
            "Refused",
            `mean ablation: expected a reference without the evaluated rows, got row ${other} of ${base.name} as row ${row} of ${reference.name}`,
          );
        }
      }
      if (over === "rows") expectSamePositions("mean ablation", reference, base);
      const values = await captured(runnable, reference, points, options);
      const skip = reference.padding;
      return replaced(
        Object.fromEntries(points.map((point) => [point, meanValue(values[point]!, over === "rows", skip)])),
      );
    },
  };
}

/** Resample ablation: the value of a row of reference data drawn for each example, never one equal to the example. */
export function resampleFrom(reference: Examples, base: Examples, key: Key): Source {
  const n = countOf(reference);
  const order = randomPermutation(key, n);
  const drawn = Array.from({ length: countOf(base) }, (_, i) => {
    const pick = order.map((_, step) => order[(i + step) % n]!).find((row) => !sameRow(reference.x, row, base.x, i));
    if (pick !== undefined) return pick;
    throw new MechanistError(
      "Refused",
      `resample ablation: expected a row of ${reference.name} other than row ${i} of ${base.name}, got only that one`,
    );
  });
  return {
    kind: "resample",
    reference: { name: reference.name, n, drawn },
    description: `the value of another row, drawn from ${n} rows of ${reference.name}`,
    standIns: async (runnable, given, points, options) => {
      expectSamePositions("resample ablation", reference, given);
      const values = await captured(runnable, reference, points, options);
      return replaced(Object.fromEntries(points.map((point) => [point, picked(values[point]!, drawn)])));
    },
  };
}

/**
 * Noise: normal noise added to the value as it is, `scale` times the standard deviation that the value has over reference data, all its
 * elements and rows together (Meng et al. 2022 add 3 of the embeddings' to embeddings).
 */
export function noiseLike(reference: Examples, scale: number, key: Key): Source {
  const n = countOf(reference);
  return {
    kind: "noise",
    reference: { name: reference.name, n },
    description: `normal noise of ${scale} standard deviations over ${n} rows of ${reference.name}`,
    standIns: async (runnable, base, points, options) => {
      const values = await captured(runnable, reference, points, options);
      const result: Record<string, StandIn> = {};
      for (const point of points) {
        const seen = values[point]!;
        const shape = [countOf(base), ...seen.shape.slice(1)];
        axisNames(seen.axes).forEach((axis, i) => {
          if (["pos", "query", "key"].includes(axis)) shape[i] = base.x.shape[1]!;
        });
        const deviation = scale * standardDeviation(seen.data);
        const draws = randomNormal(foldIn(key, point), sizeOf(shape));
        const data = Float64Array.from(draws, (draw) => draw * deviation);
        result[point] = { how: "add", values: { axes: seen.axes, shape, dtype: "f32", data } };
      }
      return result;
    },
  };
}

/** Activation patching: the value of another run, row for row. */
export function fromRun(source: Examples): Source {
  const n = countOf(source);
  return {
    kind: "patch",
    reference: { name: source.name, n },
    description: `the value of the run on ${source.name}, row for row`,
    standIns: async (runnable, base, points, options) => {
      expectAlike("activation patching", base, source);
      return replaced(await captured(runnable, source, points, options));
    },
  };
}

/** Steering: a vector added, `coefficient` times (Turner et al. 2023, "Activation addition"). The vector has some of the points' axes. */
export function steering(vector: Values, coefficient: number): Source {
  return {
    kind: "steer",
    reference: null,
    description: `${coefficient} times a vector added`,
    standIns: async (_runnable, _base, points) => {
      const data = Float64Array.from(vector.data, (x) => coefficient * x);
      return Object.fromEntries(points.map((point) => [point, { how: "add", values: { ...vector, data } }]));
    },
  };
}

function expectSamePositions(where: string, reference: Examples, base: Examples): void {
  const [wanted, got] = [base.x.shape[1], reference.x.shape[1]];
  if (wanted === got) return;
  throw new MechanistError(
    "ShapeMismatch",
    `${where}: expected rows of ${wanted} as in ${base.name}, got ${got} in ${reference.name}`,
  );
}

/** The mean over rows, and over positions too unless they stay apart; positions that are padding do not count. */
function meanValue(values: Values, apart: boolean, padding: readonly number[] | undefined): Values {
  const names = axisNames(values.axes);
  const at = names.indexOf("pos");
  const [rows] = values.shape as [number];
  const size = values.data.length / rows;
  const inner = at < 0 ? size : sizeOf(values.shape.slice(at + 1));
  const positions = at < 0 ? 1 : values.shape[at]!;
  const joined = !apart && at >= 0;
  const kept = joined ? size / positions : size;
  const sums = new Float64Array(kept);
  const counts = new Float64Array(kept);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < size; i++) {
      const position = Math.floor(i / inner) % positions;
      if (at >= 0 && position < (padding?.[row] ?? 0)) continue;
      const target = joined ? Math.floor(i / (inner * positions)) * inner + (i % inner) : i;
      sums[target]! += values.data[row * size + i]!;
      counts[target]!++;
    }
  }
  const keep = names.map((_, i) => i).filter((i) => i > 0 && !(joined && i === at));
  return {
    axes: keep.map((i) => names[i]!).join(" "),
    shape: keep.map((i) => values.shape[i]!),
    dtype: "f32",
    data: sums.map((total, i) => (counts[i] === 0 ? 0 : total / counts[i]!)),
  };
}

function standardDeviation(data: Values["data"]): number {
  let [total, squares] = [0, 0];
  for (const x of data) total += x;
  const mean = total / data.length;
  for (const x of data) squares += (x - mean) ** 2;
  return Math.sqrt(squares / data.length);
}
