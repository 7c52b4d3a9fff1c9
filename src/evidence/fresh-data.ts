/**
 * Fresh data that a decomposition is measured on: batches that nobody trained on, with what the network itself says to them and how much each
 * component matters there. Both are computed once a batch and given to every measure, which are programs of their own.
 */
import { type Decomposition, importancesOf, type Masks } from "../decomposition/decomposition.ts";
import { compile, type CompileOptions, type Executable, type NamedValues } from "../engine/index.ts";
import { axisSize, foldIn, input, type Key, keyFromSeed, sizeOf, sizesOf, type Tensor } from "../tensor/index.ts";

/** Where data comes from. */
export interface DataSource {
  /** A batch of so many examples, as a program of draws and of the tables. */
  readonly batch: (size: number) => Tensor;
  /** Tables that batches are drawn from. */
  readonly tables?: NamedValues;
}

export interface FreshDataOptions extends CompileOptions {
  readonly seed?: number;
  readonly signal?: AbortSignal;
}

/** A batch in a traced program, as inputs. */
export interface GivenBatch {
  readonly x: Tensor;
  /** What the network itself says. */
  readonly output: Tensor;
  readonly importances: Masks;
}

/** The numbers of a batch: what to feed to programs made with `FreshData.given`, and the key of their draws. */
export interface DrawnBatch {
  readonly feeds: NamedValues;
  /** `C batch` for each site. */
  readonly importances: NamedValues;
  readonly key: Key;
}

/** Examples a batch where memory allows it, and how many batches. */
const LARGEST = 2048;
const BATCHES = 4;
/** About how many numbers a program may hold at once: 128 MB. */
const NUMBERS = 2 ** 25;

/** Batches for one decomposition. */
export class FreshData {
  readonly batches = BATCHES;
  readonly given: GivenBatch;
  readonly decomposition: Decomposition;
  readonly options: FreshDataOptions;
  readonly #key: Key;
  readonly #tables: NamedValues;
  readonly #clean: Executable<Record<string, Tensor>>;
  readonly #drawn = new Map<number, DrawnBatch>();

  private constructor(
    decomposition: Decomposition,
    { tables = {} }: DataSource,
    given: GivenBatch,
    clean: Executable<Record<string, Tensor>>,
    options: FreshDataOptions,
  ) {
    this.decomposition = decomposition;
    this.given = given;
    this.options = options;
    this.#key = foldIn(keyFromSeed(options.seed ?? 0), "evaluation");
    this.#tables = tables;
    this.#clean = clean;
  }

  static async open(decomposition: Decomposition, source: DataSource, options: FreshDataOptions): Promise<FreshData> {
    const x = source.batch(batchSize(decomposition, source));
    const output = decomposition.network.forward(decomposition.tensors, x);
    const importances = importancesOf(decomposition, x);
    const given = {
      x: input("evaluation.x", x.axes, sizesOf(x), x.dtype),
      output: input("evaluation.output", output.axes, sizesOf(output)),
      importances: Object.fromEntries(
        Object.entries(importances).map(([site, g]) => [site, input(importance(site), "C batch", columns(g))]),
      ),
    };
    const named = Object.entries(importances).map(([site, g]) => [importance(site), g] as const);
    const program = { "evaluation.x": x, "evaluation.output": output, ...Object.fromEntries(named) };
    return new FreshData(decomposition, source, given, await compile(program, options), options);
  }

  /**
   * Batch number `index`, drawn once and kept.
   *
   * @throws the signal's reason when it has been aborted
   */
  async draw(index: number): Promise<DrawnBatch> {
    this.options.signal?.throwIfAborted();
    const known = this.#drawn.get(index);
    if (known !== undefined) return known;
    const { values, sites } = this.decomposition;
    const key = foldIn(this.#key, index);
    const found: NamedValues = await this.#clean.run({ ...values, ...this.#tables }, key);
    const importances = Object.fromEntries(sites.map(({ name }) => [name, found[importance(name)]!]));
    const drawn = { feeds: { ...values, ...found }, importances, key };
    this.#drawn.set(index, drawn);
    return drawn;
  }

  async dispose(): Promise<void> {
    this.#drawn.clear();
    await this.#clean.dispose();
  }
}

const importance = (site: string): string => `importance/${site}`;

/** The sizes of one site's importances. */
export function columns(g: Tensor<"C batch">): { readonly C: number; readonly batch: number } {
  return { C: axisSize(g, "C"), batch: axisSize(g, "batch") };
}

/** How many examples fit: outputs four times (logits, their logarithms, …), masks three times, activations once. */
export function batchSize(decomposition: Decomposition, { batch }: DataSource, numbers: number = NUMBERS): number {
  const { network, tensors, sites } = decomposition;
  const x = batch(1);
  const importances = decomposition.activity(x);
  const perSite = sites.map(({ name, dIn, dOut }) => {
    const { C, batch: rows } = columns(importances[name]!);
    return rows * (3 * C + dIn + dOut);
  });
  const perExample = perSite.reduce((a, b) => a + b, 4 * sizeOf(network.forward(tensors, x).shape));
  return Math.max(1, Math.min(LARGEST, Math.floor(numbers / perExample)));
}
