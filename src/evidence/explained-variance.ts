/**
 * How much of the variance at a hook point components explain when all of them are whole and nothing else is there:
 *
 *   1 - Σ_x ‖v(x) - v̂(x)‖² / Σ_x ‖v(x) - v̄‖²
 *
 * over rows x (examples and positions) and all dimensions, v̄ the mean of the same rows. Predicting v̄ scores exactly 0, and worse is below 0; a
 * mean of quotients over dimensions or over rows, which some tools print under this name, is another number. The activations are those of a run
 * on the network's own weights.
 *
 * It says how well values are copied, and nothing of what the network does with them: a small part of the variance may carry all of the effect.
 */
import { compile } from "../engine/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { FreshData } from "./fresh-data.ts";

/** At each hook point that is written; empty where components are parts of weights. */
export type ExplainedVariance = Readonly<Record<string, number>>;

/** Measures it on batches nobody trained on. */
export async function explainedVariance(data: FreshData): Promise<ExplainedVariance> {
  const { decomposition, given, options } = data;
  const points = decomposition.reconstructions?.(given.x) ?? {};
  const names = Object.keys(points);
  if (names.length === 0) return {};
  const outputs: Record<string, Tensor> = Object.fromEntries(
    names.flatMap((point) => [
      [`value/${point}`, points[point]!.value],
      [`made/${point}`, points[point]!.made],
    ]),
  );
  const totals = new Map(names.map((point) => [point, new Variance()]));
  const program = await compile(outputs, options);
  try {
    for (let i = 0; i < data.batches; i++) {
      const { feeds, key } = await data.draw(i);
      const found = await program.run(feeds, key);
      for (const [point, total] of totals) {
        const [value, made] = [found[`value/${point}`]!, found[`made/${point}`]!];
        total.add(value.data, made.data, value.shape[1]!);
      }
    }
  } finally {
    await program.dispose();
  }
  return Object.fromEntries(Array.from(totals, ([point, total]) => [point, total.explained]));
}

/** Sums over rows, of differences from the first row: squares of large values that hardly vary would swallow what varies. */
export class Variance {
  #rows = 0;
  #first: Float64Array | undefined;
  #sums: Float64Array | undefined;
  #squares = 0;
  #errors = 0;

  /**
   * @param values `rows d`
   * @param made   the same by components
   * @param d      how many numbers a row has
   */
  add(values: ArrayLike<number>, made: ArrayLike<number>, d: number): void {
    this.#first ??= Float64Array.from({ length: d }, (_, j) => values[j]!);
    this.#sums ??= new Float64Array(d);
    for (let i = 0; i < values.length; i++) {
      const j = i % d;
      const centred = values[i]! - this.#first[j]!;
      this.#sums[j]! += centred;
      this.#squares += centred * centred;
      this.#errors += (values[i]! - made[i]!) ** 2;
    }
    this.#rows += values.length / d;
  }

  /** NaN where nothing varies. */
  get explained(): number {
    const ofMean = (this.#sums ?? new Float64Array()).reduce((total, sum) => total + sum * sum, 0) / this.#rows;
    return 1 - this.#errors / (this.#squares - ofMean);
  }
}
