/** A component labelled and its label put to trial. */
import { bootstrap, type Interval } from "../intervention/bootstrap.ts";
import { wilson } from "../intervention/alignment/interval.ts";
import { foldIn, type Key } from "../tensor/index.ts";
import { addUsage, type Answer, type Evidence, type Label, type Labeller, NO_USAGE, type Usage } from "./labeller.ts";
import { CHANCE, detectionTrial, fuzzingTrial, intruderTrials, type TrialMaterial, type TruthTrial } from "./trials.ts";

/** How many answers of so many were right. Stretches without an answer that could be made out are no part of `n`. */
export interface Score {
  readonly right: number;
  readonly n: number;
  /** Stretches or trials without an answer. */
  readonly unanswered: number;
}

export type ScoreName = keyof typeof CHANCE;

/** What became of one component. Scores are absent where there were too few examples for a trial. */
export interface Labelled {
  readonly address: string;
  /** Absent where no answer could be made out. */
  readonly label?: string;
  readonly reasoning?: string;
  readonly scores: Readonly<Partial<Record<ScoreName, Score>>>;
  readonly usage: Usage;
}

export interface ScoreOptions {
  /** Stretches of either kind in detection and fuzzing, and trials of intruders. */
  readonly trials: number;
  readonly key: Key;
  readonly signal?: AbortSignal;
}

/** Labels a component, and scores the label on what the labeller has not seen. */
export async function labelComponent(
  labeller: Labeller,
  evidence: Evidence,
  material: TrialMaterial,
  { trials, key, signal }: ScoreOptions,
): Promise<Labelled> {
  let usage = NO_USAGE;
  const spent = <T>({ value, usage: cost }: Answer<T>): T | undefined => {
    usage = addUsage(usage, cost);
    return value;
  };
  const { kind, separator, address } = evidence;
  const how = { kind, separator };
  const scores: Partial<Record<ScoreName, Score>> = {};
  const found: Label | undefined = spent(await labeller.label(evidence, signal));
  if (found !== undefined) {
    const { label } = found;
    const detection = detectionTrial(material, trials, foldIn(key, "detection"));
    if (detection !== undefined) {
      scores.detection = graded(detection, spent(await labeller.detect(label, detection.items, how, signal)));
    }
    // Features are all marked or none: there is nothing to mark wrongly.
    const fuzzing = kind === "tokens" ? fuzzingTrial(material, trials, foldIn(key, "fuzzing")) : undefined;
    if (fuzzing !== undefined) {
      scores.fuzzing = graded(fuzzing, spent(await labeller.fuzz(label, fuzzing.items, how, signal)));
    }
  }
  const intruders = intruderTrials(material, trials, foldIn(key, "intruder"));
  let [right, n] = [0, 0];
  for (const { items, intruder } of intruders) {
    const choice = spent(await labeller.intruder(items, how, signal));
    if (choice === undefined) continue;
    n++;
    right += Number(choice === intruder);
  }
  if (intruders.length > 0) scores.intruder = { right, n, unanswered: intruders.length - n };
  return { address, ...found, scores, usage };
}

function graded({ truth }: TruthTrial, answers: readonly boolean[] | undefined): Score {
  if (answers === undefined) return { right: 0, n: 0, unanswered: truth.length };
  return { right: truth.filter((right, i) => answers[i] === right).length, n: truth.length, unanswered: 0 };
}

/** One kind of score over components. */
export interface ScoreSummary {
  /** What a judge that knows nothing has. */
  readonly chance: number;
  /** The mean over components of the share that was right, and its interval over components. */
  readonly mean: number | null;
  readonly interval: Interval | null;
  /** Components scored; answers, those that were right, and the interval of that share were all answers independent. */
  readonly components: number;
  readonly n: number;
  readonly right: number;
  readonly answersInterval: Interval | null;
  readonly unanswered: number;
}

/** All kinds of scores. The first interval is the one to believe: answers on one component are not independent. */
export function summarised(labelled: readonly Labelled[], key: Key): Readonly<Record<ScoreName, ScoreSummary>> {
  const of = (name: ScoreName): ScoreSummary => {
    const scores = labelled.map(({ scores }) => scores[name]).filter((score) => score !== undefined);
    const answered = scores.filter(({ n }) => n > 0);
    const shares = answered.map(({ right, n }) => right / n);
    const total = (field: keyof Score): number => scores.reduce((sum, score) => sum + score[field], 0);
    return {
      chance: CHANCE[name],
      mean: shares.length === 0 ? null : shares.reduce((a, b) => a + b) / shares.length,
      interval: bootstrap(foldIn(key, name), shares.length)(shares),
      components: answered.length,
      n: total("n"),
      right: total("right"),
      answersInterval: total("n") === 0 ? null : wilson(total("right"), total("n")),
      unanswered: total("unanswered"),
    };
  };
  return { detection: of("detection"), fuzzing: of("fuzzing"), intruder: of("intruder") };
}
