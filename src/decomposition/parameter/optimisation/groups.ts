/** Which weights share an optimiser: all of them, or components apart from what predicts their importances. */
import type { WeightSpec } from "../../../network/network.ts";
import { adamWScalars } from "../../../training/adamw.ts";
import type { ParameterGroup } from "../../../training/optimise.ts";
import { layoutOf } from "../../../training/parameters.ts";
import { cosineSchedule, scheduleAt } from "../../../training/schedule.ts";
import type { ImportanceFunction, Slots } from "../importance/importance.ts";
import { matricesOf } from "./matrices.ts";
import type { ParameterSettings } from "../settings.ts";
import { subcomponentWeights } from "../subcomponents.ts";

/** Whether one vector can serve both: it is a dozen operations less. */
function isOne({ clipNorm, importanceClipNorm, importanceLearningRate, learningRate }: ParameterSettings): boolean {
  return clipNorm === 0 && importanceClipNorm === 0 && (importanceLearningRate || learningRate) === learningRate;
}

/** Stands before the names of the components' optimiser state and scalars. */
export function componentsGroup(settings: ParameterSettings): string {
  return isOne(settings) ? "" : "components/";
}

/** The groups of a run. */
export function parameterGroups(
  slots: readonly Slots[],
  importance: ImportanceFunction,
  settings: ParameterSettings,
): ParameterGroup[] {
  const components: WeightSpec[] = slots.flatMap(({ site, C }) => subcomponentWeights(site, C));
  const predictors = importance.weights(slots);
  const optimiser = settings.optimiser === "muon" ? { matricesOf } : {};
  if (isOne(settings)) return [{ name: "", layout: layoutOf([...components, ...predictors]), ...optimiser }];
  return [
    { name: "components/", layout: layoutOf(components), clipNorm: settings.clipNorm, ...optimiser },
    { name: "importance/", layout: layoutOf(predictors), clipNorm: settings.importanceClipNorm, ...optimiser },
  ];
}

/** The optimisers' scalars at a step, counted from 0. */
export function groupScalars(settings: ParameterSettings, step: number): Record<string, number> {
  const { learningRate, finalLearningRate: final, importanceLearningRate, steps } = settings;
  const rate = (peak: number): number => scheduleAt(cosineSchedule(peak, final), step, steps);
  if (isOne(settings)) return adamWScalars(step + 1, rate(learningRate));
  return {
    ...adamWScalars(step + 1, rate(learningRate), {}, "components/"),
    ...adamWScalars(step + 1, rate(importanceLearningRate || learningRate), {}, "importance/"),
  };
}
