/** Numbers that change in the course of a run: constants of the program where they do not, scalar inputs of each step where they do. */
import { input, type Tensor } from "../../../tensor/index.ts";
import { type Knot, scheduleAt } from "../../../training/schedule.ts";
import type { ParameterSettings } from "../settings.ts";

/** What changes. */
export type Scheduled = "p" | "gamma" | "importanceScale" | "persistentScale" | "localityThreshold";

/** Each one's curve; a single knot is a constant. Several curves are multiplied. */
function schedules(settings: ParameterSettings): Readonly<Record<Scheduled, readonly (readonly Knot[])[]>> {
  const { importanceRise, importanceFall, importanceEnd, persistentFrom, persistentRise } = settings;
  return {
    p: [line([0, settings.pStart], [1, settings.pEnd])],
    gamma: [line([0, settings.gammaStart], [settings.gammaUntil, settings.gammaEnd])],
    // The rise from 0 and the fall to its end may overlap.
    importanceScale: [
      importanceRise > 0 ? line([0, 0], [importanceRise, 1]) : [{ at: 0, value: 1 }],
      importanceFall < 1 ? line([importanceFall, 1], [1, importanceEnd]) : [{ at: 0, value: 1 }],
    ],
    persistentScale: [
      persistentFrom > 0 || persistentRise > 0
        ? line([persistentFrom, 0], [Math.min(1, persistentFrom + Math.max(persistentRise, 1e-9)), 1])
        : [{ at: 0, value: 1 }],
    ],
    localityThreshold: [line([0, settings.localityStart], [1, settings.localityEnd])],
  };
}

function line(...points: readonly (readonly [at: number, value: number])[]): readonly Knot[] {
  const [first] = points;
  if (points.every(([, value]) => value === first![1])) return [{ at: 0, value: first![1] }];
  return points.map(([at, value]) => ({ at, value }));
}

/** As the program has them. */
export function scheduledTensors(settings: ParameterSettings): Readonly<Record<Scheduled, number | Tensor<"">>> {
  return Object.fromEntries(
    Object.entries(schedules(settings)).map(([name, curves]) => [
      name,
      changes(curves) ? input(name, "", {}) : valueAt(curves, 0, 1),
    ]),
  ) as Record<Scheduled, number | Tensor<"">>;
}

/** What a step, counted from 0, is given. */
export function scheduledScalars(settings: ParameterSettings): (step: number) => Record<string, number> {
  const changing = Object.entries(schedules(settings)).filter(([, curves]) => changes(curves));
  return (step) => Object.fromEntries(changing.map(([name, curves]) => [name, valueAt(curves, step, settings.steps)]));
}

function changes(curves: readonly (readonly Knot[])[]): boolean {
  return curves.some((curve) => curve.length > 1);
}

function valueAt(curves: readonly (readonly Knot[])[], step: number, steps: number): number {
  return curves.reduce((product, curve) => product * scheduleAt(curve, step, steps), 1);
}
