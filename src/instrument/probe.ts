/**
 * Probes: how well something about the input can be read off activations (Alain & Bengio 2017), with control tasks (Hewitt & Liang 2019): the
 * same probe on labels that are drawn at random for each type of input. Selectivity is the accuracy less the control's: a probe that
 * does as well there has memorised types.
 */
import type { WorkOptions } from "../intervention/capture.ts";
import type { Examples } from "../intervention/examples.ts";
import type { RunnableNetwork } from "../network/run.ts";
import { foldIn, type Key, randomBits, randomPermutation } from "../tensor/index.ts";
import type { LoopOptions } from "../training/loop.ts";
import { type ActivationRows, activationRows, pickedRows, rowCount } from "./activations.ts";
import {
  accuracyOf,
  type ClassifierOptions,
  expectLabelled,
  fitClassifier,
  type LabelledRows,
  type ProbeKind,
} from "./classifier.ts";
import { type Finding, spreadOf } from "./finding.ts";
import { withShuffled } from "./shuffled-weights.ts";

export interface ProbeOptions extends Omit<ClassifierOptions, "kind"> {
  /** Logistic unless given. */
  readonly kind?: ProbeKind;
  /** For each row its type, a token for instance: what control labels are drawn for. Without, there is no control task. */
  readonly types?: ArrayLike<number>;
  /** Whether rows are held out, or whole types: what the probe then knows of others. */
  readonly heldOut?: "rows" | "types";
}

export interface ProbeResult extends Finding {
  readonly trainRows: number;
  /** On rows that it was not trained on. */
  readonly accuracy: number;
  /** Always saying what is most common among the trained rows. */
  readonly majority: number;
  /** The same probe on control tasks, on the same rows: the mean over draws of their labels. */
  readonly control: number | null;
  /** The standard deviation over those draws: what of the selectivity is chance. */
  readonly controlDeviation: number | null;
  /** The accuracy less the control's. */
  readonly selectivity: number | null;
}

/** A fifth is held out. */
const HELD_OUT = 0.2;
/** How many control tasks: one draw of labels is a few hundredths easier or harder than another. */
const CONTROLS = 3;

const LIMITS =
  "that the network uses what can be read: erase or patch it to learn that. Without selectivity, not even that it is there rather than memorised";

/** Trains a probe and tests it. */
export async function probe(data: LabelledRows, options: ProbeOptions, loop: LoopOptions = {}): Promise<ProbeResult> {
  expectLabelled(data);
  const { types, key, heldOut = "rows", kind = "logistic" } = options;
  const { train, test } = splitRows(rowCount(data.x), foldIn(key, "split"), heldOut === "types" ? types : undefined);
  const accuracy = async (labels: ArrayLike<number>): Promise<number> => {
    const part = (rows: readonly number[]): LabelledRows => ({
      x: pickedRows(data.x, rows),
      labels: rows.map((row) => labels[row]!),
      classes: data.classes,
    });
    const [learning, testing] = [part(train), part(test)];
    const classifier = await fitClassifier(learning, { ...options, kind }, loop);
    return accuracyOf(classifier.scores(testing.x), testing.labels, data.classes);
  };
  const controlTasks = async (given: ArrayLike<number>): Promise<ReturnType<typeof spreadOf>> => {
    const found: number[] = [];
    for (let i = 0; i < CONTROLS; i++) {
      found.push(await accuracy(controlLabels(given, data.labels, foldIn(foldIn(key, "control"), i))));
    }
    return spreadOf(found);
  };
  const own = await accuracy(data.labels);
  const control = types === undefined ? null : await controlTasks(types);
  const common = mostCommon(train.map((row) => data.labels[row]!));
  return {
    trainRows: train.length,
    accuracy: own,
    majority: test.filter((row) => data.labels[row] === common).length / test.length,
    control: control && control.mean,
    controlDeviation: control && control.deviation,
    selectivity: control && own - control.mean,
    n: test.length,
    counted: heldOut === "types" ? "held-out rows, of types not trained on" : "held-out rows",
    nullDescription: `the most common label; and, where types are known, ${CONTROLS} draws of labels at random for each type`,
    doesNotEstablish: LIMITS,
  };
}

/** Each type gets the label of a random row: as common as labels are, and the same wherever the type is. */
export function controlLabels(types: ArrayLike<number>, labels: ArrayLike<number>, key: Key): Int32Array {
  const drawn = new Map<number, number>();
  return Int32Array.from({ length: types.length }, (_, row) => {
    const type = types[row]!;
    const known = drawn.get(type) ?? labels[randomBits(foldIn(key, type), 1)[0]! % labels.length]!;
    drawn.set(type, known);
    return known;
  });
}

/** Rows to train on and to test on, at random; with groups, no group is in both. */
function splitRows(
  n: number,
  key: Key,
  groups: ArrayLike<number> | undefined,
): { readonly train: readonly number[]; readonly test: readonly number[] } {
  const order = randomPermutation(key, n);
  if (groups === undefined) {
    const aside = Math.floor(HELD_OUT * n);
    return { train: order.slice(aside), test: order.slice(0, aside) };
  }
  const all = [...new Set(order.map((row) => groups[row]!))];
  const aside = new Set(all.slice(0, Math.max(1, Math.floor(HELD_OUT * all.length))));
  return {
    train: order.filter((row) => !aside.has(groups[row]!)),
    test: order.filter((row) => aside.has(groups[row]!)),
  };
}

function mostCommon(labels: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts].reduce((a, b) => (b[1] > a[1] ? b : a))[0];
}

export interface PointProbe extends ProbeResult {
  readonly point: string;
  /** The same probe on the network with shuffled weights (Zhang & Bowman 2018): what the input alone gives away. */
  readonly shuffled: number;
}

/** What a row's label, and its type, are made of. */
export type LabelOf = (row: { readonly example: number; readonly position: number }) => number | undefined;

/**
 * A probe at a hook point.
 *
 * @param what.label of a row; nothing where the row is left out
 */
export async function probeAt(
  runnable: RunnableNetwork,
  examples: Examples,
  what: Omit<ProbeOptions, "types"> & {
    readonly point: string;
    readonly label: LabelOf;
    readonly type?: LabelOf;
    readonly classes: number;
  },
  loop: LoopOptions & WorkOptions = {},
): Promise<PointProbe> {
  const { point, label, type, classes, ...options } = what;
  const look = async (one: RunnableNetwork): Promise<ProbeResult> => {
    const rows = await activationRows(one, examples, point);
    const { kept, labels } = labelledRows(rows, label);
    const types = type && kept.map((row) => type(placeOf(rows, row))!);
    const data = { x: pickedRows(rows, kept), labels, classes };
    return probe(data, { ...options, ...(types && { types }) }, loop);
  };
  const { own, shuffled } = await withShuffled(runnable, foldIn(options.key, "shuffled"), look);
  return {
    ...own,
    point: runnable.point(point).name,
    shuffled: shuffled.accuracy,
    nullDescription: `${own.nullDescription}; and the network with shuffled weights`,
  };
}

const placeOf = ({ example, position }: ActivationRows, row: number): { example: number; position: number } => ({
  example: example[row]!,
  position: position[row]!,
});

function labelledRows(rows: ActivationRows, label: LabelOf): { readonly kept: number[]; readonly labels: number[] } {
  const kept: number[] = [];
  const labels: number[] = [];
  for (let row = 0; row < rows.example.length; row++) {
    const one = label(placeOf(rows, row));
    if (one === undefined) continue;
    kept.push(row);
    labels.push(one);
  }
  return { kept, labels };
}
