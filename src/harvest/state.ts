/**
 * A pass that stopped, as tensors: everything it has counted. Numbers of 64 bits are kept as pairs of 32, because that is what the files of
 * checkpoints hold; they come back to the same bits.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { CountRun, KeyCounts } from "./counts.ts";
import type { Background, Example } from "./examples.ts";
import type { Best } from "./best.ts";
import type { Tally } from "./tally.ts";

const ARRAYS = ["firings", "importance", "largest", "activation", "present", "mass", "massFiring"] as const;
const COUNTS = ["pairs", "tokens"] as const;

/** Everything needed to go on. */
export function savedTally(tally: Tally): NamedValues {
  const tensors: Record<string, Values> = {
    place: wide(Float64Array.of(tally.n, tally.padding, tally.streamed, tally.pairs.runs, tally.tokens.runs)),
  };
  for (const name of ARRAYS) tensors[name] = wide(tally[name]);
  for (const name of COUNTS) Object.assign(tensors, countTensors(name, tally[name]));
  return { ...tensors, ...keptTensors(tally) };
}

/** @throws `BadFile` where the tensors are not those of a pass of this shape */
export function restoreTally(tally: Tally, tensors: NamedValues): void {
  const [n, padding, streamed, pairRuns, tokenRuns] = doubles(tensors, "place", 5);
  for (const name of ARRAYS) tally[name].set(doubles(tensors, name, tally[name].length));
  Object.assign(tally, { n, padding, streamed });
  tally.pairs.restore(runOf(tensors, "pairs"), pairRuns!);
  tally.tokens.restore(runOf(tensors, "tokens"), tokenRuns!);
  restoreKept(tally, tensors);
}

function countTensors(name: string, counts: KeyCounts): NamedValues {
  const held = counts.held();
  return { [`${name}.keys`]: wide(held.keys), [`${name}.counts`]: wide(held.counts) };
}

function runOf(tensors: NamedValues, name: string): CountRun {
  return { keys: doubles(tensors, `${name}.keys`), counts: doubles(tensors, `${name}.counts`) };
}

type Kept = Example | Background;
/** Which list an example is of: a component's sample, its top, or the background, which is no component's. */
interface Listed {
  readonly list: 0 | 1 | 2;
  readonly component: number;
  readonly best: Best<Kept>;
}

function listsOf({ examples, background }: Tally): Listed[] {
  const of = (list: 0 | 1, all: readonly (Best<Example> | undefined)[]): Listed[] =>
    all.flatMap((best, component) => (best === undefined ? [] : [{ list, component, best: best as Best<Kept> }]));
  return [
    ...of(0, examples.sample),
    ...of(1, examples.top),
    { list: 2, component: -1, best: background as unknown as Best<Kept> },
  ];
}

/** What stands before the numbers of an example: list, component, focus, and how many ids, values and further numbers there are. */
const HEAD = 6;

function keptTensors(tally: Tally): NamedValues {
  const all = listsOf(tally).flatMap(({ list, component, best }) =>
    best.kept().map((kept) => ({ list, component, ...kept })),
  );
  const further = (item: Kept): ArrayLike<number> => ("firing" in item ? item.firing : item.importances);
  const wholes = all.reduce(
    (sum, { item }) => sum + HEAD + item.ids.length + ("firing" in item ? item.firing.length : 0),
    0,
  );
  const reals = all.reduce(
    (sum, { item }) => sum + 1 + (item.values?.length ?? 0) + ("firing" in item ? 0 : item.importances.length),
    0,
  );
  const [ints, floats, scores] = [new Int32Array(wholes), new Float32Array(reals), new Float64Array(all.length * 3)];
  let [i, f] = [0, 0];
  all.forEach(({ list, component, score, tie, item }, at) => {
    scores.set([score, tie, item.position], at * 3);
    const values = item.values ?? new Float32Array(0);
    const rest = further(item);
    ints.set(
      [list, component, item.focus ?? -1, item.ids.length, item.values === undefined ? -1 : values.length, rest.length],
      i,
    );
    ints.set(item.ids, i + HEAD);
    i += HEAD + item.ids.length;
    floats[f++] = "firing" in item ? Number.NaN : (item.activation ?? Number.NaN);
    floats.set(values, f);
    f += values.length;
    if ("firing" in item) {
      ints.set(item.firing, i);
      i += item.firing.length;
    } else {
      floats.set(item.importances, f);
      f += item.importances.length;
    }
  });
  return {
    "examples.i32": { axes: "word", shape: [ints.length], dtype: "i32", data: ints },
    "examples.f32": wordsOf(new Int32Array(floats.buffer)),
    "examples.scores": wide(scores),
  };
}

function restoreKept(tally: Tally, tensors: NamedValues): void {
  const ints = words(tensors, "examples.i32");
  const floats = new Float32Array(words(tensors, "examples.f32").slice().buffer);
  const scores = doubles(tensors, "examples.scores");
  let [i, f] = [0, 0];
  for (let at = 0; at < scores.length; at += 3) {
    const [score, tie, position] = scores.subarray(at, at + 3) as unknown as [number, number, number];
    const [list, component, focus, idCount, valueCount, restCount] = ints.subarray(i, i + HEAD) as unknown as number[];
    i += HEAD;
    const ids = ints.slice(i, (i += idCount!));
    const activation = floats[f++]!;
    const values = valueCount! < 0 ? undefined : floats.slice(f, (f += valueCount!));
    const shown = { ids, values, focus: focus! < 0 ? undefined : focus!, position };
    if (list === 2) {
      tally.background.put(score, tie, { ...shown, firing: ints.slice(i, (i += restCount!)) });
      continue;
    }
    const importances = floats.slice(f, (f += restCount!));
    const importance = importances[shown.focus ?? 0]!;
    const known = Number.isNaN(activation) ? undefined : activation;
    const best = list === 0 ? tally.examples.sampleOf(component!) : tally.examples.topOf(component!);
    best.put(score, tie, { ...shown, importance, activation: known, importances });
  }
}

/** 64-bit numbers as pairs of words. */
function wide(numbers: Float64Array): Values {
  return wordsOf(new Int32Array(numbers.slice().buffer));
}

function wordsOf(data: Int32Array): Values {
  return { axes: "word", shape: [data.length], dtype: "i32", data };
}

function words(tensors: NamedValues, name: string): Int32Array {
  const found = tensors[name]?.data;
  if (found instanceof Int32Array) return found;
  throw new MechanistError("BadFile", `harvest checkpoint: expected ${name} of 32-bit words, got none`);
}

function doubles(tensors: NamedValues, name: string, length?: number): Float64Array {
  const found = new Float64Array(words(tensors, name).slice().buffer);
  if (length === undefined || found.length === length) return found;
  throw new MechanistError("BadFile", `harvest checkpoint: ${name}: expected ${length} numbers, got ${found.length}`);
}
