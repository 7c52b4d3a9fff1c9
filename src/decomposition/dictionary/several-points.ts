/** What codes over several points have in common in training: rows that are scaled point by point, latents whose silence is counted. */
import { type NamedValues, values } from "../../engine/index.ts";
import { add, axisSize, cast, greater, input, max, mul, type Tensor, where } from "../../tensor/index.ts";
import type { StepObjective } from "../../training/optimise.ts";
import { scaleName } from "./fold.ts";
import type { RowPoint } from "./rows.ts";
import type { TrainingSettings } from "./settings.ts";
import { geometricMedian, meanLengthScale, type SampleRows } from "./start.ts";
import { silentName } from "./training.ts";

/** How latents fired so far: steps since each one did, before and after a step, and which count as dead. */
export interface Silence {
  readonly now: Tensor;
  readonly next: Tensor;
  readonly dead: Tensor<"C">;
}

/** Counts the steps since each latent of a site was above 0. */
export function silence(site: string, z: Tensor<"batch C">, deadAfter: number): Silence {
  const now = input(silentName(site), "C", { C: axisSize(z, "C") });
  const fired = max(z, "batch") as Tensor<"C">;
  return {
    now,
    next: where(greater(fired, 0), 0, add(now, 1)),
    dead: cast(greater(now, deadAfter - 0.5), "f32"),
  };
}

/** What is carried from step to step of the silences of all sites. */
export function carriedSilence(bySite: Readonly<Record<string, Silence>>): Pick<StepObjective, "values" | "carried"> {
  const names = Object.entries(bySite).map(([site, { now, next }]) => ({ name: silentName(site), now, next }));
  return {
    values: Object.fromEntries(names.map(({ name, next }) => [`next ${name}`, next])),
    carried: (_, found) =>
      Object.fromEntries(names.map(({ name, now }) => [name, { now, next: found[`next ${name}`]! }])),
  };
}

/** Rows as they are read in training: times the point's scale, where there is one. */
export function scaledRows(
  rows: Tensor<"batch d">,
  { name }: RowPoint,
  { activationNormalization }: TrainingSettings,
): Tensor<"batch d"> {
  return activationNormalization === "none" ? rows : mul(rows, input(scaleName(name), "", {}));
}

/** What is known of a point's rows before the first step: its scale, and where its bias starts. */
export function pointStart(
  { name, width }: RowPoint,
  sample: NamedValues,
  { activationNormalization, geometricMedianStart }: TrainingSettings,
): { readonly scale: NamedValues; readonly bias: ArrayLike<number> } {
  const { data, shape } = sample[name]!;
  const rows: SampleRows = { data: data as Float32Array, rows: shape[0]!, width };
  const scale = activationNormalization === "none" ? 1 : meanLengthScale(rows);
  return {
    scale: activationNormalization === "none" ? {} : { [scaleName(name)]: values("", [], [scale]) },
    bias: geometricMedianStart ? geometricMedian(rows).map((x) => x * scale) : new Float32Array(width),
  };
}

/** The scale of a point among what a training carries; 1 where it has none. */
export function scaleAt(state: NamedValues, point: string): number {
  return state[scaleName(point)]?.data[0] ?? 1;
}
