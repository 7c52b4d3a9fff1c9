/** What is wrong with a run, as far as its numbers tell: the name of the trouble, what causes it, and which setting to turn. */
import type { Verdict } from "./judge.ts";

/** One trouble. */
export interface Warning {
  readonly name: string;
  readonly cause: string;
  readonly knob: string;
}

/** What a verdict gives cause to warn of. */
export function warningsOf(_verdict: Omit<Verdict, "warnings">): Warning[] {
  return [];
}
