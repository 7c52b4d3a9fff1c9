/**
 * One protocol for every way to take a network apart: the same prompts, the same ablations, at matched sizes, with yardsticks beside each method and the
 * noise of each number. What a family calls a component, how many there are and what part of the network they speak of is said, not evened out.
 */
import type { CompileOptions, NamedValues } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import { foldIn, keyFromSeed } from "../../tensor/index.ts";
import type { KnownMechanisms } from "../../training/known-mechanisms.ts";
import { batchSize, type DataSource } from "../fresh-data.ts";
import { circuitScores } from "./circuit.ts";
import { Comparisons, type Entry } from "./comparisons.ts";
import { damageControl, oracleControl, permutedControl, randomControl } from "./controls.ts";
import { byGradient, byPermutedGradient } from "./gradient-ranking.ts";
import { knownScores } from "./known.ts";
import { byDamage } from "./leave-one-out.ts";
import { edits } from "./measures/edits.ts";
import type { Heard, Hearing } from "./measures/hearing.ts";
import { monotonicity } from "./measures/monotonicity.ts";
import { necessity } from "./measures/necessity.ts";
import { remainder } from "./measures/remainder.ts";
import { robustness } from "./measures/robustness.ts";
import { sufficiency } from "./measures/sufficiency.ts";
import { RESAMPLES } from "./noise.ts";
import { knownDecomposition } from "./oracle.ts";
import { ProbeSet } from "./probe-set.ts";
import { randomDirectionsControl } from "./random-directions.ts";
import { type Scales, siteScales } from "./ranking.ts";
import {
  type AblationKind,
  ABLATIONS,
  type Curve,
  type Edit,
  type Gap,
  type MeasureName,
  MEASURES,
  type Note,
  RANKINGS,
  type Scoreboard,
  type SeedBand,
  type SubjectRow,
} from "./scoreboard.ts";
import { ladderTo, PRECISION_BITS } from "./size.ts";
import { componentsOf, type Subject } from "./subject.ts";
import { NATURAL, NOTHING, Trial } from "./trial.ts";

const LISTENERS: Readonly<Record<MeasureName, (hearing: Hearing) => Promise<Heard>>> = {
  sufficiency,
  necessity,
  robustness,
  remainder,
  monotonicity,
  edits,
};

/** The network that is judged about. */
export interface Case {
  readonly title: string;
  /** Of its weights. */
  readonly digest: string;
  readonly source: DataSource;
  readonly known?: KnownMechanisms | undefined;
}

export interface RefereeOptions extends CompileOptions {
  readonly seed?: number;
  /** How many; as many as about 4,096 rows have unless given, at least 32. */
  readonly prompts?: number;
  readonly measures?: readonly MeasureName[];
  readonly ablations?: readonly AblationKind[];
  /** The half width of intervals that is asked for, of normalised scores; 0.05 unless given. */
  readonly precision?: number;
  /** Where all are compared at one size; the lower median of the methods' own unless given. */
  readonly matchedSize?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, all: number, what: string) => void;
}

const ROWS = 2 ** 12;
const MOST_PROMPTS = 2 ** 11;
const FEWEST = 32;
/** About how many numbers a program may hold: a quarter of what a verdict's may, because a backward pass holds what the forward pass made. */
const NUMBERS = 2 ** 23;
const PRECISION = 0.05;
/** Which permutation and which random basis: controls are subjects, the same for every evaluation. */
const CONTROLS_KEY = foldIn(keyFromSeed(0), "referee");
/** The least size at which subjects are matched. */
const LEAST_MATCHED = 1 / 4;

interface Seat {
  readonly subject: Subject;
  readonly trial: Trial;
  readonly natural: number;
  readonly size: number;
  /** On each prompt. */
  readonly sizes: Float64Array;
  readonly bits: number;
  readonly coverage: number;
}

/**
 * Judges methods and their controls.
 *
 * @param methods decompositions of one network
 * @throws `Refused` where they are of different networks, or the network says the same to every input
 */
