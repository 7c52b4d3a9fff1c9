/**
 * The one-hot probe: every feature on its own, at magnitude 0.75 unless said otherwise, and how much each component matters then (SPD repository).
 * What it does not show: importances on inputs with several active features.
 */
import type { Decomposition } from "../decomposition/decomposition.ts";
import { interpret, type Values, values } from "../engine/index.ts";
import { input, transpose } from "../tensor/index.ts";
import { PROBE_MAGNITUDE } from "../training/known-mechanisms.ts";

export { PROBE_MAGNITUDE };

/** One-hot inputs, `batch feature`. */
export function probeInputs(features: number, magnitude: number = PROBE_MAGNITUDE): Values<"batch feature"> {
  const data = new Float32Array(features * features);
  for (let i = 0; i < features; i++) data[i * features + i] = magnitude;
  return values("batch feature", [features, features], data);
}

/** For each site, causal importances on the one-hot inputs in float64: `batch C`, a row for each feature. */
export function probeImportances(
  decomposition: Decomposition,
  features: number,
  magnitude?: number,
): Readonly<Record<string, Values>> {
  const x = input("x", "batch feature", { batch: features, feature: features });
  const activity = Object.entries(decomposition.activity(x));
  const outputs = Object.fromEntries(activity.map(([site, g]) => [site, transpose(g, "batch C")]));
  return interpret(outputs, { ...decomposition.values, x: probeInputs(features, magnitude) });
}
