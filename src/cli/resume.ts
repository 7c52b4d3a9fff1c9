/** Finding the run to go on with, and making sure it is the one that is meant. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { MechanistError } from "../error.ts";
import type { RunRecord } from "../run/document.ts";
import { RunFolder } from "../run/folder.ts";
import { RUNS, runNames } from "../run/runs.ts";
import { withoutTexts } from "../run/texts.ts";

/**
 * The run in a folder, or the newest unfinished one in `./runs` that is meant.
 *
 * @returns nothing where there is no such run: a run that was killed before its folder was made is begun, not missed
 */
export async function runToResume(
  what: string,
  out: string | undefined,
  isMeant: (record: RunRecord) => boolean,
): Promise<RunFolder | undefined> {
  if (out !== undefined) {
    if (!existsSync(join(out, "run.json"))) return undefined;
    const run = await RunFolder.open(out);
    if (!isMeant(run.record)) throw new MechanistError("BadArgument", `${out}: expected ${what}, got another run`);
    return run;
  }
  const runs = await Promise.all(
    (await runNames(RUNS)).map((name) => RunFolder.open(join(RUNS, name)).catch(() => undefined)),
  );
  return runs
    .filter((run) => run !== undefined)
    .filter(({ record }) => record.status !== "finished" && isMeant(record))
    .sort((a, b) => (a.record.createdAt < b.record.createdAt ? 1 : -1))[0];
}

/** What somebody says of a run when going on with it; what is left unsaid is as it was started. */
export interface Asked {
  readonly preset?: string | undefined;
  /** The settings given, by any means. */
  readonly keys: readonly string[];
  /** The document that they would make. */
  readonly document: RunRecord["document"];
}

/** Refuses settings that are not those of the run: the bits would be of neither. */
export function expectSameSettings({ name, record: { document } }: RunFolder, asked: Asked): void {
  const refuse = (what: string, before: unknown, now: unknown): never => {
    const told = `expected ${what} ${String(before)} as it was started, got ${String(now)}`;
    throw new MechanistError("BadArgument", `--resume: ${name}: ${told}`);
  };
  if (asked.preset !== undefined && asked.preset !== document.preset) refuse("preset", document.preset, asked.preset);
  const { settings } = withoutTexts(asked.document).document;
  for (const key of asked.keys) {
    const [before, now] = [document.settings[key], settings[key]];
    if (before !== now) refuse(key, before, now);
  }
}
