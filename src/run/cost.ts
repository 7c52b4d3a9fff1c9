/** What a run took, added up over its metrics: runs that were stopped and went on count whole, and components that left the program count no more. */
import type { MetricsRow } from "../training/loop.ts";

export interface RunCost {
  /** Of steps alone. */
  readonly seconds: number;
  /** Floating-point operations of the steps' products. */
  readonly flops: number;
}

/** Each row speaks of the steps since the row before; nothing where rows do not say what steps took. */
export function costOf(rows: readonly MetricsRow[]): RunCost | undefined {
  let [seconds, flops, before] = [0, 0, 0];
  for (const { step, msPerStep, flopsPerStep } of rows) {
    if (typeof msPerStep !== "number" || typeof flopsPerStep !== "number") return undefined;
    seconds += ((step - before) * msPerStep) / 1000;
    flops += (step - before) * flopsPerStep;
    before = step;
  }
  return rows.length > 0 ? { seconds, flops } : undefined;
}
