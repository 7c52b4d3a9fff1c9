/**
 * Mechanist: take a trained network apart into its mechanisms, and let causal tests say which parts are real.
 *
 * Train a network (`train`) or read one (`readCheckpoint`), look inside and change it (`RunnableNetwork`, `patch`, `ablate`), take it apart
 * (`decompose`), judge the parts (`judge`), put several ways side by side (`referee`), ask what they fire on (`harvest`) and how they work together (`attributionGraph`), change them
 * (`ablate`); below these lie the tensor layer and the engine, for methods of your own. What needs Node,
 * files for instance, is in `mechanist/node`.
 */
export { type ErrorCode, MechanistError } from "./error.ts";
export { named, type Preset } from "./settings.ts";
export * from "./tensor/index.ts";
export * from "./engine/index.ts";
export * from "./file/index.ts";
export * from "./network/index.ts";
export * from "./data/index.ts";
export type { Checkpoint, LoopOptions, MetricsRow, Progress, StepCost } from "./training/loop.ts";
export { constantSchedule, cosineSchedule, type Knot, linearSchedule, scheduleAt } from "./training/schedule.ts";
export type { Success, Target, TrainDocument, Trained } from "./training/target.ts";
export { resolveTarget, TARGETS, train } from "./training/targets.ts";
export { embeddingPower, frequencyLosses, gini, keyFrequencies } from "./training/key-frequencies.ts";
export { type NetworkTraining, trainNetwork } from "./training/train-network.ts";
export * from "./intervention/index.ts";
export * from "./instrument/index.ts";
export {
  type Carried,
  componentFactors,
  type ComponentInfo,
  type Decomposition,
  importancesOf,
  isOfWeights,
  type MaskedOptions,
  type Masks,
} from "./decomposition/decomposition.ts";
export * from "./decomposition/activation/index.ts";
export { type Address, formatAddress, parseAddress } from "./decomposition/address.ts";
export {
  decompose,
  type Decomposed,
  type DecomposeDocument,
  type Method,
  METHODS,
  methodNamed,
  resolveMethod,
} from "./decomposition/methods.ts";
export * from "./decomposition/clustering/index.ts";
export * from "./evidence/index.ts";
export {
  type Case,
  type MeasureResult,
  type ParadigmCard,
  paradigmCard,
  PREDICTIONS,
  referee,
  type RefereeOptions,
  type Scoreboard,
  type Subject,
  type SubjectRow,
} from "./evidence/referee/index.ts";
export {
  ANOMALIES,
  anomalies,
  type AnomaliesReport,
  type AnomalyData,
  type AnomalyName,
  type AnomalyOptions,
  type AnomalyReport,
  changedOffData,
  disagreement,
  offDataDifference,
  readability,
} from "./evidence/anomalies/index.ts";
export * from "./circuit/index.ts";
export * from "./harvest/index.ts";
export * from "./labels/index.ts";
