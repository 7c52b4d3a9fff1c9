/** Networks: functions of named weights with hook points; where they come from; running them. */
export {
  type HookPoint,
  type Hooks,
  type InputSpec,
  type Network,
  passing,
  type Site,
  type Unembedding,
  type Units,
  weightInputs,
  type WeightSpec,
  withSites,
  withTies,
} from "./network.ts";
export { identityAt, withIdentities } from "./identities.ts";
export {
  type PointFilter,
  RunnableNetwork,
  type RunnableOptions,
  type RunHook,
  type RunOptions,
  tokenValues,
  type Traced,
} from "./run.ts";
export { tms, type TmsShape } from "./tms.ts";
export { mlp, type MlpShape } from "./mlp.ts";
export { foldedResidualMlp, residualMlp, type ResidualMlpShape } from "./residual-mlp.ts";
export { type RecurrentNetwork, rnn, type RnnShape } from "./rnn.ts";
export { conv, type ConvShape } from "./conv.ts";
export { embeddingMlp, type EmbeddingMlpShape } from "./embedding-mlp.ts";
export { type EqualityCircuit, equalityCircuit } from "./equality-circuit.ts";
export {
  type Activation,
  type AttentionConfig,
  type MlpConfig,
  type NormConfig,
  type Positions,
  type RotaryPositions,
  type ToyShape,
  toyTransformer,
  type TransformerConfig,
} from "./transformer/config.ts";
export { type Transformer, transformer } from "./transformer/transformer.ts";
export { centreUnembedding, centreWritingWeights } from "./transformer/processing/centre.ts";
export { foldNorms } from "./transformer/processing/fold-norms.ts";
export { foldValueBiases } from "./transformer/processing/fold-value-biases.ts";
export { type Processed, unprocessed, type Weighted } from "./transformer/processing/processed.ts";
export { resolvePoint } from "./hook-names.ts";
export {
  type Checkpoint as NetworkCheckpoint,
  describeNetwork,
  fromHuggingFace,
  readCheckpoint,
} from "./huggingface/checkpoint.ts";
export { FAMILIES } from "./huggingface/families.ts";
export {
  checkReading,
  type CheckReport,
  type CheckRow,
  checkTransformer,
  refuseFailed,
} from "./check/check-network.ts";
export { type Circuit, type CircuitEdge, type CircuitNode, withWholeMlps } from "./compiled/circuit.ts";
export { type Compiled, compileTransformer } from "./compiled/compile.ts";
export { type CompiledProgram, compileProgram } from "./compiled/compile-program.ts";
export { compiledDocument, openCompiled } from "./compiled/document.ts";
export { evaluate as evaluateProgram } from "./compiled/evaluate.ts";
export { handCodedInduction } from "./compiled/induction.ts";
/** The language of compiled programs: `rasp.select`, `rasp.aggregate`, … */
export * as rasp from "./compiled/language.ts";
export { COMPILED } from "./compiled/programs.ts";
export { decode as decodeProgram, encode as encodeProgram } from "./compiled/vocabulary.ts";