export async function referee(
  methods: readonly Subject[],
  { title, digest, source, known = {} }: Case,
  options: RefereeOptions = {},
): Promise<Scoreboard> {
  const began = performance.now();
  const { seed = 0, measures = MEASURES, ablations = ABLATIONS, precision = PRECISION, signal, onProgress } = options;
  const [{ decomposition: first }] = methods as readonly [Subject];
  expectOneNetwork(methods);
  const weights = Object.fromEntries(first.network.weights.map(({ name }) => [name, first.values[name]!]));
  const size = Math.min(...methods.map(({ decomposition }) => batchSize(decomposition, source, NUMBERS)));
  const prompts = options.prompts ?? promptsFor(methods, source);
  const probe = await ProbeSet.open(first.network, weights, source, { prompts, size }, { ...options, seed });
  const board = new Board(probe, foldIn(keyFromSeed(seed), "referee"));
  try {
    const chance = await probe.chance();
    const chanceMean = meanOfNumbers(chance);
    const seats: Seat[] = [];
    for (const method of methods) {
      onProgress?.(0, 1, `${method.name}: sizes`);
      const seat = await board.attempt(method.name, () => board.seat(method, chanceMean));
      if (seat !== undefined) seats.push(seat);
    }
    if (seats.length === 0)
      throw new MechanistError(
        "Refused",
        `referee: expected a subject that can be judged, got none: ${board.gaps[0]!.why}`,
      );
    const matchedSize = options.matchedSize ?? matchedOf(seats);
    for (const control of await board.controls(seats, weights, known)) {
      onProgress?.(0, 1, `${control.name}: sizes`);
      const of = seats.find(({ subject }) => subject === control.of);
      const seat = await board.attempt(control.name, () => board.seat(control, chanceMean, of));
      if (seat !== undefined) seats.push(seat);
    }
    const most = {
      units: Math.max(...seats.map(({ trial }) => trial.units)),
      bits: Math.max(...seats.map(({ trial }) => trial.allBits)),
    };
    const ladder = ladderTo(most.units);
    let done = 0;
    for (const seat of seats) {
      const { subject, trial, natural } = seat;
      const { control } = subject;
      const hearing: Hearing = {
        ...{ trial, chance, ladder, most, matchedSize, natural, ablations },
        ...(subject.byDamage && { naturalSizes: seats.find((one) => one.subject === subject.of)!.sizes }),
        ...((control === undefined || control === "oracle") && { gradient: byGradient(trial) }),
        ...(control === "permuted" && { gradient: byPermutedGradient(trial, CONTROLS_KEY) }),
      };
      const start = performance.now();
      let [executed, skipped] = [0, 0];
      for (const measure of measures) {
        signal?.throwIfAborted();
        onProgress?.(done++, seats.length * measures.length, `${subject.name}: ${measure}`);
        const heard = await board.attempt(`${subject.name}: ${measure}`, () => LISTENERS[measure](hearing));
        if (heard === undefined) skipped++;
        else {
          executed++;
          board.add(seat, heard);
        }
      }
      const found = knownScores(subject, known);
      const parts = known.circuit && (await circuitScores(trial, known.circuit, natural));
      if (found !== undefined || parts !== undefined)
        board.known.push({ subject: subject.name, ...found, ...(parts && { circuit: parts }) });
      board.rows.push(rowOf(seat, (performance.now() - start) / 1000, executed, skipped));
      await trial.dispose();
    }
    const { results, seeds } = board.compared(precision);
    return {
      schema: 1,
      network: { title, digest, unit: first.network.logits === undefined ? "squared error" : "nats" },
      protocol: {
        ...{
          seed,
          prompts: probe.prompts,
          rows: probe.prompts * seats[0]!.trial.rowsEach,
          referencePrompts: probe.prompts,
        },
        ...{ ablations, rankings: RANKINGS, measures, ladder, matchedSize, precisionBits: PRECISION_BITS },
        ...{ chance: chanceMean, wantedPrecision: precision, resamples: RESAMPLES },
      },
      subjects: board.rows,
      measures: results,
      curves: board.curves,
      known: board.known,
      seeds,
      edits: board.edits,
      notes: board.notes,
      gaps: board.gaps,
      seconds: (performance.now() - began) / 1000,
    };
  } finally {
    await board.dispose();
    await probe.dispose();
  }
}

/** Everything that is heard, as it comes in. */
class Board {
  readonly rows: SubjectRow[] = [];
  readonly curves: Curve[] = [];
  readonly edits: Edit[] = [];
  readonly notes: Note[] = [];
  readonly gaps: Gap[] = [];
  readonly known: Scoreboard["known"][number][] = [];
  readonly key: readonly [number, number];
  readonly #probe: ProbeSet;
  readonly #scales = new Map<Subject["decomposition"], Scales>();
  readonly #trials: Trial[] = [];
  readonly #entries = new Map<string, Entry[]>();

  constructor(probe: ProbeSet, key: readonly [number, number]) {
    this.#probe = probe;
    this.key = key;
  }

