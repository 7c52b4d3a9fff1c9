/**
 * Looking after a decomposition while it is made: what its checkpoints and its metrics tell of troubles, long before the judge has its say. A look
 * takes one small batch of fresh data; nothing is added to the steps themselves.
 *
 * What is no trouble at first may be one later. Before the pressure on importances has come up every component is on; before a quarter of the run
 * is over nothing has settled.
 */
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import { divergence } from "../decomposition/parameter/losses/reconstruction.ts";
import { subcomponentsOf, weightDelta } from "../decomposition/parameter/subcomponents.ts";
import { compile, type CompileOptions, type Executable, itemOf, type NamedValues } from "../engine/index.ts";
import { div, foldIn, keyFromSeed, square, sum, type Tensor } from "../tensor/index.ts";
import type { Checkpoint, MetricsRow } from "../training/loop.ts";
import { weightsIn } from "../training/optimise.ts";
import { targetNamed } from "../training/targets.ts";
import { batchSize } from "./fresh-data.ts";
import { ImportanceCounts } from "./importance-counts.ts";
import { judgeMechanisms } from "./mechanisms.ts";
import { maskedBy } from "./regimes.ts";
import {
  isTargeted,
  ofAPart,
  type SiteSymptoms,
  type SymptomsAtStep,
  type Warning,
  type WarningName,
  warningsOf,
} from "./warnings.ts";

/** A look may hold about so many numbers at once: 16 MB. */
const NUMBERS = 2 ** 22;
const MOST_EXAMPLES = 512;
/** Fractions of a run: from where on anything is settled, and from where on everything is. */
const [SETTLING, SETTLED, LATE] = [0.25, 0.5, 0.75];
/** So much of a run after the pressure is whole, components have had time to leave. */
const TIME_TO_LEAVE = 0.15;
/** Known mechanisms of more inputs than this take too long to look at. */
const MOST_INPUTS = 128;
/** A run of fewer steps has no course to speak of. */
const SHORTEST = 250;
/** Over how many recorded steps losses are averaged. */
const RECENT = 10;

/** Troubles that are troubles however far the run is. */
const EARLY: readonly WarningName[] = ["negative masks", "too few components"];
/** Those that are such once the run has begun to settle. */
const SOON: readonly WarningName[] = [
  ...EARLY,
  "dead site",
  "importance collapse",
  "weak adversary",
  "importance divergence",
];

/** The settings that say what may be expected when; a method without them is not watched. */
interface Expected {
  readonly steps: number;
  readonly faithfulness: number;
  readonly importanceRise: number;
  readonly penalty: string;
  readonly pStart: number;
  readonly pEnd: number;
}

type Measured = Readonly<Record<string, Tensor>>;

/** Watches over one decomposition. */
export class Watch {
  readonly #document: DecomposeDocument;
  readonly #weights: NamedValues;
  readonly #options: CompileOptions;
  readonly #expected: Expected;
  readonly #rows: MetricsRow[] = [];
  readonly #l0: SymptomsAtStep[] = [];
  #program: { readonly run: Executable<Measured>; readonly tables: NamedValues } | undefined;

  private constructor(document: DecomposeDocument, weights: NamedValues, options: CompileOptions) {
    this.#document = document;
    this.#weights = weights;
    this.#options = options;
    this.#expected = document.settings as unknown as Expected;
  }

  /** Nothing for a method without importance minimality, or a run that is too short to have a course. */
  static over(document: DecomposeDocument, weights: NamedValues, options: CompileOptions = {}): Watch | undefined {
    const watched = "importanceMinimality" in document.settings && document.settings.steps >= SHORTEST;
    return watched ? new Watch(document, weights, options) : undefined;
  }

  /** Takes note of a recorded step. */
  note(row: MetricsRow): void {
    if (row.stage === "decompose") this.#rows.push(row);
  }

