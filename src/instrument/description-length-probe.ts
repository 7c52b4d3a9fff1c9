/**
 * Probes by minimum description length (Voita & Titov 2020): how many bits it takes to send the labels to somebody who has the activations. The
 * online code sends them block by block, each with a probe trained on all before: a short code needs a rule that is quickly learnt.
 */
import { foldIn, type Key, randomPermutation } from "../tensor/index.ts";
import type { LoopOptions } from "../training/loop.ts";
import { pickedRows, rowCount } from "./activations.ts";
import { type ClassifierOptions, crossEntropyOf, fitClassifier, type LabelledRows } from "./classifier.ts";
import type { Finding } from "./finding.ts";
import { controlLabels } from "./probe.ts";

/** Where blocks end, as shares of the rows. */
const BLOCKS = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1] as const;

export interface OnlineCode {
  readonly bits: number;
  /** How many bits all labels take where each is as likely as any other. */
  readonly uniformBits: number;
  /** The uniform code's length over this one's. */
  readonly compression: number;
}

export interface DescriptionLengthProbe extends Finding, OnlineCode {
  /** The same of the control task: labels drawn at random for each type; none where types are not known. */
  readonly control: OnlineCode | null;
}

export interface DescriptionLengthOptions extends Omit<ClassifierOptions, "kind"> {
  readonly kind?: Exclude<ClassifierOptions["kind"], "ridge">;
  readonly types?: ArrayLike<number>;
}

/** Measures the labels, and the control task's. */
export async function descriptionLengthProbe(
  data: LabelledRows,
  options: DescriptionLengthOptions,
  loop: LoopOptions = {},
): Promise<DescriptionLengthProbe> {
  const { types, key } = options;
  const own = await onlineCode(data, options, loop);
  const labels = types && controlLabels(types, data.labels, foldIn(key, "control"));
  return {
    ...own,
    control: labels === undefined ? null : await onlineCode({ ...data, labels }, options, loop),
    n: rowCount(data.x),
    counted: "rows",
    nullDescription: "the uniform code; and, where types are known, labels drawn at random for each type",
    doesNotEstablish:
      "that the network uses what can be read; and lengths of probes of another kind or training are others",
  };
}

async function onlineCode(
  data: LabelledRows,
  { kind = "logistic", key, ...rest }: DescriptionLengthOptions,
  loop: LoopOptions,
): Promise<OnlineCode> {
  const n = rowCount(data.x);
  const order = randomPermutation(foldIn(key, "order"), n);
  const part = (from: number, to: number): LabelledRows => {
    const rows = order.slice(from, to);
    return { x: pickedRows(data.x, rows), labels: rows.map((row) => data.labels[row]!), classes: data.classes };
  };
  const ends = [...new Set(BLOCKS.map((share) => Math.max(1, Math.round(share * n))))];
  const each = Math.log2(data.classes);
  // Nothing is known of the first block.
  let bits = ends[0]! * each;
  for (const [i, end] of ends.slice(0, -1).entries()) {
    const classifier = await fitClassifier(part(0, end), { kind, key: blockKey(key, i), ...rest }, loop);
    const next = part(end, ends[i + 1]!);
    const nats = crossEntropyOf(classifier.scores(next.x), next.labels, data.classes);
    bits += (nats * next.labels.length) / Math.LN2;
  }
  return { bits, uniformBits: n * each, compression: (n * each) / bits };
}

const blockKey = (key: Key, block: number): Key => foldIn(foldIn(key, "block"), block);
