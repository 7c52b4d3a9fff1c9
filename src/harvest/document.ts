/** `harvest/harvest.json`: what a harvest counted, of what, and how much of it is kept. */
import { z } from "zod";
import { readVersioned } from "../file/versioned.ts";
import { harvestSettings } from "./settings.ts";

/** The version of the document and of the tables beside it. */
export const HARVEST_SCHEMA = 1;

const file = z.strictObject({ rows: z.int(), bytes: z.int(), sha256: z.string() });

const harvestDocument = z.strictObject({
  schema: z.literal(HARVEST_SCHEMA),
  /** Of the run's document, and the step of the checkpoint that was harvested. */
  run: z.string(),
  step: z.int(),
  settings: harvestSettings,
  createdAt: z.iso.datetime(),
  /** Positions counted, and those passed over because they are padding. */
  n: z.int(),
  padding: z.int(),
  components: z.int(),
  /** Components that fired at least once. */
  fired: z.int(),
  /** Mean number of components firing at a position. */
  l0: z.number(),
  kind: z.enum(["tokens", "features"]),
  /** What stands between tokens in texts. */
  separator: z.string(),
  /** Input tokens or features there are, and output tokens that were counted. */
  stimuli: z.int(),
  outputs: z.int(),
  /** How many rows a component has at most, of each kind; the components table says how many there were. */
  kept: z.strictObject({ tokens: z.int(), partners: z.int(), background: z.int() }),
  /** The most memory that was planned for, bytes. */
  planned: z.int(),
  seconds: z.number(),
  files: z.record(z.string(), file),
});
export type HarvestDocument = z.infer<typeof harvestDocument>;

/**
 * Reads the text of a `harvest.json`.
 *
 * @throws `BadFile` when it is not one; `NewerSchema` when a newer Mechanist wrote it
 */
export function parseHarvest(text: string, where: string): HarvestDocument {
  return readVersioned(text, where, harvestDocument, HARVEST_SCHEMA);
}
