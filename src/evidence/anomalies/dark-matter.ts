/**
 * Dark matter: what components leave over is not noise (Engels, Riggs & Tegmark 2024). The part of the error that is a linear function of the
 * value could have been written by more of the same; what is left then has some other structure, or none.
 */
import { foldIn, keyFromSeed, randomPermutation } from "../../tensor/index.ts";
import { applyLinear, fitLinear, type Rows, rSquared } from "../../training/linear-regression.ts";
import type { Measure, Outcome } from "./measure.ts";
import type { Place } from "./place.ts";

export const DARK_MATTER: Measure = {
  title: "dark matter",
  formula: "R² of e = x - x̂ from x by least squares, on rows that were not fitted; the norm's: R² of ‖e‖² from x",
  source: "Engels, Riggs & Tegmark 2024",
  unit: "share of the error's variance",
  reduction: "over the second half of the rows, all dimensions together; fitted on the first half",
  control: "the same with errors credited to other rows",
  rule: "above 0.1, for the error or for its norm",
  establishes:
    "how much of what is left over, and of how much is left over, can be told from the value by a linear map",
  doesNotEstablish:
    "that the linear part is made of features that were missed: shrinkage of those that were found is linear in them, too; nor that the rest is noise",
};

export interface DarkMatterDetails {
  /** Unexplained share of the value's variance, and of it what is linear in the value and what is not. */
  readonly unexplained: number;
  readonly linear: number;
  readonly nonlinear: number;
  /** R² of the error's squared norm, and the same with errors of other rows. */
  readonly norm: number;
  readonly normControl: number;
}

const PRESENT_ABOVE = 0.1;
/** Below this share of the value's variance there is no error to speak of: float32's rounding. */
const ROUNDING = 1e-9;

export function darkMatter({ x, made, rows, width }: Place, seed = 0): Outcome<DarkMatterDetails> {
  if (rows < 4 * width) return { missing: `needs at least ${4 * width} rows for ${width} dimensions, got ${rows}` };
  const half = Math.floor(rows / 2);
  const error = x.map((v, i) => v - made[i]!);
  const norms = Float64Array.from({ length: rows }, (_, row) => {
    let total = 0;
    for (let k = 0; k < width; k++) total += error[row * width + k]! ** 2;
    return total;
  });
  const part = (data: Float32Array | Float64Array, columns: number, from: number, to: number): Rows => ({
    columns,
    data: data.subarray(from * columns, to * columns),
  });
  const [fitX, testX] = [part(x, width, 0, half), part(x, width, half, rows)];
  const variance = varianceOf(testX);
  const unexplained = varianceOf(part(error, width, half, rows)) / variance;
  if (!(unexplained > ROUNDING)) {
    const details = { unexplained: 0, linear: 0, nonlinear: 0, norm: 0, normControl: 0 };
    return { value: 0, control: null, present: false, n: rows - half, counted: "rows", details };
  }
  const explained = (y: Float32Array | Float64Array, columns: number): number =>
    rSquared(fitLinear(fitX, part(y, columns, 0, half)), testX, part(y, columns, half, rows));
  const order = randomPermutation(foldIn(keyFromSeed(seed), "dark matter"), rows);
  const others = new Float32Array(error.length);
  order.forEach((from, to) => others.set(error.subarray(from * width, (from + 1) * width), to * width));
  const [value, norm] = [explained(error, width), explained(norms, 1)];
  const fitted = applyLinear(fitLinear(fitX, part(error, width, 0, half)), testX);
  const rest = part(error, width, half, rows).data.map((e, i) => e - fitted[i]!);
  const nonlinear = varianceOf({ columns: width, data: Float64Array.from(rest) }) / variance;
  return {
    value,
    control: explained(others, width),
    present: value > PRESENT_ABOVE || norm > PRESENT_ABOVE,
    n: rows - half,
    counted: "rows",
    details: {
      unexplained,
      linear: unexplained - nonlinear,
      nonlinear,
      norm,
      normControl: explained(
        norms.map((_, row) => norms[order[row]!]!),
        1,
      ),
    },
  };
}

function varianceOf({ columns, data }: Rows): number {
  const count = data.length / columns;
  let total = 0;
  for (let k = 0; k < columns; k++) {
    let mean = 0;
    for (let i = k; i < data.length; i += columns) mean += data[i]! / count;
    for (let i = k; i < data.length; i += columns) total += (data[i]! - mean) ** 2;
  }
  return total / count;
}
