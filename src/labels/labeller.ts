/** Who puts into words what a component fires on, and who judges whether words say it: a language model, a person, or a control. */
import type { StimulusKind } from "../harvest/stimuli.ts";

/** A stretch of data as it is shown. */
export interface Shown {
  /** Tokens as text, or features with their values. */
  readonly tokens: readonly string[];
  /** Which tokens the component fires on; of features nothing, since it fires on all of them together. */
  readonly fires: readonly boolean[];
  /** The component's importance at each token, or one number for all. */
  readonly importances: readonly number[];
}

/** A token that goes with a component. */
export interface TokenRate {
  readonly text: string;
  /** P(token|fires). */
  readonly p: number;
  /** How much more likely than elsewhere. */
  readonly lift: number;
}

/** What a labeller is given of a component. */
export interface Evidence {
  readonly address: string;
  readonly kind: StimulusKind;
  /** What stands between tokens. */
  readonly separator: string;
  /** Of positions, the share at which it fires. */
  readonly density: number;
  readonly examples: readonly Shown[];
  readonly input: readonly TokenRate[];
  readonly output: readonly TokenRate[];
}

export interface Label {
  readonly label: string;
  readonly reasoning: string;
}

/** What answers cost. */
export interface Usage {
  readonly calls: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
}

/** An answer and its cost; no value where none could be made out, in as many tries as there are. */
export interface Answer<T> {
  readonly value: T | undefined;
  readonly usage: Usage;
}

/** How stretches are shown to a judge. */
export interface Showing {
  readonly kind: StimulusKind;
  readonly separator: string;
}

export interface Labeller {
  /** What stands in files and tables: the model's name. */
  readonly name: string;
  /** A label for what the component fires on. */
  label(evidence: Evidence, signal?: AbortSignal): Promise<Answer<Label>>;
  /** For each stretch, whether a component of this label would fire in it; where it does is not shown. */
  detect(
    label: string,
    items: readonly Shown[],
    how: Showing,
    signal?: AbortSignal,
  ): Promise<Answer<readonly boolean[]>>;
  /** For each stretch, whether the tokens marked are those that a component of this label fires on. */
  fuzz(label: string, items: readonly Shown[], how: Showing, signal?: AbortSignal): Promise<Answer<readonly boolean[]>>;
  /** Which of some stretches, marked, is not of the same component as the others. No label is given. */
  intruder(items: readonly Shown[], how: Showing, signal?: AbortSignal): Promise<Answer<number>>;
}

export const NO_USAGE: Usage = { calls: 0, promptTokens: 0, completionTokens: 0 };

export function addUsage(a: Usage, b: Usage): Usage {
  return {
    calls: a.calls + b.calls,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
  };
}
