/**
 * What is traced is traced once: a run compiles anew for every function that it has not seen, so the same question has to come with the same
 * functions again.
 */
import type { Readout } from "./metrics.ts";

/** Hooks and outputs by who is asked and what the question is, in words that tell any two questions apart. */
export class Programs<Asked extends object, Program> {
  readonly #known = new WeakMap<Asked, Map<string, Program>>();

  /** What was made for this question before, or is now. */
  of(asked: Asked, question: string, made: () => Program): Program {
    const all = this.#known.get(asked) ?? new Map<string, Program>();
    this.#known.set(asked, all);
    const program = all.get(question) ?? made();
    all.set(question, program);
    return program;
  }
}

const READOUTS = new WeakMap<Readout, number>();
let lastReadout = 0;

/** A number of a readout's own, for questions. */
export function readoutId(readout: Readout): number {
  const id = READOUTS.get(readout) ?? ++lastReadout;
  READOUTS.set(readout, id);
  return id;
}
