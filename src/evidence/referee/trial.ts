/**
 * One subject before the referee: the programs that mask it, compiled once and asked many questions. Which units are kept is decided within the program,
 * by scores that are its inputs and a threshold that is one as well; so one program answers for every size, for what is kept and for what is removed.
 */
import type { Carried, Masks } from "../../decomposition/decomposition.ts";
import { compile, type Executable, type NamedValues, scalarValue, type Values } from "../../engine/index.ts";
import { meanOfNumbers } from "../../intervention/bootstrap.ts";
import {
  add,
  axisSize,
  cast,
  constant,
  greater,
  input,
  mean,
  mul,
  sizesOf,
  sub,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import { promptDivergence } from "./divergence.ts";
import type { ProbeSet } from "./probe-set.ts";
import { ownScores, type Scales } from "./ranking.ts";
import type { AblationKind } from "./scoreboard.ts";
import { indexBits, PRECISION_BITS } from "./size.ts";
import type { Subject } from "./subject.ts";

/** Numbers by which units are put in order: `score/<site>`, `C batch`. */
export interface Ranker {
  scores(batch: number): Promise<NamedValues>;
}

/** Units are kept where their score is above the threshold. */
export interface Question {
  readonly threshold: number;
  /** Whether those are removed, and all others kept. */
  readonly flipped?: boolean;
  /** Whether what components leave over stays. */
  readonly remainder?: boolean;
  /** What stands in for what is removed; nothing unless given. */
  readonly ablation?: AblationKind;
}

export interface Answer {
  /** One a prompt. */
  readonly divergence: Float64Array;
  /** Units a row above the threshold, mean over the rows of each prompt, and what saying which ones costs in bits. */
  readonly sizes: Float64Array;
  readonly costs: Float64Array;
  /** Their means over prompts. */
  readonly size: number;
  readonly bits: number;
}

/** Thresholds that keep everything, and nothing. */
export const EVERYTHING = -3e38;
export const NOTHING = 3e38;
/** The threshold of what the method itself calls active. */
export const NATURAL = 0;

const scoreName = (site: string): string => `score/${site}`;
const insteadName = (site: string): string => `instead/${site}`;
/** Scores that are kept rather than made again, in numbers. */
const KEPT = 2 ** 25;
/** Of more scores than these a threshold is taken from a sample. */
const SAMPLED = 2 ** 23;

type Program = Readonly<Record<string, Tensor>>;

export class Trial {
  readonly subject: Subject;
  readonly probe: ProbeSet;
  /** Scores as inputs of a program, and masks that keep what is above the threshold. */
  readonly scores: Masks;
  readonly keep: Masks;
  /** Rows of each site in a batch. */
  readonly rows: Readonly<Record<string, number>>;
  /** By what the subject itself puts its units in order. */
  readonly own: Ranker;
  readonly #programs = new Map<string, Promise<Executable<Program>>>();
  readonly #known = new Map<Ranker, Float32Array>();
  #means: NamedValues | undefined;

  constructor(subject: Subject, probe: ProbeSet, scales: Scales, own?: (trial: Trial) => Ranker) {
    this.subject = subject;
    this.probe = probe;
    const traced = ownScores(subject.decomposition, probe.x, scales);
    const each = <T>(f: (score: Tensor<"C batch">, site: string) => T): Record<string, T> =>
      Object.fromEntries(Object.entries(traced).map(([site, score]) => [site, f(score, site)]));
    this.scores = each((score, site) => {
      const sizes = { C: axisSize(score, "C"), batch: axisSize(score, "batch") };
      return input(scoreName(site), "C batch", sizes);
    });
    this.rows = each((score) => axisSize(score, "batch"));
    const threshold = input("threshold", "", {});
    this.keep = each((_, site) => cast(greater(this.scores[site]!, threshold), "f32") as Tensor<"C batch">);
    const named = Object.fromEntries(Object.entries(traced).map(([site, score]) => [scoreName(site), score]));
    this.own =
      own?.(this) ??
      this.remembering(async (batch) => {
        const program = await this.program("own scores", () => named);
        const { feeds, key } = await this.fed(batch);
        return program.run(feeds, key);
      });
  }

  /** Units a row, all of them; rows are those of the site that has most. */
  get units(): number {
    const most = Math.max(...Object.values(this.rows));
    return Object.values(this.scores).reduce((total, s) => total + axisSize(s, "C") * axisSize(s, "batch"), 0) / most;
  }

  /** Bits a row of saying that all are active. */
  get allBits(): number {
    const groups = [...new Set(Object.values(this.rows))];
    const bits = groups.map((rows) => {
      const all = indexBits(this.#countOf(rows)).at(-1)! + PRECISION_BITS * this.#numbersOf(rows);
      return (all * rows) / (this.probe.size * this.rowsEach);
    });
    return bits.reduce((a, b) => a + b, 0);
  }

  /** Rows that a prompt has. */
  get rowsEach(): number {
    return Math.max(...Object.values(this.rows)) / this.probe.size;
  }

  /** A program by name, compiled when it is first asked for. */
  program<P extends Program>(name: string, make: () => P): Promise<Executable<P>> {
    let made = this.#programs.get(name);
    if (made === undefined) {
      made = compile<Program>(make(), this.probe.options);
      this.#programs.set(name, made);
    }
    return made as unknown as Promise<Executable<P>>;
  }

  /** What every program of a batch is fed: numbers of network, components and prompts, without scores. */
  async fed(batch: number): Promise<{ readonly feeds: NamedValues; readonly key: readonly [number, number] }> {
    const { feeds, key } = await this.probe.batch(batch);
    return { feeds: { ...this.subject.decomposition.values, ...feeds }, key };
  }

  /** A ranker that keeps its scores where they are not too many. */
  remembering(make: (batch: number) => Promise<NamedValues>): Ranker {
    const kept = new Map<number, NamedValues>();
    const small = 2 * this.units * this.rowsEach * this.probe.prompts <= KEPT;
    return {
      scores: async (batch) => {
        const known = kept.get(batch);
        if (known !== undefined) return known;
        const made = await make(batch);
        const own = Object.fromEntries(
          Object.keys(this.scores).map((site) => [scoreName(site), made[scoreName(site)]!]),
        );
        if (small) kept.set(batch, own);
        return own;
      },
    };
  }

  /**
   * For each size the threshold above which there are so many units a row of reference data, or fewer where scores are equal. Not of the prompts: their
   * size is then a number that is measured, with a spread that is known.
   */
  async thresholds(sizes: readonly number[], ranker: Ranker = this.own): Promise<number[]> {
    const sorted = await this.#sorted(ranker);
    return sizes.map((size) => {
      if (size <= 0) return NOTHING;
      const place = Math.round((size / this.units) * sorted.length);
      return place >= sorted.length ? EVERYTHING : sorted[sorted.length - 1 - place]!;
    });
  }

  /** Units a row above a threshold, by the subject's own order: mean over the rows of each prompt. */
  async sizes(threshold: number): Promise<Float64Array> {
    const { probe } = this;
    const found = new Float64Array(probe.prompts);
    for (let i = 0; i < probe.batches; i++) {
      for (const { data, shape } of Object.values(await this.own.scores(i))) {
        const rows = shape[1]!;
        data.forEach((score, k) => {
          if (score > threshold)
            found[i * probe.size + Math.floor(((k % rows) * probe.size) / rows)]! += 1 / this.rowsEach;
        });
      }
    }
    return found;
  }

  /** Asks all questions of all prompts, batch by batch. */
  async ask(questions: readonly Question[], ranker: Ranker = this.own): Promise<Answer[]> {
    const { probe } = this;
    const groups = [...new Set(Object.values(this.rows))];
    const tables = groups.map((rows) => indexBits(this.#countOf(rows)));
    const numbers = (): Float64Array => new Float64Array(probe.prompts);
    const answers = questions.map(() => ({ divergence: numbers(), sizes: numbers(), costs: numbers() }));
    for (let i = 0; i < probe.batches; i++) {
      const { feeds, key } = await this.fed(i);
      const scores = await ranker.scores(i);
      const instead = await this.#instead(i, questions);
      for (const [q, { threshold, flipped, remainder, ablation = "zero" }] of questions.entries()) {
        probe.options.signal?.throwIfAborted();
        const program = await this.program(`kept ${ablation === "zero"}`, () => this.#masking(ablation));
        const found = await program.run(
          {
            ...{ ...feeds, ...scores, ...instead[ablation] },
            threshold: scalarValue(threshold),
            flipped: scalarValue(Number(flipped ?? false)),
            remainder: scalarValue(Number(remainder ?? false)),
          },
          key,
        );
        const answer = answers[q]!;
        answer.divergence.set(found.divergence!.data, i * probe.size);
        groups.forEach((rows, g) => {
          const numbers = found[`numbers/${rows}`]!.data;
          found[`count/${rows}`]!.data.forEach((k, row) => {
            const prompt = i * probe.size + Math.floor((row * probe.size) / rows);
            answer.sizes[prompt]! += k / this.rowsEach;
            answer.costs[prompt]! += (tables[g]![k]! + PRECISION_BITS * numbers[row]!) / this.rowsEach;
          });
        });
      }
    }
    return answers.map((answer) => ({
      ...answer,
      size: meanOfNumbers(answer.sizes),
      bits: meanOfNumbers(answer.costs),
    }));
  }

  async dispose(): Promise<void> {
    for (const program of this.#programs.values()) await (await program).dispose();
    this.#programs.clear();
    this.#known.clear();
  }

  /** Components of the sites that have so many rows. */
  #countOf(rows: number): number {
    const sites = Object.keys(this.rows).filter((site) => this.rows[site] === rows);
    return sites.reduce((sum, site) => sum + axisSize(this.scores[site]!, "C"), 0);
  }

  /** The numbers that tell how strong those components are, all of them. */
  #numbersOf(rows: number): number {
    const sites = Object.keys(this.rows).filter((site) => this.rows[site] === rows);
    return sites.reduce((sum, site) => sum + this.#ranksAt(site).reduce((a, b) => a + b, 0), 0);
  }

  #ranksAt(site: string): number[] {
    return this.subject.decomposition.components.flatMap((one) => (one.site === site ? [one.rank] : []));
  }

  #masking(ablation: AblationKind): Program {
    const { decomposition } = this.subject;
    const { x, output, network } = this.probe;
    const [flipped, rest] = [input("flipped", "", {}), input("remainder", "", {})];
    const sites = Object.keys(this.keep);
    // Keeps what is above the threshold, or all else.
    const masks = Object.fromEntries(
      sites.map((site) => [site, add(flipped, mul(this.keep[site]!, sub(1, mul(flipped, 2)))) as Tensor<"C batch">]),
    );
    const remainder = Object.fromEntries(decomposition.sites.map(({ name }) => [name, rest]));
    const instead = ablation === "zero" ? {} : { instead: this.#insteadInputs() };
    const said = decomposition.masked(x, masks, { remainder, ...instead });
    const groups = [...new Set(Object.values(this.rows))];
    const total = (parts: readonly Tensor[]): Tensor => parts.reduce((a, b) => add(a, b) as Tensor);
    const counts = groups.flatMap((rows): [string, Tensor][] => {
      const own = sites.filter((site) => this.rows[site] === rows);
      const numbers = own.map((site) => {
        const ranks = this.#ranksAt(site);
        return sum(mul(this.keep[site]!, constant("C", { C: ranks.length }, ranks)), "C");
      });
      return [
        [`count/${rows}`, total(own.map((site) => sum(this.keep[site]!, "C")))],
        [`numbers/${rows}`, total(numbers)],
      ];
    });
    return { divergence: promptDivergence(network, said, output), ...Object.fromEntries(counts) };
  }

  #insteadInputs(): Carried {
    const carried = this.subject.decomposition.carried(this.probe.x);
    return Object.fromEntries(
      Object.entries(carried).map(([site, z]) => [site, input(insteadName(site), z.axes, sizesOf(z))]),
    );
  }

  /** What stands in for what is removed, by ablation: a mean over reference data, or one other example at the same position. */
  async #instead(batch: number, questions: readonly Question[]): Promise<Record<AblationKind, NamedValues>> {
    const wanted = new Set(questions.map(({ ablation }) => ablation));
    const none = {};
    return {
      zero: none,
      mean: wanted.has("mean") ? (this.#means ??= await this.#meanCarried()) : none,
      resample: wanted.has("resample") ? await this.#carriedOn(batch) : none,
    };
  }

  async #carriedOn(batch: number): Promise<NamedValues> {
    const carried = this.subject.decomposition.carried(this.probe.x);
    const program = await this.program("carried", () =>
      Object.fromEntries(Object.entries(carried).map(([site, z]) => [insteadName(site), z])),
    );
    return program.run({ ...this.subject.decomposition.values, ...this.probe.others(batch) }, this.probe.keyOf(batch));
  }

  async #meanCarried(): Promise<NamedValues> {
    const carried = this.subject.decomposition.carried(this.probe.x);
    const program = await this.program("mean carried", () =>
      Object.fromEntries(
        Object.entries(carried).map(([site, z]) => [insteadName(site), mean(z, "batch" as never) as Tensor]),
      ),
    );
    const totals: Record<string, Float64Array> = {};
    for (let i = 0; i < this.probe.batches; i++) {
      const feeds = { ...this.subject.decomposition.values, ...this.probe.reference(i) };
      const found: NamedValues = await program.run(feeds, this.probe.keyOf(i));
      for (const [name, { data }] of Object.entries(found)) {
        const total = (totals[name] ??= new Float64Array(data.length));
        data.forEach((value, k) => (total[k]! += value / this.probe.batches));
      }
    }
    // One program answers for means and for other examples: a mean is the same on every row.
    return Object.fromEntries(
      Object.entries(carried).map(([site, z]): [string, Values] => {
        const rows = axisSize(z, "batch");
        const average = totals[insteadName(site)]!;
        const data = new Float32Array(average.length * rows);
        average.forEach((value, k) => data.fill(value, k * rows, (k + 1) * rows));
        return [insteadName(site), { axes: z.axes, shape: z.shape, dtype: "f32", data }];
      }),
    );
  }

  async #sorted(ranker: Ranker): Promise<Float32Array> {
    const known = this.#known.get(ranker);
    if (known !== undefined) return known;
    const stride = Math.ceil((this.units * this.rowsEach * this.probe.prompts) / SAMPLED);
    const parts: Float32Array[] = [];
    const { batches } = this.probe;
    for (let i = batches; i < 2 * batches; i++) {
      for (const { data } of Object.values(await ranker.scores(i))) {
        parts.push(Float32Array.from({ length: Math.ceil(data.length / stride) }, (_, k) => data[k * stride]!));
      }
    }
    const sorted = new Float32Array(parts.reduce((n, part) => n + part.length, 0));
    let at = 0;
    for (const part of parts) {
      sorted.set(part, at);
      at += part.length;
    }
    sorted.sort();
    this.#known.set(ranker, sorted);
    return sorted;
  }
}
