/** How components act on one another, and what acting on them does. */
export { attributionGraph, type AttributionOptions } from "./attribution-graph.ts";
export {
  type Calibration,
  type CalibrationOptions,
  calibrateEdges,
  calibrateNodes,
  calibrationOf,
  type CalibrationRow,
} from "./calibration.ts";
export {
  ablate as componentAblated,
  type Edit,
  editedWeights,
  editFeeds,
  editHooks,
  type EditPlan,
  planned,
} from "./edit.ts";
export {
  type EditData,
  type EditEffect,
  type EditEffectOptions,
  type EditEffects,
  editEffects,
  type Measured as MeasuredDivergence,
  NEAR,
} from "./edit-effects.ts";
export {
  type AttributionGraph,
  type GraphEdge,
  type GraphNode,
  type Incoming,
  type Influence,
  influenceOf,
  pruned,
  type PrunedGraph,
} from "./graph.ts";
export { type GraphJson, graphJson, type GraphJsonOptions } from "./graph-json.ts";
export type { CircuitTask } from "./objective.ts";
export { type Observed, observe } from "./observed.ts";
export {
  CIRCUIT_SETTINGS,
  type CircuitNode as ComponentNode,
  type CircuitSettings,
  optimisedCircuit,
  type OptimisedCircuit,
} from "./optimised-circuit.ts";
export { type Circuit as ComponentCircuit, type Outcome, type Regimes, regimes } from "./regimes.ts";
export { type RankOneDecomposition, vectorsOf } from "./subject.ts";
export { aliveOnData, type DataMeans, dataMeans } from "./data-means.ts";
export {
  actingOn,
  type DatasetAttribution,
  datasetAttribution,
  type DatasetSource,
  type DatasetTarget,
} from "./dataset-attribution.ts";
export { gramCosine, type HeadOverlap, headOverlap, randomGramCosine } from "./output-value.ts";
export {
  type InputPair,
  interactionsAt,
  type StaticInteractions,
  staticInteractions,
  type StaticOptions,
  type StaticPair,
  strongestAt,
  strongestPairs,
} from "./query-key.ts";
