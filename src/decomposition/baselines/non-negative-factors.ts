/**
 * Non-negative matrix factorisation: rows as sums of parts that are never taken away, `X ≈ Z D` with nothing below 0, by multiplicative updates (Lee & Seung
 * 2001, "Algorithms for non-negative matrix factorization", theorem 1), which never raise the error `‖X - Z D‖²`.
 *
 *   Z ← Z ⊙ X Dᵀ / (Z D Dᵀ),   D ← D ⊙ Zᵀ X / (Zᵀ Z D)
 *
 * A row that was not in the sample is coded by accelerated projected gradient descent on the same error (Beck & Teboulle 2009), where D stays.
 */
import { compile, type NamedValues, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { WeightSpec } from "../../network/network.ts";
import {
  add,
  div,
  einsum,
  foldIn,
  input,
  type Key,
  mul,
  randomUniform,
  relu,
  rename,
  reshape,
  sizesOf,
  square,
  sub,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import type { Coder } from "../activation/coder.ts";
import type { Fitting } from "./fitting.ts";
import { dense, product, symmetricEigen, transposed } from "./linear-algebra.ts";
import { directionBits, type LinearShape, writesDirections } from "./linear-coder.ts";
import type { SampledRows } from "./sample.ts";

export interface NonNegativeFactors {
  /** `count d`, row-major; rows of length 1. */
  readonly parts: Float32Array;
  /** `‖X - Z D‖²` before each iteration. */
  readonly errors: readonly number[];
}

export interface NmfOptions {
  readonly count: number;
  readonly steps: number;
  readonly tolerance: number;
}

/** Keeps quotients finite. */
const LEAST = 1e-12;

/**
 * @param key of the first factors
 * @throws `BadArgument` where a value is negative
 */
export async function nonNegativeFactors(
  point: string,
  rows: SampledRows,
  { count, steps, tolerance }: NmfOptions,
  key: Key,
  fitting: Fitting,
): Promise<NonNegativeFactors> {
  expectNonNegative(point, rows);
  const { data, count: n, width: d } = rows;
  const X = values("row d", [n, d], data);
  const mean = data.reduce((total, x) => total + x, 0) / data.length;
  // Values at the start as large as those they are to make.
  const draw = (name: string, size: number): Float32Array =>
    randomUniform(foldIn(key, name), size).map((u) => (u + 0.01) * Math.sqrt((4 * mean) / count));
  let Z: NamedValues[string] = values("row C", [n, count], draw("Z", n * count));
  let D: NamedValues[string] = values("C d", [count, d], draw("D", count * d));
  const errors: number[] = [];
  const program = await compile(update(n, count, d), fitting.placed);
  try {
    for (let step = 0; step < steps; step++) {
      await fitting.at("decompose", step, steps, errors.length > 0 ? { error: errors.at(-1)! } : {});
      const found = await program.run({ X, Z, D });
      errors.push(found.error.data[0]!);
      [Z, D] = [found.Z, found.D];
      if (step > 0 && errors[step - 1]! - errors[step]! < tolerance * errors[step - 1]!) break;
    }
  } finally {
    await program.dispose();
  }
  return { parts: unitRows(D.data, count, d), errors };
}

function expectNonNegative(point: string, { data, width }: SampledRows): void {
  const at = data.findIndex((x) => x < 0);
  if (at < 0) return;
  const got = `${data[at]!.toPrecision(3)} in dimension ${at % width}`;
  throw new MechanistError("BadArgument", `nmf: ${point}: expected no value below 0, got ${got}`);
}

function update(n: number, count: number, d: number): { Z: Tensor<"row C">; D: Tensor<"C d">; error: Tensor<""> } {
  const X = input("X", "row d", { row: n, d }) as Tensor<"row d">;
  const Z = input("Z", "row C", { row: n, C: count }) as Tensor<"row C">;
  const D = input("D", "C d", { C: count, d }) as Tensor<"C d">;
  const E = rename<"E d">(D, "C -> E");
  const parts = einsum("C d, E d -> C E", D, E);
  const made = add(einsum("row C, C E -> row E", Z, parts), LEAST);
  const codes = mul(Z, div(einsum("row d, C d -> row C", X, D), rename<"row C">(made, "E -> C")));
  const overlap = einsum("row C, row E -> C E", codes, rename<"row E">(codes, "C -> E"));
  const next = mul(D, div(einsum("row C, row d -> C d", codes, X), add(einsum("C E, E d -> C d", overlap, E), LEAST)));
  return { Z: codes, D: next, error: sum(square(sub(X, einsum("row C, C d -> row d", Z, D)))) };
}

function unitRows(data: ArrayLike<number>, count: number, d: number): Float32Array {
  const out = Float32Array.from(data);
  for (let c = 0; c < count; c++) {
    const row = out.subarray(c * d, (c + 1) * d);
    const length = Math.hypot(...row);
    if (length > 0) row.forEach((x, i) => (row[i] = x / length));
  }
  return out;
}

/** The weights of a code: the parts, and the inverse of the largest eigenvalue of `D Dᵀ`, a step that never overshoots. */
export function partWeights({ point, width, count }: LinearShape): WeightSpec[] {
  return [
    { name: `${point}.W_dec`, axes: "C m d_out", shape: [count, 1, width] },
    { name: `${point}.step`, axes: "", shape: [] },
  ];
}

export function partValues({ point, width, count }: LinearShape, parts: Float32Array): NamedValues {
  const D = dense(count, width, parts);
  const gram = count <= width ? product(D, transposed(D)) : product(transposed(D), D);
  const largest = symmetricEigen(gram).values[0]!;
  return {
    [`${point}.W_dec`]: values("C m d_out", [count, 1, width], parts),
    [`${point}.step`]: values("", [], [largest > 0 ? 1 / largest : 0]),
  };
}

/** The code; a component costs what it writes. */
export function partCoder(shape: LinearShape, codeSteps: number): Coder {
  const { point, width, count } = shape;
  return {
    ...writesDirections(shape),
    bits: directionBits(width),
    encode: (tensors, read) => {
      const x = read[point]!;
      const { batch } = sizesOf(x) as { batch: number };
      const D = reshape(tensors[`${point}.W_dec`]!, "C d_in", { C: count, d_in: width }) as Tensor<"C d_in">;
      const z = coded(x, D, tensors[`${point}.step`] as Tensor<"">, codeSteps);
      return reshape(z, "C m batch", { C: count, m: 1, batch });
    },
  };
}

/** `argmin_{z ≥ 0} ‖x - z D‖²`, after so many steps from 0. */
function coded(x: Tensor<"batch d_in">, D: Tensor<"C d_in">, step: Tensor<"">, steps: number): Tensor<"C batch"> {
  const gram = einsum("C d_in, E d_in -> C E", D, rename<"E d_in">(D, "C -> E"));
  const wanted = einsum("batch d_in, C d_in -> C batch", x, D);
  let z = mul(wanted, 0) as Tensor<"C batch">;
  let [y, t] = [z, 1];
  for (let i = 0; i < steps; i++) {
    const slope = sub(einsum("C E, E batch -> C batch", gram, rename<"E batch">(y, "C -> E")), wanted);
    const next = relu(sub(y, mul(slope, step)) as Tensor<"C batch">);
    const after = (1 + Math.sqrt(1 + 4 * t * t)) / 2;
    y = add(next, mul(sub(next, z), (t - 1) / after));
    [z, t] = [next, after];
  }
  return z;
}
