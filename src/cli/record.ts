/** Doing a run while keeping it on disk: metrics and checkpoints as they come, and in the end what became of it. */
import { join } from "node:path";
import { expectFinite } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { RowFiles } from "../file/node-row-files.ts";
import type { RunRecord } from "../run/document.ts";
import type { RunFolder } from "../run/folder.ts";
import type { Checkpoint, LoopOptions } from "../training/loop.ts";
import { availableMemory, type Placement } from "./options.ts";
import type { Terminal } from "./terminal.ts";

export interface RecordOptions extends Placement {
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
  /** Where to go on; absent, at the beginning. */
  readonly resume?: Checkpoint | undefined;
}

/** What a run came to. `result` is kept in `run.json`. */
export interface Outcome<T> {
  readonly value: T;
  readonly result: NonNullable<RunRecord["result"]>;
}

/**
 * Does the work of a run. However it ends, `run.json` says how, and the checkpoints made so far stay.
 *
 * @param work must hand its options to the training loop
 */
export async function record<T>(
  run: RunFolder,
  { signal, terminal, resume, ...placement }: RecordOptions,
  work: (options: LoopOptions) => Promise<Outcome<T>>,
): Promise<T> {
  const log = await run.metricsLog(resume?.step ?? 0);
  let memoryBytes: number | undefined;
  try {
    const { value, result } = await work({
      memoryLimit: availableMemory(),
      ...placement,
      signal,
      ...(resume && { resume, earlier: log.earlier }),
      disk: new RowFiles(join(run.path, "rows")),
      onMemory: (bytes) => {
        // Of several stages the first takes the most: components only leave.
        if (memoryBytes === undefined) terminal.memory(bytes);
        memoryBytes ??= bytes;
      },
      onProgress: (progress) => terminal.progress(progress),
      // To a microsecond, which is far below what varies from step to step.
      onMetrics: (row, took) =>
        log.append({ ...row, ...(took && { ...took, msPerStep: Number(took.msPerStep.toFixed(3)) }) }),
      onCheckpoint: async (checkpoint) => {
        // The loss of a step says nothing yet of the weights it led to, and only good checkpoints are kept.
        expectFiniteState(checkpoint);
        // Rows first: a run that goes on from this checkpoint counts on those before it.
        await log.sync();
        await run.checkpoints.save(checkpoint);
      },
    });
    await run.update({ status: "finished", result: { ...result, ...(memoryBytes !== undefined && { memoryBytes }) } });
    return value;
  } catch (error) {
    // A disk that took no checkpoint may not take this either; the first error is the one to tell.
    await run.update(ending(error)).catch(() => undefined);
    throw error;
  } finally {
    terminal.clear();
    await log.close();
  }
}

function expectFiniteState({ step, tensors }: Checkpoint): void {
  for (const [name, tensor] of Object.entries(tensors)) expectFinite(`step ${step}: ${name}`, tensor);
}

function ending(error: unknown): Parameters<RunFolder["update"]>[0] {
  if (error instanceof MechanistError && error.code === "Cancelled") return { status: "stopped" };
  const code = error instanceof MechanistError ? error.code : "Internal";
  const message = error instanceof Error ? error.message : String(error);
  return { status: "failed", error: { code, message } };
}
