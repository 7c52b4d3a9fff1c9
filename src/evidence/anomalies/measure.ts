/** What a measured anomaly is: numbers with what they mean, what they are held against, and what they do not establish. */

/** What is said of a measure wherever its numbers are shown. */
export interface Measure {
  readonly title: string;
  readonly formula: string;
  readonly source: string;
  readonly unit: string;
  /** Over what the headline is taken, and how. */
  readonly reduction: string;
  /** What `control` is. */
  readonly control: string;
  /** From where on the anomaly counts as present. */
  readonly rule: string;
  readonly establishes: string;
  readonly doesNotEstablish: string;
}

/** What was found at one place. */
export interface Found<D = Readonly<Record<string, unknown>>> {
  /** The headline, in the measure's unit. */
  readonly value: number;
  /** The same where there is nothing to find, or where it is known what should be found; nothing where there is no such thing. */
  readonly control: number | null;
  /** Whether the value is on the side of the rule where the anomaly is. */
  readonly present: boolean;
  /** How many of `counted` the headline is made of. */
  readonly n: number;
  readonly counted: string;
  readonly details: D;
}

/** Why there is no number, in one line. */
export interface Missing {
  readonly missing: string;
}

export type Outcome<D = Readonly<Record<string, unknown>>> = Found<D> | Missing;

export const isFound = <D>(outcome: Outcome<D>): outcome is Found<D> => !("missing" in outcome);
