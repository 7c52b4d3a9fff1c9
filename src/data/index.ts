/** What networks are fed: toys whose structure is known, and text. */
export {
  SPARSE_FEATURE_MODES,
  type SparseFeatureMode,
  type SparseFeatureOptions,
  sparseFeatures,
} from "./sparse-feature.ts";
export { drawRows, normals, sampled, signs, wholeNumbers } from "./draws.ts";
export {
  type HiddenMarkovModel,
  hiddenMarkovModel,
  markovSequences,
  mess3,
  rrxor,
  sampleSequences,
  z1r,
} from "./hidden-markov.ts";
export {
  beliefSequences,
  entropyRate,
  type MixedStates,
  mixedStates,
  myopicEntropies,
  nextTokenDistribution,
} from "./belief-state.ts";
export { optimalLoss, stories, type Story, story, STORY_VOCABULARY } from "./story-grammar.ts";
export type { StoryEvent, StoryLatents, StorySentence } from "./story-grammar.ts";
export { repeatedSequences } from "./repeated-sequence.ts";
export { modularAddition } from "./modular-addition.ts";
export { lines, type Lines, ORIENTATIONS } from "./lines.ts";
export { flipFlop } from "./flip-flop.ts";
export { equalityExamples, equalityPairs } from "./hierarchical-equality.ts";
export { linearExamples, linearTeacher } from "./linear-teacher.ts";
export { type TokenData, tokenDataSchema } from "./token-data.ts";
export { probeSet, shuffled, type TokenRow, tokenRows, type TokenTable, tokenTable } from "./token-rows.ts";
export { storedDocuments, type TextEncoding, tokenDocuments, tokenStream } from "./token-stream.ts";
export { type BosPolicy, expectEmbedded, readTokenizer, type Tokenizer, tokenizerFrom } from "./tokenizer.ts";
export type { SpecialTokens, TokenizerFiles } from "./tokenizer-files.ts";
export { characterTokenizer } from "./char-vocabulary.ts";
export { bytePairTokenizer } from "./byte-pair.ts";
