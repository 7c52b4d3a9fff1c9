/**
 * Is a feature there if it can be read? Read linearly, read by a network, and used are three things; a table of them for one value and one feature.
 * The exclusive or of two coordinates is the case where a line reads nothing and a few hidden units read all.
 */
import { accuracyOf, fitClassifier, type LabelledRows } from "../../instrument/classifier.ts";
import { foldIn, type Key, randomPermutation } from "../../tensor/index.ts";
import type { LoopOptions } from "../../training/loop.ts";

export interface Readability {
  /** Accuracy on rows that were not learnt from, of a linear probe and of one with hidden units. */
  readonly linear: number;
  readonly nonlinear: number;
  /** Always saying what is most common; and the nonlinear probe learnt from labels in another order. */
  readonly majority: number;
  readonly control: number;
  /** Where the feature stands in the table. */
  readonly readable: "linearly" | "nonlinearly" | "not";
  /** Whether the network's output changes with it; nothing where nobody has tried. */
  readonly used: boolean | null;
  readonly n: number;
  readonly doesNotEstablish: string;
}

const HIDDEN = 16;
const STEPS = 600;
/** Of what lies between guessing and knowing, so much is reading. */
const READ = 0.5;

const LIMITS =
  "that the network uses what is read, unless an intervention says so; that what is not read is not there: a larger probe, or more rows, may read it";

/**
 * @param change how far the output moves when the feature alone is changed, over how far it moves when all is; nothing where it is not known
 */
export async function readability(
  data: LabelledRows,
  key: Key,
  change?: number,
  loop: LoopOptions = {},
): Promise<Readability> {
  const n = data.labels.length;
  const half = Math.floor(n / 2);
  const labels = Array.from(data.labels);
  const part = (from: number, to: number, given = labels): LabelledRows => ({
    x: { columns: data.x.columns, data: data.x.data.slice(from * data.x.columns, to * data.x.columns) as Float32Array },
    labels: given.slice(from, to),
    classes: data.classes,
  });
  const judging = part(half, n);
  const accuracy = async (learning: LabelledRows, kind: "ridge" | { readonly hidden: number }): Promise<number> => {
    const classifier = await fitClassifier(learning, { kind, key: foldIn(key, "probe"), steps: STEPS }, loop);
    return accuracyOf(classifier.scores(judging.x), judging.labels, data.classes);
  };
  const order = randomPermutation(foldIn(key, "order"), half);
  const shuffled = labels.map((label, row) => (row < half ? labels[order[row]!]! : label));
  const counts = Array.from(
    { length: data.classes },
    (_, c) => labels.slice(half).filter((label) => label === c).length,
  );
  const majority = Math.max(...counts) / judging.labels.length;
  const linear = await accuracy(part(0, half), "ridge");
  const nonlinear = await accuracy(part(0, half), { hidden: HIDDEN });
  const reads = (value: number): boolean => value - majority > READ * (1 - majority);
  return {
    linear,
    nonlinear,
    majority,
    control: await accuracy(part(0, half, shuffled), { hidden: HIDDEN }),
    readable: reads(linear) ? "linearly" : reads(nonlinear) ? "nonlinearly" : "not",
    used: change === undefined ? null : change > READ,
    n: judging.labels.length,
    doesNotEstablish: LIMITS,
  };
}
