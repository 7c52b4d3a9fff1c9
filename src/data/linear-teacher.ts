/**
 * A random linear map with known singular values: what deep linear networks learn mode by mode (Saxe, McClelland & Ganguli 2014). Inputs are
 * white, so the singular vectors of the map are the mechanisms there are to find.
 */
import { type Values, values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { constant, einsum, foldIn, type Key, randomNormal, type Tensor } from "../tensor/index.ts";
import { normals } from "./draws.ts";

/** `W = Σ_k s_k u_k v_kᵀ`. */
export interface LinearTeacher {
  /** `d_in d_out` */
  readonly W: Values<"d_in d_out">;
  /** `mode d_in`, orthonormal rows. */
  readonly U: Values<"mode d_in">;
  /** `mode d_out`, orthonormal rows. */
  readonly V: Values<"mode d_out">;
  readonly singularValues: readonly number[];
}

/**
 * A teacher whose singular vectors are drawn uniformly.
 *
 * @param singularValues one a mode, at most as many as the smaller of both dimensions; other modes are 0
 */
export function linearTeacher(dIn: number, dOut: number, singularValues: readonly number[], key: Key): LinearTeacher {
  const modes = singularValues.length;
  if (modes < 1 || modes > Math.min(dIn, dOut)) {
    throw new MechanistError(
      "BadArgument",
      `linear teacher: expected 1 to ${Math.min(dIn, dOut)} singular values for ${dIn} × ${dOut}, got ${modes}`,
    );
  }
  const U = orthonormalRows(modes, dIn, foldIn(key, "U"));
  const V = orthonormalRows(modes, dOut, foldIn(key, "V"));
  const W = new Float32Array(dIn * dOut);
  for (let i = 0; i < dIn; i++)
    for (let j = 0; j < dOut; j++)
      W[i * dOut + j] = singularValues.reduce((total, s, k) => total + s * U[k]![i]! * V[k]![j]!, 0);
  return {
    W: values("d_in d_out", [dIn, dOut], W),
    U: values(
      "mode d_in",
      [modes, dIn],
      U.flatMap((row) => Array.from(row)),
    ),
    V: values(
      "mode d_out",
      [modes, dOut],
      V.flatMap((row) => Array.from(row)),
    ),
    singularValues,
  };
}

/** Normal vectors made orthonormal by Gram and Schmidt's process, twice, in float64. */
function orthonormalRows(count: number, size: number, key: Key): Float64Array[] {
  const draws = randomNormal(key, count * size);
  const rows: Float64Array[] = [];
  for (let k = 0; k < count; k++) {
    let row = Float64Array.from(draws.subarray(k * size, (k + 1) * size));
    for (const other of [...rows, ...rows]) {
      const along = other.reduce((total, x, i) => total + x * row[i]!, 0);
      row = row.map((x, i) => x - along * other[i]!);
    }
    const length = Math.hypot(...row);
    rows.push(row.map((x) => x / length));
  }
  return rows;
}

/** A batch of white inputs and what the teacher makes of them, as a traced program of draws called `name`. */
export function linearExamples(
  name: string,
  { W }: LinearTeacher,
  batch: number,
): { readonly x: Tensor<"batch d_in">; readonly y: Tensor<"batch d_out"> } {
  const [dIn, dOut] = W.shape as [number, number];
  const x = normals(name, "batch d_in", { batch, d_in: dIn });
  const matrix = constant("d_in d_out", { d_in: dIn, d_out: dOut }, W.data);
  return { x, y: einsum("batch d_in, d_in d_out -> batch d_out", x, matrix) };
}
