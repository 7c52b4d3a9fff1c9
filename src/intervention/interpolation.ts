/** What gradient methods have in common: where between two runs the gradient is taken. */
import { MechanistError } from "../error.ts";
import type { Metric } from "./metrics.ts";

/**
 * How far from the run that is intervened on to the other, for each of some steps: 0, 1/n, …, (n-1)/n. The first is that run
 * itself; the sum of Hanna et al. (2024, equation 3) runs over the same points, from the clean input towards the corrupted one.
 */
export function stepsAlong(steps: number): number[] {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new MechanistError("BadArgument", `attribution: expected a whole number of steps from 1, got ${steps}`);
  }
  return Array.from({ length: steps }, (_, k) => k / steps);
}

/** Refuses a metric that is flat almost everywhere. */
export function expectDifferentiable({ name, differentiable }: Metric): void {
  if (!differentiable) {
    throw new MechanistError("BadArgument", `attribution: expected a metric that has a gradient, got ${name}`);
  }
}