  /** What a checkpoint gives cause to warn of. */
  async look({ step, tensors }: Checkpoint): Promise<Warning[]> {
    const progress = step / this.#expected.steps;
    const decomposition = methodNamed(this.#document.method).open(this.#document, this.#weights, weightsIn(tensors));
    const { sites, stochastic, zero } = await this.#measure(decomposition);
    if (progress >= SETTLING) {
      const l0 = Object.values(sites).reduce((total, site) => total + (site.l0 ?? 0), 0);
      this.#l0.push({ step, l0 });
    }
    const all = [
      ...warningsOf({ stochastic, zero, sites, history: [...this.#trends(), ...this.#l0] }),
      ...warningsOf({ ...this.#losses(), zero }),
      ...(progress >= LATE ? this.#shrinkage(decomposition) : []),
    ];
    const found = isTargeted(this.#document.settings) ? ofAPart(all) : all;
    const settled = Math.max(SETTLED, Math.min(0.95, this.#expected.importanceRise + TIME_TO_LEAVE));
    return found.filter(({ name }) => {
      if (progress < SETTLING) return EARLY.includes(name);
      return progress >= settled || SOON.includes(name);
    });
  }

  async dispose(): Promise<void> {
    await this.#program?.run.dispose();
  }

  /** Importances are counted, and masked runs compared, on one batch. */
  async #measure(
    decomposition: Opened,
  ): Promise<{ sites: Record<string, SiteSymptoms>; stochastic: number; zero: number }> {
    this.#program ??= await this.#compiled(decomposition);
    const { run, tables } = this.#program;
    const key = foldIn(keyFromSeed(0), "watch");
    const found: NamedValues = await run.run({ ...decomposition.values, ...tables }, key);
    const counts = new ImportanceCounts();
    counts.add(Object.fromEntries(decomposition.sites.map(({ name }) => [name, found[`g/${name}`]!])));
    // Where the remainder is free nothing asks components to add up.
    const free = this.#expected.faithfulness === 0;
    const sites = decomposition.sites.map(({ name, dIn, dOut }): [string, SiteSymptoms] => {
      const { l0, ...counted } = counts.counts()[name]!;
      const rank = Math.min(dIn, dOut);
      const components = found[`g/${name}`]!.shape[0]!;
      const relativeFaithfulness = itemOf(found[`faithfulness/${name}`]!);
      return [
        name,
        {
          ...counted,
          ...{ l0: l0.above0, rank, components: free ? Math.max(rank, components) : components },
          ...(!free && { relativeFaithfulness }),
        },
      ];
    });
    return {
      sites: Object.fromEntries(sites),
      stochastic: itemOf(found.stochastic!),
      zero: itemOf(found.zero!),
    };
  }

  async #compiled(decomposition: Opened): Promise<{ run: Executable<Measured>; tables: NamedValues }> {
    const { target: name, settings } = this.#document.target;
    const target = targetNamed(name);
    const batch = (size: number): Tensor => target.batch("data", settings, size);
    const { network, tensors, sites } = decomposition;
    const x = batch(Math.min(MOST_EXAMPLES, batchSize(decomposition, { batch }, NUMBERS)));
    const output = network.forward(tensors, x);
    const given = { x, output, importances: decomposition.activity(x) };
    const error = (regime: "stochastic" | "zero"): Tensor =>
      divergence(network, maskedBy(decomposition, regime, given), output);
    const outputs: Record<string, Tensor> = { stochastic: error("stochastic"), zero: error("zero") };
    for (const site of sites) {
      const W = network.matrix(tensors, site.name);
      outputs[`g/${site.name}`] = given.importances[site.name]!;
      outputs[`faithfulness/${site.name}`] = div(
        sum(square(weightDelta(W, subcomponentsOf(tensors, site)))),
        sum(square(W)),
      );
    }
    const run = await compile(outputs, this.#options);
    return { run, tables: (await target.tables?.(settings)) ?? {} };
  }

  /** Faithfulness and importance minimality as they went, from where they are expected to stay. */
  #trends(): SymptomsAtStep[] {
    const { steps, penalty, pStart, pEnd } = this.#expected;
    // Where what an importance costs changes in the course of a run, its sum tells nothing.
    const steady = penalty === "power" && pStart === pEnd;
    return this.#rows
      .filter(({ step }) => step >= SETTLING * steps)
      .map(({ step, faithfulness, importanceMinimality }) => ({
        step,
        ...(typeof faithfulness === "number" && this.#expected.faithfulness > 0 && { faithfulness }),
        ...(typeof importanceMinimality === "number" && steady && { importanceMinimality }),
      }));
  }

  /** What random masks cost in the last steps, and what the adversary's did. */
  #losses(): { stochastic?: number; adversarial?: number } {
    const recent = this.#rows.slice(-RECENT);
    const mean = (...names: readonly string[]): number | undefined => {
      const name = names.find((n) => typeof recent.at(-1)?.[n] === "number");
      return name === undefined
        ? undefined
        : recent.reduce((total, row) => total + Number(row[name]), 0) / recent.length;
    };
    const stochastic = mean("stochasticRecon", "subsetRecon");
    const adversarial = mean("persistentRecon", "adversarialRecon");
    if (stochastic === undefined || adversarial === undefined) return {};
    return { stochastic, adversarial };
  }

  #shrinkage(decomposition: Opened): Warning[] {
    const { target, settings } = this.#document.target;
    const patterns = targetNamed(target).known?.(settings)?.patterns;
    if (patterns === undefined || patterns.inputs > MOST_INPUTS) return [];
    const { ml2r } = judgeMechanisms(decomposition, patterns);
    return ml2r === undefined ? [] : warningsOf({ ml2r });
  }
}

type Opened = ReturnType<ReturnType<typeof methodNamed>["open"]>;
