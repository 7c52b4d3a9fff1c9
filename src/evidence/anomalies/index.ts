/** The anomalies of dictionary learning, measured on any decomposition. */
export {
  ANOMALIES,
  anomalies,
  type AnomaliesReport,
  type AnomalyName,
  type AnomalyOptions,
  type AnomalyReport,
} from "./anomalies.ts";
export { disagreement, type DisagreementDetails, type FeatureDefinition } from "./definitions.ts";
export { type Found, isFound, type Measure, type Missing, type Outcome } from "./measure.ts";
export { type AnomalyData, observe, type Observed, type ObserveOptions, type Place } from "./place.ts";
export { changedOffData, offDataDifference, type OffDataDifference } from "./off-data.ts";
export { type Readability, readability } from "./readability.ts";
