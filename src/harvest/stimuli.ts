/**
 * What a component may have fired on: the token at a position with those around it, or the input features that were active. A row is one
 * input of a component: a position of an example where the network has positions, an example where it has none.
 */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { InputSpec } from "../network/network.ts";

/** What a row is shown as. */
export interface Window {
  /** Tokens in order, or the active features. */
  readonly ids: Int32Array;
  /** Of features, their values. */
  readonly values: Float32Array | undefined;
  /** Which of the tokens the row is; absent where the row is all of it. */
  readonly focus: number | undefined;
  /** The rows whose importances belong to it: one for each token, or the one row that it is. */
  readonly rows: readonly number[];
}

/** The rows of one batch. */
export interface Stimuli {
  readonly rows: number;
  /** Whether a row is part of the data, and not padding. */
  counts(row: number): boolean;
  /** The tokens or features that a row is about, each once. */
  present(row: number): ArrayLike<number>;
  window(row: number): Window;
}

export type StimulusKind = "tokens" | "features";

/** What networks of this input are shown. */
export function stimulusKind(input: InputSpec): StimulusKind {
  return input.vocab === undefined ? "features" : "tokens";
}

/** How many tokens or features there are. */
export function stimulusCount(input: InputSpec): number {
  return input.vocab ?? input.sizes.feature!;
}

export interface StimuliOptions {
  /** How many rows the batch has. */
  readonly rows: number;
  /** Tokens on each side. */
  readonly window: number;
  /** The token that is no part of the data. */
  readonly padding: number | undefined;
}

/** The rows of a batch of inputs. */
export function stimuliOf(x: Values, options: StimuliOptions): Stimuli {
  const { rows } = options;
  const [batch, second] = x.shape as [number, number];
  if (x.axes === "batch feature" && rows === batch) return activeFeatures(x, rows);
  if (x.axes === "batch pos feature" && rows === batch * second) return activeFeatures(x, rows);
  if (x.axes === "batch pos" && rows === batch * second) return tokensInPlace(x, options);
  if (x.axes === "batch pos" && rows === batch) return wholeSequences(x, options);
  throw new MechanistError(
    "BadArgument",
    `harvest: expected components with a row for each example or position of "${x.axes}" ${x.shape.join("×")}, got ${rows} rows`,
  );
}

function activeFeatures(x: Values, rows: number): Stimuli {
  const features = x.shape.at(-1)!;
  const present = (row: number): Int32Array => {
    const found: number[] = [];
    for (let f = 0; f < features; f++) if (x.data[row * features + f] !== 0) found.push(f);
    return Int32Array.from(found);
  };
  return {
    rows,
    counts: () => true,
    present,
    window: (row) => {
      const ids = present(row);
      const values = Float32Array.from(ids, (f) => x.data[row * features + f]!);
      return { ids, values, focus: undefined, rows: [row] };
    },
  };
}

function tokensInPlace(x: Values, { rows, window, padding }: StimuliOptions): Stimuli {
  const pos = x.shape[1]!;
  const counts = (row: number): boolean => x.data[row] !== padding;
  return {
    rows,
    counts,
    present: (row) => [x.data[row]!],
    window: (row) => {
      const start = row - (row % pos);
      const near: number[] = [];
      for (let at = Math.max(start, row - window); at <= Math.min(start + pos - 1, row + window); at++)
        if (counts(at)) near.push(at);
      return {
        ids: Int32Array.from(near, (at) => x.data[at]!),
        values: undefined,
        focus: near.indexOf(row),
        rows: near,
      };
    },
  };
}

function wholeSequences(x: Values, { rows, padding }: StimuliOptions): Stimuli {
  const pos = x.shape[1]!;
  const tokens = (row: number): Int32Array =>
    Int32Array.from(x.data.subarray(row * pos, (row + 1) * pos)).filter((id) => id !== padding);
  return {
    rows,
    counts: (row) => tokens(row).length > 0,
    present: (row) => Int32Array.from(new Set(tokens(row))),
    window: (row) => ({ ids: tokens(row), values: undefined, focus: undefined, rows: [row] }),
  };
}
