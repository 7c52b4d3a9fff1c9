/** The instruments that `mechanist look` has: what each shows, and how its answer is printed. */
import type { Finding } from "../../instrument/finding.ts";
import type { Subject } from "./subject.ts";
import { saliencyInstrument, steeringInstrument } from "./effects.ts";
import { attentionInstruments } from "./heads.ts";
import { attribution, logitLensInstrument, tunedLensInstrument } from "./lenses.ts";
import { activationInstruments } from "./rows.ts";

/** An answer: as data, and as a table. */
export interface Looked {
  /** What is printed as JSON. */
  readonly found: Finding & Readonly<Record<string, unknown>>;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** Sentences below the table. */
  readonly notes?: readonly string[];
}

export interface Instrument {
  readonly summary: string;
  /** What it reads beside the network, and what may be chosen. */
  readonly takes: string;
  readonly look: (subject: Subject) => Promise<Looked>;
}

/** By the names that `--with` takes. */
export const INSTRUMENTS: Readonly<Record<string, Instrument>> = {
  "logit-lens": logitLensInstrument,
  "tuned-lens": tunedLensInstrument,
  attribution,
  ...attentionInstruments,
  ...activationInstruments,
  steering: steeringInstrument,
  saliency: saliencyInstrument,
};
