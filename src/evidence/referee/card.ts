/**
 * The paradigm card: for each family, on each network it was tried on, counts of what it was found to do. Three questions by which a paradigm is
 * judged (Kuhn 1962, chapter 12; in the form that the field has given them: epistemics, generality, open-endedness), each as counts with their bounds
 * written out, and every count with the runs behind it. Nothing is weighed, nothing added up over questions.
 *
 * - epistemics: of the predictions that calling some components active makes, how many held on data nobody trained on;
 * - generality: on how many of the networks tried it explained more than its own components at random, and enough;
 * - open-endedness: of the edits that remove one mechanism, how many did more where the mechanism is active than where it is not.
 *
 * It says what was found here, on these networks and at these settings; a method that was badly set is badly counted.
 */
import type { Curve, MeasureName, MeasureResult, Scoreboard, SubjectRow } from "./scoreboard.ts";

/** A prediction, with the share of chance that decides it. */
export interface PredictionText {
  readonly says: string;
  /** A number of the scoreboard, and what it must be. */
  readonly measured: string;
  readonly bound: string;
}

/** Divergences up to this share of chance count as none; see `PREDICTIONS`. */
export const NEXT_TO_NOTHING = 0.05;
/** The part of what there is to lose that has to be lost when what is needed is gone. */
export const MUCH = 0.5;
/** How many times more an edit does where its mechanism is active. */
export const SPECIFIC = 10;

export const PREDICTIONS = {
  enough: {
    says: "what is active is enough",
    measured: "sufficiency at its own size, zero ablation",
    bound: `at most ${NEXT_TO_NOTHING} of chance`,
  },
  needed: {
    says: "what is active is needed",
    measured: "necessity of what is active",
    bound: `at least ${MUCH} of its coverage`,
  },
  indifferent: {
    says: "what is inactive does not matter, whoever chooses it",
    measured: "robustness at its own size, adversarial",
    bound: `at most ${NEXT_TO_NOTHING} of chance`,
  },
  complete: {
    says: "nothing is left over",
    measured: "divergence without the remainder",
    bound: `at most ${NEXT_TO_NOTHING} of chance`,
  },
} as const satisfies Readonly<Record<string, PredictionText>>;
export type PredictionName = keyof typeof PREDICTIONS;

/** What became of a prediction; `null` where it was not measured. */
export interface Prediction {
  readonly name: PredictionName;
  /** In shares of chance. */
  readonly value: number | null;
  readonly held: boolean | null;
  /** Whether it could not have failed: what is inactive carries nothing, or everything is active. It is not counted. */
  readonly byConstruction: boolean;
}

/** One run on one network. */
export interface CardRun {
  readonly subject: string;
  readonly digest?: string;
  /** What it calls active, in bits and in units a row: units of different rank are not equal, bits are. */
  readonly bits: number;
  readonly size: number;
  readonly predictions: readonly Prediction[];
  /** Whether it is decidedly better than its own components at random and permuted; `null` where they were not made. */
  readonly beatsChance: boolean | null;
  /** Whether it is enough, and beats chance: the network counts for generality when all runs of the family on it do. */
  readonly holds: boolean | null;
  /** None are counted where what is inactive carries nothing, so that an edit can do nothing there. */
  readonly edits: { readonly worked: number; readonly made: number };
}

export interface CardCell {
  readonly network: string;
  /** Of the network's weights. */
  readonly digest: string;
  readonly runs: readonly CardRun[];
}

export interface CardFamily {
  readonly family: string;
  readonly cells: readonly CardCell[];
  /** Without those that hold by construction, which are counted apart. */
  readonly predictions: { readonly held: number; readonly made: number; readonly byConstruction: number };
  /** Networks on which all of its runs hold, and networks on which it was tried and something was measured. */
  readonly networks: { readonly held: number; readonly tried: number };
  readonly edits: { readonly worked: number; readonly made: number };
}

export interface ParadigmCard {
  readonly schema: 1;
  /** In alphabetical order: no order of merit. */
  readonly families: readonly CardFamily[];
  readonly networks: readonly { readonly title: string; readonly digest: string }[];
}

