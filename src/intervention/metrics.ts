/**
 * What an intervention is measured by: one number for each example, as a traced function of the network's output.
 *
 * Which measure and which answers decide what is found (Zhang & Nanda 2024, "Towards best practices of activation patching"): a
 * probability hides what works against an answer, a logit difference sees only the two logits it names.
 */
import { type NamedValues, type Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { RunnableNetwork, Traced } from "../network/run.ts";
import {
  axisNames,
  axisSize,
  broadcast,
  cast,
  contract,
  greaterEqual,
  input,
  klDivergence,
  logSoftmax,
  max,
  select,
  sizesOf,
  sub,
  takeAlong,
  type Tensor,
} from "../tensor/index.ts";
import {
  batchesOf,
  countOf,
  DEFAULT_MEMORY,
  type Examples,
  firstRows,
  joinedRows,
  picked,
  pickedRun,
  pointSizes,
  rowsWithin,
} from "./examples.ts";

/** From a network's output `batch … class` to one number an example. */
export type Readout = (output: Tensor) => Tensor<"batch">;

export interface Metric {
  readonly name: string;
  readonly unit: string;
  /** What a larger number means. */
  readonly meaning: string;
  /** How many examples it knows the answers of. */
  readonly n: number;
  /** Whether gradients tell anything. */
  readonly differentiable: boolean;
  /** Whether it reads the output at every position, or at the last alone. */
  readonly readsAll: boolean;
  /** The same function for each metric of a kind, so that programs are compiled once; answers come as feeds. */
  readonly readout: Readout;
  /** The values of the readout's inputs for some examples, one row each. */
  feeds(rows: readonly number[]): NamedValues;
}

/** Where in a sequence an output is read: at its last position, or at one for each example. */
export type ReadPosition = "last" | readonly number[];

interface Answered {
  /** Token ids, or classes: the right one for each example. */
  readonly answer: readonly number[];
  readonly position?: ReadPosition;
}

const READOUTS = new Map<string, Readout>();

/** One readout for each kind and way of choosing a position. */
function readoutOf(kind: string, position: ReadPosition, of: (logits: Tensor) => Tensor): Readout {
  const name = `${kind} ${position === "last" ? "last" : "given"}`;
  const known = READOUTS.get(name);
  if (known !== undefined) return known;
  const made: Readout = (output) => of(logitsAt(output, position === "last")) as Tensor<"batch">;
  READOUTS.set(name, made);
  return made;
}

/** The logits that are read, `batch class`. */
function logitsAt(output: Tensor, last: boolean): Tensor {
  if (!axisNames(output.axes).includes("pos")) return output;
  if (last) return select(output, "pos", axisSize(output, "pos") - 1) as Tensor;
  const { batch, [classAxis(output)]: classes } = sizesOf(output);
  const at = input("metric:position", "batch", { batch: batch! }, "i32");
  const axes = `batch ${classAxis(output)}`;
  return takeAlong(output, broadcast(at as Tensor, axes, { batch: batch!, [classAxis(output)]: classes! }), "pos");
}

const classAxis = (output: Tensor): string => axisNames(output.axes).at(-1)!;

function logitOf(logits: Tensor, name: string): Tensor {
  const ids = input(`metric:${name}`, "batch", { batch: axisSize(logits, "batch") }, "i32");
  return takeAlong(logits, ids, classAxis(logits));
}

const whole = (numbers: readonly number[], rows: readonly number[]): Values => ({
  axes: "batch",
  shape: [rows.length],
  dtype: "i32",
  data: Int32Array.from(rows, (row) => numbers[row]!),
});

function positionFeeds(position: ReadPosition, rows: readonly number[]): NamedValues {
  return position === "last" ? {} : { "metric:position": whole(position, rows) };
}

function expectOneEach(
  where: string,
  answer: readonly number[],
  others: readonly (readonly number[] | "last")[],
): void {
  for (const other of others) {
    if (other !== "last" && other.length !== answer.length) {
      throw new MechanistError("BadArgument", `${where}: expected ${answer.length} numbers, got ${other.length}`);
    }
  }
}

/** A metric that reads the logits at one position of each example, and of them that of its answer. */
function answerMetric(
  what: Pick<Metric, "name" | "unit" | "meaning" | "differentiable">,
  { answer, against, position = "last" }: Answered & { readonly against?: readonly number[] },
  of: (logits: Tensor) => Tensor,
): Metric {
  expectOneEach(what.name, answer, against === undefined ? [position] : [against, position]);
  return {
    ...what,
    n: answer.length,
    readsAll: position !== "last",
    readout: readoutOf(what.name, position, of),
    feeds: (rows) => ({
      "metric:answer": whole(answer, rows),
      ...(against !== undefined && { "metric:against": whole(against, rows) }),
      ...positionFeeds(position, rows),
    }),
  };
}

/** The logit of the answer less the logit of another token, in logits (nats). */
export function logitDifference(what: Answered & { readonly against: readonly number[] }): Metric {
  const told = {
    name: "logit difference",
    unit: "logits",
    meaning: "the logit of the answer less that of the other token; larger favours the answer",
    differentiable: true,
  };
  return answerMetric(told, what, (logits) => sub(logitOf(logits, "answer"), logitOf(logits, "against")));
}

/** The logarithm of the answer's probability, in nats. */
export function logProbability(what: Answered): Metric {
  const told = {
    name: "log probability",
    unit: "nats",
    meaning: "the logarithm of the probability of the answer; larger favours the answer",
    differentiable: true,
  };
  return answerMetric(told, what, (logits) => logitOf(logSoftmax(logits, classAxis(logits)), "answer"));
}

/** 1 where no logit is larger than the answer's, else 0; a tie counts as right. */
export function answerAccuracy(what: Answered): Metric {
  const told = {
    name: "accuracy",
    unit: "fraction of examples",
    meaning: "whether the answer's logit is the largest; larger is better",
    differentiable: false,
  };
  return answerMetric(told, what, (logits) =>
    cast(greaterEqual(logitOf(logits, "answer"), max(logits, classAxis(logits)) as Tensor) as Tensor, "f32"),
  );
}

/** The mean cross-entropy of each next token in a row, in nats; tokens before and right after padding do not count. */
export function nextTokenCrossEntropy({ x, padding }: Examples): Metric {
  const [n, pos] = x.shape as [number, number];
  const weight = (row: number, p: number): number => {
    const first = padding?.[row] ?? 0;
    return p >= first && p < pos - 1 ? 1 / (pos - 1 - first) : 0;
  };
  const grid = (rows: readonly number[], of: (row: number, p: number) => number): number[] =>
    rows.flatMap((row) => Array.from({ length: pos }, (_, p) => of(row, p)));
  return {
    name: "next-token cross-entropy",
    unit: "nats a token",
    meaning: "the mean cross-entropy of the tokens of a row but its first; smaller is better",
    n,
    differentiable: true,
    readsAll: true,
    readout: nextTokenReadout,
    feeds: (rows) => ({
      "metric:next": {
        axes: "batch pos",
        shape: [rows.length, pos],
        dtype: "i32",
        data: Int32Array.from(grid(rows, (row, p) => (p < pos - 1 ? x.data[row * pos + p + 1]! : 0))),
      },
      "metric:weight": {
        axes: "batch pos",
        shape: [rows.length, pos],
        dtype: "f32",
        data: Float64Array.from(grid(rows, weight)),
      },
    }),
  };
}

const readLast = ({ output }: Traced): { logits: Tensor } => ({ logits: logitsAt(output, true) });
const readGiven = ({ output }: Traced): { logits: Tensor } => ({ logits: logitsAt(output, false) });

const nextTokenReadout: Readout = (output) => {
  const sizes = { batch: axisSize(output, "batch"), pos: axisSize(output, "pos") };
  const next = input("metric:next", "batch pos", sizes, "i32");
  const weight = input("metric:weight", "batch pos", sizes);
  const logP = takeAlong(logSoftmax(output, classAxis(output)), next, classAxis(output));
  return sub(0, contract(logP, weight, "batch")) as Tensor<"batch">;
};

/** The divergence of what is predicted from what an undisturbed run predicts, `KL(undisturbed ‖ disturbed)`, in nats. */
export async function divergenceFrom(
  runnable: RunnableNetwork,
  undisturbed: Examples,
  position: ReadPosition = "last",
): Promise<Metric> {
  const n = countOf(undisturbed);
  if (position !== "last") expectOneEach("divergence", position, [Array.from({ length: n }, () => 0)]);
  const most = rowsWithin(pointSizes(runnable, undisturbed.x), DEFAULT_MEMORY);
  const parts: Values[] = [];
  for (const { rows, used } of batchesOf(n, most)) {
    const { x, ...rest } = pickedRun(undisturbed, rows);
    const read = position === "last" ? readLast : readGiven;
    const found = await runnable.compute(x, read, { ...rest, feeds: positionFeeds(position, rows) });
    parts.push(firstRows(found.logits, used));
  }
  const logits = joinedRows(parts);
  return {
    name: "divergence",
    unit: "nats",
    meaning: `the Kullback-Leibler divergence of the predictions from those of the run on ${undisturbed.name}; 0 is none`,
    n,
    differentiable: true,
    readsAll: position !== "last",
    readout: readoutOf("divergence", position, (logits) => {
      const reference = input("metric:undisturbed", logits.axes, sizesOf(logits));
      return klDivergence(reference, logits, classAxis(logits)) as Tensor;
    }),
    feeds: (rows) => ({
      "metric:undisturbed": picked(logits, rows),
      ...positionFeeds(position, rows),
    }),
  };
}

/**
 * How much of the way from one run to another an intervention goes, on the mean over examples: 0 at the run that it is made on, 1 at
 * the run that it takes values from. Nothing where the two do not differ.
 */
export function recoveredFraction(changed: number, base: number, source: number): number | null {
  return Math.abs(source - base) < 1e-12 ? null : (changed - base) / (source - base);
}
