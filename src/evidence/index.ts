/** Scores, probes, attacks: what a decomposition is worth. */
export { aliveComponents } from "./alive.ts";
export { identityOrder } from "./assignment.ts";
export { contributionCorrelation } from "./contributions.ts";
export {
  type AliveComponents,
  aliveIn,
  type Band,
  bandOf,
  likeness,
  likenessByChance,
  type Likeness,
} from "./cross-seed.ts";
export { descriptionLength, mechanismLength } from "./description-length.ts";
export { countByUnstable, type FixedPoint, fixedPoints } from "./fixed-points.ts";
export type { DataSource } from "./fresh-data.ts";
export { frequencyGroups } from "./frequency-groups.ts";
export { checkGate, type GateVerdict } from "./gate.ts";
export { judge, judgeDecomposition, type JudgeOptions, type SiteVerdict, type Verdict } from "./judge.ts";
export { type LargestComponent, largestComponents } from "./largest-component.ts";
export { markerCircuit } from "./marker-circuit.ts";
export { type MatrixMatch, matchColumns } from "./mean-max-cosine.ts";
export { judgeMechanisms, type MechanismVerdict, PASS, type SiteMechanisms } from "./mechanisms.ts";
export { probeImportances, probeInputs } from "./probe.ts";
export { type Case, referee, type RefereeOptions, type Scoreboard, type Subject } from "./referee/index.ts";
export { denseError, identityError, sharedError } from "./target-ci-error.ts";
export { type Symptoms, type Warning, warningsOf } from "./warnings.ts";