/** The card of some boards. A network on two boards is one network. */
export function paradigmCard(boards: readonly Scoreboard[]): ParadigmCard {
  const networks = new Map(boards.map(({ network }) => [network.digest, network.title]));
  const found = boards.flatMap((board) =>
    board.subjects.flatMap((subject) =>
      subject.control === undefined
        ? [{ family: subject.method ?? subject.name, digest: board.network.digest, run: runOf(board, subject) }]
        : [],
    ),
  );
  const names = [...new Set(found.map(({ family }) => family))].sort();
  const families = names.map((family): CardFamily => {
    const own = found.filter((entry) => entry.family === family);
    const cells = Array.from(networks, ([digest, network]): CardCell => ({
      network,
      digest,
      runs: own.filter((entry) => entry.digest === digest).map(({ run }) => run),
    })).filter(({ runs }) => runs.length > 0);
    const predictions = own
      .flatMap(({ run }) => run.predictions)
      .filter(({ held, byConstruction }) => held !== null && !byConstruction);
    const trivial = own.flatMap(({ run }) => run.predictions).filter(({ byConstruction }) => byConstruction);
    const tried = cells.filter(({ runs }) => runs.some(({ holds }) => holds !== null));
    const sum = (of: (run: CardRun) => number): number => own.reduce((total, { run }) => total + of(run), 0);
    return {
      family,
      cells,
      predictions: {
        held: predictions.filter(({ held }) => held).length,
        made: predictions.length,
        byConstruction: trivial.length,
      },
      networks: { held: tried.filter(({ runs }) => runs.every(({ holds }) => holds)).length, tried: tried.length },
      edits: { worked: sum(({ edits }) => edits.worked), made: sum(({ edits }) => edits.made) },
    };
  });
  return { schema: 1, families, networks: Array.from(networks, ([digest, title]) => ({ title, digest })) };
}

function runOf(board: Scoreboard, subject: SubjectRow): CardRun {
  const predictions = predictionsOf(board, subject);
  const beatsChance = beatsItsControls(board, subject);
  const enough = predictions.find(({ name }) => name === "enough")!.held;
  const edits = isTrivial(board, subject.name, "edits")
    ? []
    : board.edits.filter((edit) => edit.subject === subject.name && edit.active > 0 && edit.inactive > 0);
  return {
    subject: subject.name,
    ...(subject.digest !== undefined && { digest: subject.digest }),
    bits: subject.bits,
    size: subject.size,
    predictions,
    beatsChance,
    holds: enough === null || beatsChance === null ? null : enough && beatsChance,
    edits: {
      worked: edits.filter(({ onTarget, offTarget }) => onTarget > SPECIFIC * offTarget && onTarget > 0).length,
      made: edits.length,
    },
  };
}

function predictionsOf(board: Scoreboard, { name: subject, coverage, size, units }: SubjectRow): Prediction[] {
  const callsAllActive = size > 0.999 * units;
  const values: Readonly<Record<PredictionName, number | null>> = {
    enough: naturalSufficiency(board, subject),
    needed: scoreOf(
      board,
      subject,
      ({ measure, ablation, variant }) => measure === "necessity" && ablation === "zero" && variant === "active",
    ),
    indifferent: scoreOf(board, subject, ({ id }) => id === "robustness/adversarial/natural"),
    complete: scoreOf(board, subject, ({ id }) => id === "remainder/lost"),
  };
  return (Object.keys(PREDICTIONS) as PredictionName[]).map((name) => {
    const value = values[name];
    const byConstruction = (name === "enough" && callsAllActive) || isTrivial(board, subject, MEASURE_OF[name]);
    if (value === null) return { name, value, held: null, byConstruction };
    return {
      name,
      value,
      byConstruction,
      held: name === "needed" ? value >= MUCH * coverage : value <= NEXT_TO_NOTHING,
    };
  });
}

/** The measure that decides each prediction. */
const MEASURE_OF = {
  enough: "sufficiency",
  needed: "necessity",
  indifferent: "robustness",
  complete: "remainder",
} as const satisfies Readonly<Record<PredictionName, MeasureName>>;

/** The referee notes of a subject's measure why it cannot come out otherwise, and nothing else. */
function isTrivial({ notes }: Scoreboard, subject: string, measure: MeasureName): boolean {
  return notes.some((note) => note.subject === subject && note.measure === measure);
}

/** The divergence when only what a method calls active is kept, of chance. */
function naturalSufficiency({ curves, protocol }: Scoreboard, subject: string): number | null {
  const wanted = (curve: Curve): boolean =>
    curve.subject === subject &&
    curve.measure === "sufficiency" &&
    curve.ablation === "zero" &&
    curve.ranking === "own";
  const point = curves.find(wanted)?.points.find(({ natural }) => natural);
  return point === undefined ? null : point.divergence / protocol.chance;
}

function scoreOf({ measures }: Scoreboard, subject: string, wanted: (result: MeasureResult) => boolean): number | null {
  return measures.find(wanted)?.scores.find((score) => score.subject === subject)?.value ?? null;
}

/** Whether sufficiency sets it apart from controls made of its own components. */
function beatsItsControls({ measures, subjects }: Scoreboard, { name }: SubjectRow): boolean | null {
  const controls = new Set(
    subjects
      .filter(({ of, control }) => of === name && (control === "random" || control === "permuted"))
      .map((control) => control.name),
  );
  const pairs = measures
    .filter(({ measure, ablation, ranking }) => measure === "sufficiency" && ablation === "zero" && ranking === "own")
    .flatMap(({ discrimination }) => discrimination)
    .filter(({ good, bad }) => good === name && controls.has(bad));
  return pairs.length === 0 ? null : pairs.every(({ separates }) => separates);
}
