/** Dead and dense units: components that never act, and components that act nearly always (Bricken et al. 2023; Sun et al. 2025). */
import type { Measure, Outcome } from "./measure.ts";
import { frequencies, type Place, strengthOf } from "./place.ts";

export const DEAD_AND_DENSE: Measure = {
  title: "dead and dense units",
  formula: "(components that act on no row + components that act on more than a tenth of the rows) / components",
  source: "Bricken et al. 2023 (dead); Sun et al. 2025 (dense, above 0.1)",
  unit: "share of components",
  reduction: "over all components of the place",
  control:
    "components silent on the first half of the rows that act on the second: rare ones, counted as dead for want of rows",
  rule: "above 0.05",
  establishes: "how many components say nothing, or something of nearly every input, on these rows",
  doesNotEstablish:
    "that a silent component would not act on other data: on n rows, one that acts on fewer than 3 in n is missed as often as not; nor that a dense one is no feature",
};

export interface DeadAndDenseDetails {
  readonly dead: number;
  readonly dense: number;
  readonly components: number;
  /** Components that act on a row, mean. */
  readonly l0: number;
  /** The largest frequency that a silent component may have, 95 times in 100. */
  readonly deadBelow: number;
  /** The median and the largest frequency of those that act. */
  readonly medianFrequency: number;
  readonly highestFrequency: number;
}

const DENSE = 0.1;
const PRESENT_ABOVE = 0.05;

export function deadAndDense(place: Place): Outcome<DeadAndDenseDetails> {
  const { C, rows } = place;
  const all = frequencies(place);
  const dead = all.filter((f) => f === 0).length;
  const dense = all.filter((f) => f > DENSE).length;
  const acting = all.filter((f) => f > 0).sort();
  const half = Math.floor(rows / 2);
  let late = 0;
  for (let c = 0; c < C; c++) {
    const z = strengthOf(place, c);
    if (z.subarray(0, half).every((v) => v === 0) && z.subarray(half).some((v) => v !== 0)) late++;
  }
  const value = (dead + dense) / C;
  return {
    value,
    control: late / C,
    present: value > PRESENT_ABOVE,
    n: C,
    counted: "components",
    details: {
      dead,
      dense,
      components: C,
      l0: all.reduce((a, b) => a + b, 0),
      deadBelow: 3 / rows,
      medianFrequency: acting[Math.floor(acting.length / 2)] ?? 0,
      highestFrequency: acting.at(-1) ?? 0,
    },
  };
}
