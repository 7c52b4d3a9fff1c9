/** Ablation: parts of a network put out of action, one variant after the other, and what that does to its output. */
import type { RunnableNetwork } from "../network/run.ts";
import type { Key } from "../tensor/index.ts";
import type { WorkOptions } from "./capture.ts";
import { effectsOf } from "./effects.ts";
import type { Examples } from "./examples.ts";
import type { Metric } from "./metrics.ts";
import type { Variant } from "./selection.ts";
import { meanOf, noiseLike, resampleFrom, type Source, zeros } from "./sources.ts";
import type { EffectTable } from "./table.ts";

/** What is put in the place of what is taken away; the table of results says it again. */
export type Ablation =
  | { readonly kind: "zero" }
  /** Means over `rows`, at each position, or over positions too. */
  | { readonly kind: "mean"; readonly reference: Examples; readonly over?: "rows" | "rows and positions" }
  | { readonly kind: "resample"; readonly reference: Examples; readonly key: Key }
  /** `scale` in standard deviations of the value over the reference. */
  | { readonly kind: "noise"; readonly reference: Examples; readonly scale: number; readonly key: Key };

/** What every intervention is asked with. */
export interface Question extends WorkOptions {
  readonly metric: Metric;
  /** Where the draws of intervals come from. */
  readonly key?: Key;
}

/**
 * Ablates each variant on every example.
 *
 * @throws `Refused` where a mean would be taken from the evaluated rows themselves
 */
export async function ablate(
  runnable: RunnableNetwork,
  base: Examples,
  {
    variants,
    ablation,
    metric,
    key,
    ...options
  }: Question & { readonly variants: readonly Variant[]; readonly ablation: Ablation },
): Promise<EffectTable> {
  const source = sourceOf(ablation, base);
  return effectsOf(runnable, { base, variants, source, metric, key }, options);
}

/** Where an ablation's stand-ins come from. */
export function sourceOf(ablation: Ablation, base: Examples): Source {
  switch (ablation.kind) {
    case "zero":
      return zeros();
    case "mean":
      return meanOf(ablation.reference, ablation.over);
    case "resample":
      return resampleFrom(ablation.reference, base, ablation.key);
    case "noise":
      return noiseLike(ablation.reference, ablation.scale, ablation.key);
  }
}
