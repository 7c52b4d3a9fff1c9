/** Schedules by knots: values at fractions of a run, and how to get from one to the next. */
import { MechanistError } from "../error.ts";

/** A value at a point of the run, and the way there from the knot before. */
export interface Knot {
  /** Fraction of the run, from 0 to 1: step / (steps - 1). */
  readonly at: number;
  readonly value: number;
  /** `hold` keeps the value of the knot before until this one is reached. */
  readonly interpolation?: "linear" | "cosine" | "hold";
}

/**
 * The value of a schedule at a step. Before the first knot and after the last it stays at theirs.
 *
 * @param step  counted from 0; step `steps - 1` lands exactly on `at: 1`
 * @param steps how many steps the run has
 * @throws `BadArgument` where there is no knot, or one lies before the one it follows
 */
export function scheduleAt(knots: readonly Knot[], step: number, steps: number): number {
  const first = knots[0];
  if (first === undefined) throw new MechanistError("BadArgument", "schedule: expected at least one knot, got none");
  const back = knots.findIndex((knot, i) => i > 0 && knot.at < knots[i - 1]!.at);
  if (back > 0) {
    const [{ at: before }, { at }] = [knots[back - 1]!, knots[back]!];
    throw new MechanistError("BadArgument", `schedule: expected knots in order, got one at ${at} after ${before}`);
  }
  const t = steps > 1 ? step / (steps - 1) : 0;
  let before = first;
  for (const knot of knots) {
    if (t < knot.at) {
      if (knot === first) return first.value;
      const u = (t - before.at) / (knot.at - before.at);
      return before.value + (knot.value - before.value) * eased(u, knot.interpolation ?? "linear");
    }
    before = knot;
  }
  return before.value;
}

function eased(u: number, interpolation: NonNullable<Knot["interpolation"]>): number {
  if (interpolation === "hold") return 0;
  return interpolation === "cosine" ? (1 - Math.cos(Math.PI * u)) / 2 : u;
}

/** One value for the whole run. */
export function constantSchedule(value: number): readonly Knot[] {
  return [{ at: 0, value }];
}

/** From `value` to `value · final` along half a cosine. */
export function cosineSchedule(value: number, final = 0): readonly Knot[] {
  return [
    { at: 0, value },
    { at: 1, value: value * final, interpolation: "cosine" },
  ];
}

/** A straight line from one value to another. */
export function linearSchedule(from: number, to: number): readonly Knot[] {
  return [
    { at: 0, value: from },
    { at: 1, value: to },
  ];
}

/** From 0 up to `value` in a straight line over a fraction of the run, then as `cosineSchedule`. */
export function warmedUpCosine(value: number, warmUp: number, final = 0): readonly Knot[] {
  const rise: readonly Knot[] = warmUp > 0 ? [{ at: 0, value: 0 }] : [];
  return [...rise, { at: warmUp, value }, { at: 1, value: value * final, interpolation: "cosine" }];
}
