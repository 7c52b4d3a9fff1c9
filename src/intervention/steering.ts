/** Steering: a vector added to what passes through hook points, in several strengths (Turner et al. 2023; Zou et al. 2023). */
import type { Values } from "../engine/index.ts";
import type { RunnableNetwork } from "../network/run.ts";
import type { Question } from "./ablation.ts";
import { effectsOf } from "./effects.ts";
import type { Examples } from "./examples.ts";
import type { Variant } from "./selection.ts";
import { steering } from "./sources.ts";
import type { EffectRow, EffectTable } from "./table.ts";

export interface SteeringRow extends EffectRow {
  readonly coefficient: number;
}

/**
 * Adds a vector, each coefficient times, to the selected parts.
 *
 * @param vector with some of the points' axes: `d_model` for a residual stream, `head d_head` for a value of each head
 */
export async function steer(
  runnable: RunnableNetwork,
  base: Examples,
  {
    variant,
    vector,
    coefficients,
    metric,
    key,
    ...options
  }: Question & { readonly variant: Variant; readonly vector: Values; readonly coefficients: readonly number[] },
): Promise<EffectTable<SteeringRow>> {
  const tables: EffectTable<SteeringRow>[] = [];
  for (const coefficient of coefficients) {
    const source = steering(vector, coefficient);
    const table = await effectsOf(runnable, { base, variants: [variant], source, metric, key }, options);
    tables.push({ ...table, rows: table.rows.map((row) => ({ ...row, coefficient })) });
  }
  const rows = tables.flatMap((table) => table.rows);
  return { ...tables[0]!, description: `a vector added, ${coefficients.join(", ")} times`, rows };
}
