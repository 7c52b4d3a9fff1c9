/** Documents from files, held against the schema of what they name: files are written by people, too. */
import { type DecomposeDocument, methodNamed } from "../decomposition/methods.ts";
import { MechanistError } from "../error.ts";
import type { RunFolder } from "../run/folder.ts";
import { settingsFrom } from "../settings.ts";
import type { TrainDocument } from "../training/target.ts";
import { targetNamed } from "../training/targets.ts";

/** How a run's network was, or is to be, trained. */
export async function trainDocumentOf(run: RunFolder): Promise<TrainDocument> {
  const { record } = run;
  const document = await run.withTexts(record.kind === "train" ? record.document : record.document.target);
  return fromFile(run.path, () => ({
    ...document,
    settings: settingsFrom(
      document.target,
      targetNamed(document.target).schema,
      document.settings,
    ) as TrainDocument["settings"],
  }));
}

/** @throws `BadArgument` for a run of another kind; `BadFile` when its settings are not those of the method */
export async function decomposeDocumentOf(run: RunFolder): Promise<DecomposeDocument> {
  const { record } = run;
  if (record.kind !== "decompose") {
    throw new MechanistError("BadArgument", `${run.name}: expected a decomposition, got a ${record.kind} run`);
  }
  const { document } = record;
  const target = await trainDocumentOf(run);
  return fromFile(run.path, () => ({
    ...document,
    target,
    settings: settingsFrom(
      document.method,
      methodNamed(document.method).schema,
      document.settings,
    ) as DecomposeDocument["settings"],
  }));
}

/** What would be a usage error on the command line is a wrong file when it comes from one. */
export function fromFile<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof MechanistError)) throw cause;
    throw new MechanistError("BadFile", `${path}: ${cause.message}`, cause.details, { cause });
  }
}
