/** Interventions: acting on a network from inside, and what that does to its output. */
export type { Examples } from "./examples.ts";
export type { WorkOptions } from "./capture.ts";
export type { Metric, ReadPosition } from "./metrics.ts";
export {
  answerAccuracy,
  divergenceFrom,
  logitDifference,
  logProbability,
  nextTokenCrossEntropy,
  recoveredFraction,
} from "./metrics.ts";
export type { Selection, Variant } from "./selection.ts";
export type { Reference, SourceKind } from "./sources.ts";
export type { Direction, EffectRow, EffectTable } from "./table.ts";
export { ablate, type Ablation, type Question } from "./ablation.ts";
export { type Contrast, patch } from "./patching.ts";
export { steer, type SteeringRow } from "./steering.ts";
export { ablationSweep, type Cell, patchingSweep, type Sweep, SWEEPS, type SweepRow } from "./sweeps.ts";
export { attribute, attributionSweep, type AttributionTable } from "./attribution.ts";
export { type AttentionRegime, attentionRegime } from "./attention-regime.ts";
export { areaUnderCurve, pearson } from "./agreement.ts";
export { type Edge, type EdgeGraph, edgeGraph, edgeName, type GraphOptions } from "./edges/graph.ts";
export { type CutWith, edgeEffects, type EdgeRow, type EdgeTable } from "./edges/edge-effects.ts";
export { type EdgeAttribution, edgeAttribution } from "./edges/edge-attribution.ts";
export { type PrunedEdges, pruneEdges } from "./edges/prune.ts";
export { type PathReceiver, pathPatch, type PathRow, type PathSender, type PathTable } from "./edges/path-patching.ts";
export type { Norms } from "./edges/path-program.ts";
export { CausalModel, type Counterfactual, counterfactuals, type Variable } from "./alignment/causal-model.ts";
export { controlledAlignment, type ControlledAlignment, shuffledLabels } from "./alignment/controls.ts";
export {
  type Alignment,
  type AlignmentSearch,
  alignmentSearch,
  randomSubspace,
} from "./alignment/distributed-alignment-search.ts";
export {
  interchangeAccuracy,
  type InterchangeAccuracy,
  interchanged,
  type Pairs,
  type Place,
  type Readout,
} from "./alignment/interchange.ts";
export { dimensions, exchanged, orthonormalFrame } from "./alignment/subspace.ts";
export {
  type DirectionPart,
  splitDirection,
  subspacePatch,
  type SubspaceRow,
  type SubspaceTable,
} from "./subspace-patch.ts";
export { type CircuitAlone, circuitAlone } from "./edges/circuit-alone.ts";
