/** What a measure is given of a subject, and what it says. */
import type { Curve, Edit, MeasureResult, MeasureText, Note } from "../scoreboard.ts";
import type { AblationKind } from "../scoreboard.ts";
import type { Measured } from "../noise.ts";
import type { Ranker, Trial } from "../trial.ts";

/** A subject before a measure. */
export interface Hearing {
  readonly trial: Trial;
  /** For each prompt, the divergence of chance. */
  readonly chance: Float64Array;
  /** Units a row to ask about; those beyond what the subject has are left out. */
  readonly ladder: readonly number[];
  /** The largest size of any subject, in units a row and in bits: where areas end. */
  readonly most: { readonly units: number; readonly bits: number };
  readonly matchedSize: number;
  /** Above which units count as what the subject itself calls active. */
  readonly natural: number;
  /** Of a subject that has no active units of its own: how many those it is made of have, on each prompt. */
  readonly naturalSizes?: Float64Array;
  readonly ablations: readonly AblationKind[];
  /** An order of units that is the same for every family, of permuted controls permuted; absent for other controls but known mechanisms. */
  readonly gradient?: Ranker;
}

/** One number of a subject, with what it is. */
export interface Found extends Pick<MeasureResult, "id" | "measure" | "ablation" | "ranking" | "axis" | "variant"> {
  readonly text: MeasureText;
  readonly measured: Measured;
}

/** All that a measure says. */
export interface Heard {
  readonly found: readonly Found[];
  readonly curves?: readonly Curve[];
  readonly notes?: readonly Note[];
  readonly edits?: readonly Edit[];
}