  /** Does something that may not be possible; then the gap is kept, in one line. */
  async attempt<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof MechanistError) || error.code === "Cancelled" || error.code === "Internal") throw error;
      const { message } = error;
      this.gaps.push({ what, why: message.startsWith(`${what}: `) ? message.slice(what.length + 2) : message });
      return undefined;
    }
  }

  /** A subject ready to be asked, with its size and coverage. */
  async seat(subject: Subject, chance: number, of?: Seat): Promise<Seat> {
    const own = componentsOf(subject);
    // What is random is in no unit.
    const scales = subject.control === "random" ? {} : (this.#scales.get(own) ?? (await siteScales(own, this.#probe)));
    if (subject.control !== "random") this.#scales.set(own, scales);
    const trial = new Trial(subject, this.#probe, scales, subject.byDamage ? byDamage : undefined);
    this.#trials.push(trial);
    const natural = subject.byDamage ? (await trial.thresholds([of!.size]))[0]! : NATURAL;
    const [active, nothing] = await trial.ask([{ threshold: natural }, { threshold: NOTHING }]);
    const zero = meanOfNumbers(nothing!.divergence);
    const { size, sizes, bits } = active!;
    return { subject, trial, natural, size, sizes, bits, coverage: zero / chance };
  }

  /** All yardsticks that can be made. */
  async controls(seats: readonly Seat[], weights: NamedValues, known: KnownMechanisms): Promise<Subject[]> {
    const { network } = this.#probe;
    const made: (Subject | undefined)[] = [];
    const attempt = async (what: string, make: () => Subject): Promise<void> => {
      made.push(await this.attempt(what, async () => make()));
    };
    await attempt("oracle", () => oracleControl(knownDecomposition(network, weights, known)));
    const [oracle] = made;
    for (const subject of [...(oracle ? [oracle] : []), ...seats.map((seat) => seat.subject)]) {
      if (subject !== oracle) await attempt(`${subject.name} · oracle ranking`, () => damageControl(subject));
      await attempt(`${subject.name} · random`, () => randomControl(subject));
      await attempt(`${subject.name} · permuted`, () => permutedControl(subject, CONTROLS_KEY));
    }
    const places = new Map(
      seats.map(({ subject }) => [subject.decomposition.sites.map(({ name }) => name).join(), subject]),
    );
    for (const [sites, subject] of places)
      await attempt(`random directions, ${sites}`, () => randomDirectionsControl(subject.decomposition, CONTROLS_KEY));
    return made.filter((one) => one !== undefined);
  }

  add({ subject, coverage }: Seat, { found, curves = [], notes = [], edits = [] }: Heard): void {
    for (const one of found) {
      const entries = this.#entries.get(one.id) ?? [];
      this.#entries.set(one.id, [...entries, { subject, coverage, found: one }]);
    }
    this.curves.push(...curves);
    this.notes.push(...notes);
    this.edits.push(...edits);
  }

  compared(precision: number): { readonly results: Scoreboard["measures"]; readonly seeds: readonly SeedBand[] } {
    const comparisons = new Comparisons(foldIn(this.key, "bootstrap"), precision);
    const all = [...this.#entries.values()].map((entries) => comparisons.compare(entries));
    return { results: all.map(({ result }) => result), seeds: all.flatMap(({ seeds }) => seeds) };
  }

  async dispose(): Promise<void> {
    for (const trial of this.#trials) await trial.dispose();
  }
}

function rowOf(
  { subject, trial, size, bits, coverage }: Seat,
  seconds: number,
  executed: number,
  skipped: number,
): SubjectRow {
  const { name, control, of, method, seed, digest, cost, decomposition } = subject;
  const granularity = decomposition.sites.map((site) => {
    const own = decomposition.components.filter((component) => component.site === site.name);
    return { site: site.name, components: own.length, rank: own[0]?.rank ?? 0 };
  });
  return {
    name,
    ...(control && { control }),
    ...(of && { of: of.name }),
    ...(method !== undefined && { method }),
    ...(seed !== undefined && { seed }),
    ...(digest !== undefined && { digest }),
    ...(cost && { cost }),
    measure: decomposition.measure,
    granularity,
    components: decomposition.components.length,
    units: trial.units,
    ...{ size, bits, coverage, seconds, executed, skipped },
  };
}

/** The lower median of the sizes of methods that call less than half of all active, and if there is none, of all: most are near their own. */
function matchedOf(seats: readonly Seat[]): number {
  const sparse = seats.filter(({ size, trial }) => size < trial.units / 2);
  const sizes = (sparse.length > 0 ? sparse : seats).map(({ size }) => size).sort((a, b) => a - b);
  return Math.max(LEAST_MATCHED, sizes[Math.floor((sizes.length - 1) / 2)]!);
}

function promptsFor(
  [{ decomposition }]: readonly [Subject, ...Subject[]] | readonly Subject[],
  source: DataSource,
): number {
  const rows = Object.values(decomposition.activity(source.batch(1))).map(({ shape }) => shape[1]!);
  return Math.max(FEWEST, Math.min(MOST_PROMPTS, Math.floor(ROWS / Math.max(...rows))));
}

function expectOneNetwork(methods: readonly Subject[]): void {
  const [first, ...rest] = methods as readonly [Subject, ...Subject[]];
  for (const other of rest) {
    const same = first.decomposition.network.weights.every(({ name }) => {
      const [a, b] = [first.decomposition.values[name], other.decomposition.values[name]];
      return a?.data.length === b?.data.length && a?.data.every((x, i) => x === b!.data[i]);
    });
    if (!same)
      throw new MechanistError(
        "Refused",
        `referee: expected decompositions of one network, got ${first.name} and ${other.name} of two`,
      );
  }
}
