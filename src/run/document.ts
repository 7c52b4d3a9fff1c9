/** What `run.json` holds: everything needed to do a run again, where it was done, and what came of it. */
import { z } from "zod";
import { readVersioned } from "../file/versioned.ts";

/** The version of `run.json`. A file of a higher one is refused, not guessed at. */
export const RUN_SCHEMA = 1;

/** Held against the schema of the target or method by whoever uses them. */
const settings = z.record(z.string(), z.unknown());

const trainDocument = z.strictObject({ target: z.string(), preset: z.string(), settings });

const decomposeDocument = z.strictObject({
  method: z.string(),
  preset: z.string(),
  settings,
  target: trainDocument,
});

const shared = {
  schema: z.literal(RUN_SCHEMA),
  name: z.string(),
  createdAt: z.iso.datetime(),
  /** As last written. A run that says `running` while its process is gone was interrupted. */
  status: z.enum(["running", "finished", "stopped", "failed"]),
  /** The process that writes the run, with a text that no other process of that number has; empty where unknown. */
  pid: z.int().positive(),
  pidStarted: z.string(),
  /** sha256 of the document's canonical JSON, in hexadecimal. */
  digest: z.string(),
  environment: z.strictObject({
    mechanist: z.string(),
    node: z.string(),
    onnxruntime: z.string(),
    platform: z.string(),
    arch: z.string(),
    cpus: z.int(),
    device: z.string(),
    /** Threads an operation may use; `null` leaves it to ONNX Runtime. */
    threads: z.int().nullable(),
  }),
  result: z.record(z.string(), z.json()).optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
};

const runRecord = z.discriminatedUnion("kind", [
  z.strictObject({ ...shared, kind: z.literal("train"), document: trainDocument }),
  z.strictObject({
    ...shared,
    kind: z.literal("decompose"),
    document: decomposeDocument,
    /** The run whose network was taken apart. */
    parent: z.strictObject({ name: z.string(), digest: z.string() }).optional(),
  }),
]);

export type RunRecord = z.infer<typeof runRecord>;
export type TrainRecord = Extract<RunRecord, { kind: "train" }>;
export type DecomposeRecord = Extract<RunRecord, { kind: "decompose" }>;
export type RunStatus = RunRecord["status"];
export type RunEnvironment = RunRecord["environment"];

/**
 * Reads the text of a `run.json`.
 *
 * @param where names the file in an error
 * @throws `BadFile` when it is not one; `NewerSchema` when a newer Mechanist wrote it
 */
export function parseRunRecord(text: string, where: string): RunRecord {
  return readVersioned(text, where, runRecord, RUN_SCHEMA);
}
