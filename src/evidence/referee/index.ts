/** The referee: one causal protocol for every way to take a network apart. */
export { type CardRun, type ParadigmCard, paradigmCard, PREDICTIONS } from "./card.ts";
export { type Case, referee, type RefereeOptions } from "./referee.ts";
export * from "./scoreboard.ts";
export type { Subject } from "./subject.ts";
