/** Harvest: what components fire on, counted in one pass over the data. */
export { association, type Association, divergenceShare, type JointCounts } from "./statistics.ts";
export { type HarvestDocument, parseHarvest } from "./document.ts";
export type { Background, Example } from "./examples.ts";
export { harvest, type PassOptions } from "./pass.ts";
export { type HarvestPlan, type HarvestSource, planHarvest } from "./plan.ts";
export { harvestSettings, type HarvestSettings } from "./settings.ts";
export { type Row, type Table, tablesOf } from "./tables.ts";
export type { Tally } from "./tally.ts";
