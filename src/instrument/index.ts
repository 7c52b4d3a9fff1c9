/** Instruments: ways to look at a network, each with its null and with what it does not establish. */
export { type Finding, type Nulled } from "./finding.ts";
export { type ActivationRows, activationRows } from "./activations.ts";
export { shuffledWeights, withShuffled } from "./shuffled-weights.ts";
export {
  type LensReading,
  lensReadings,
  type LensRow,
  type LensTable,
  lensPoints,
  lensScores,
  logitLens,
} from "./lens.ts";
export {
  trainTranslators,
  type TunedLens,
  tunedLens,
  type TunedLensRow,
  type TunedLensTraining,
} from "./tuned-lens.ts";
export {
  type AttributionRow as LogitAttributionRow,
  directLogitAttribution,
  type LogitAttribution,
  type LogitQuestion,
} from "./direct-logit-attribution.ts";
export {
  attentionPatterns,
  detectHeads,
  type HeadKind,
  type HeadRow,
  type HeadTable,
  repeatedSegments,
} from "./head-detectors.ts";
export { attentionRollout, type Rollout } from "./attention-rollout.ts";
export { type ValueWeightedAttention, valueWeightedAttention } from "./value-weighted-attention.ts";
export { FactoredMatrix } from "./factored-matrix.ts";
export { type HeadCircuits, headCircuits, type HeadPlace, headsOf } from "./attention-circuits.ts";
export { composition, type CompositionRow, compositionScores, type CompositionTable } from "./composition-scores.ts";
export { type CopyingRow, copyingScores, type CopyingTable, eigenvalueCopying } from "./copying-score.ts";
export { skipTrigramError, type SkipTrigramRow, type SkipTrigramTable, skipTrigramWeight } from "./skip-trigram.ts";
export {
  type Classifier,
  type ClassifierOptions,
  fitClassifier,
  type LabelledRows,
  type ProbeKind,
} from "./classifier.ts";
export {
  controlLabels,
  type LabelOf,
  type PointProbe,
  probe,
  probeAt,
  type ProbeOptions,
  type ProbeResult,
} from "./probe.ts";
export {
  type DescriptionLengthOptions,
  type DescriptionLengthProbe,
  descriptionLengthProbe,
  type OnlineCode,
} from "./description-length-probe.ts";
export type { Similarity } from "./similarity.ts";
export { debiasedKernelAlignment, kernelAlignment, linearKernelAlignment } from "./kernel-alignment.ts";
export {
  canonicalCorrelations,
  canonicalSimilarity,
  meanCanonicalCorrelation,
  singularVectorAlignment,
} from "./canonical-correlation.ts";
export { distanceCorrelation, representationalSimilarity } from "./representational-similarity.ts";
export { type Anisotropy, anisotropy } from "./anisotropy.ts";
export {
  type ActivatingExamples,
  activatingExamples,
  type QuantileBand,
  type Response as ActivatingResponse,
  respondingRows,
  type Unit,
} from "./activating-examples.ts";
export {
  meanDifference,
  spreadOfSteering,
  type SteeringSpread,
  steeringSpread,
  type SteeringTable,
} from "./steering-vector.ts";
export {
  INPUT as SALIENCY_INPUT,
  type Saliency,
  saliency,
  type SaliencyKind,
  type SaliencyQuestion,
} from "./saliency.ts";
export { type MapCorrelations, type SaliencyChecks, saliencyChecks } from "./saliency-checks.ts";
export { directionalAblation, erased, type Erasure, erasureHook, leastSquaresErasure } from "./concept-erasure.ts";
