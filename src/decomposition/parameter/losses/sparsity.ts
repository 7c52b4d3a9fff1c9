/** What components cost: importance and frequency minimality, with the running means that the latter may keep. */
import type { NamedValues, StepProgram } from "../../../engine/index.ts";
import { values } from "../../../engine/index.ts";
import { input, type Tensor, type Tensors } from "../../../tensor/index.ts";
import type { CleanRun } from "./clean-run.ts";
import type { Slots } from "../importance/importance.ts";
import type { ImportancePenalty } from "./activity-means.ts";
import { decayOf, frequencyMinimality, runningFrequencyMinimality } from "./frequency-minimality.ts";
import { importanceMinimality } from "./importance-minimality.ts";
import type { ParameterSettings } from "../settings.ts";

export interface Sparsity {
  readonly importance: Tensor<"">;
  /** Absent where it has no weight. */
  readonly frequency?: Tensor<"">;
  /** Running means as they are after this step, by name; empty where none are kept. */
  readonly means: Tensors;
}

const meanName = (site: string): string => `frequency/${site}`;

/** Whether running means of frequencies are kept. */
function keepsMeans({ frequencyMinimality: weight, frequencyHalfLife }: ParameterSettings): boolean {
  return weight > 0 && frequencyHalfLife > 0;
}

/**
 * Both, from the upper-leaky importances of a clean run.
 *
 * @param rows      of the batch
 * @param scheduled p and γ at this step
 */
export function sparsity(
  { importances }: CleanRun,
  sites: readonly string[],
  rows: number,
  settings: ParameterSettings,
  scheduled: Readonly<Record<"p" | "gamma", number | Tensor<"">>>,
): Sparsity {
  const upper = sites.map((site) => importances[site]!.upper);
  const penalty: ImportancePenalty =
    settings.penalty === "power"
      ? { p: scheduled.p, epsilon: settings.penaltyEpsilon }
      : { gamma: scheduled.gamma, normalizeAtOne: settings.normalizeAtOne };
  const importance = importanceMinimality(upper, penalty);
  if (settings.frequencyMinimality === 0) return { importance, means: {} };
  const reference = settings.frequencyReference === 0 ? rows : settings.frequencyReference;
  const counted = settings.frequencyOf === "penalty" ? penalty : { p: 1 };
  if (!keepsMeans(settings))
    return { importance, frequency: frequencyMinimality(upper, reference, counted), means: {} };
  const { loss, next } = runningFrequencyMinimality(upper, reference, counted, {
    means: sites.map((site, i) => input(meanName(site), "C", { C: upper[i]!.shape[0]! })),
    decay: decayOf(settings.frequencyHalfLife),
    correction: input("frequency.correction", "", {}),
  });
  return { importance, frequency: loss, means: Object.fromEntries(sites.map((site, i) => [meanName(site), next[i]!])) };
}

/** Running means as a step carries them. */
export function carriedMeans(means: Tensors): StepProgram["state"] {
  return Object.fromEntries(
    Object.entries(means).map(([name, next]) => [name, { now: input(name, "C", { C: next.shape[0]! }), next }]),
  );
}

/** Running means before the first step. */
export function firstMeans(slots: readonly Slots[], settings: ParameterSettings): NamedValues {
  if (!keepsMeans(settings)) return {};
  return Object.fromEntries(slots.map(({ site, C }) => [meanName(site.name), values("C", [C], new Float32Array(C))]));
}

/** The scalar that running means want at a step, counted from 0. */
export function frequencyScalars(settings: ParameterSettings, step: number): Record<string, number> {
  if (!keepsMeans(settings)) return {};
  return { "frequency.correction": 1 - decayOf(settings.frequencyHalfLife) ** (step + 1) };
}
