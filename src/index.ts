/**
 * Mechanist: take a trained network apart into its mechanisms, and let causal tests say which parts are real.
 *
 * Train or load a network (`train`), take it apart (`decompose`), judge the parts (`judge`); below these lie the
 * tensor layer and the engine, for methods of your own.
 */
export { type ErrorCode, MechanistError } from "./error.ts";
export { named, type Preset } from "./settings.ts";
export * from "./tensor/index.ts";
export * from "./engine/index.ts";
export type { Hooks, Network, Site, WeightSpec } from "./network/network.ts";
export { tms, type TmsShape } from "./network/tms.ts";
export {
  SPARSE_FEATURE_MODES,
  type SparseFeatureMode,
  type SparseFeatureOptions,
  sparseFeatures,
} from "./data/sparse-feature.ts";
export type { Checkpoint, LoopOptions, MetricsRow, Progress } from "./training/loop.ts";
export { constantSchedule, cosineSchedule, type Knot, linearSchedule, scheduleAt } from "./training/schedule.ts";
export type { Success, Target, TrainDocument, Trained } from "./training/target.ts";
export { resolveTarget, TARGETS, train } from "./training/targets.ts";
export type { ComponentInfo, Decomposition, Masks } from "./decomposition/decomposition.ts";
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
export { aliveComponents } from "./evidence/alive.ts";
export { identityOrder } from "./evidence/assignment.ts";
export { judge, type SiteVerdict, type Verdict } from "./evidence/judge.ts";
export { judgeMechanisms, type MechanismVerdict, PASS, type SiteMechanisms } from "./evidence/mechanisms.ts";
export { type MatrixMatch, matchColumns } from "./evidence/mean-max-cosine.ts";
export { probeImportances, probeInputs } from "./evidence/probe.ts";
export { denseError, identityError } from "./evidence/target-ci-error.ts";
