/** Which components are alive: those whose importance exceeds a threshold on at least one probe input. */
import type { Values } from "../engine/index.ts";

/** The threshold of the toy experiments (SPD repository, `ci_alive_threshold`). A count of the dead depends on it. */
export const ALIVE_ABOVE = 0.1;

/** Whether each component is alive. */
export function aliveComponents(importances: Values, threshold: number = ALIVE_ABOVE): boolean[] {
  const [rows, columns] = importances.shape as [number, number];
  return Array.from({ length: columns }, (_, c) =>
    Array.from({ length: rows }, (__, i) => importances.data[i * columns + c]!).some((value) => value > threshold),
  );
}
