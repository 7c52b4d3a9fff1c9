/** Labels of components, and trials that say whether they are worth anything. */
export { type ChatEndpoint, type ChatOptions, endpointFrom } from "./chat.ts";
export { chatLabeller } from "./chat-labeller.ts";
export type { Answer, Evidence, Label, Labeller, Showing, Shown, TokenRate, Usage } from "./labeller.ts";
export { type Labelled, labelComponent, type Score, type ScoreName, type ScoreSummary, summarised } from "./score.ts";
export {
  CHANCE,
  detectionTrial,
  fuzzingTrial,
  type IntruderTrial,
  intruderTrials,
  type TrialMaterial,
  type TruthTrial,
} from "./trials.ts";
