/** Many decompositions of one network in one folder, each a run of its own; those that are there already are not made again. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { MechanistError } from "../error.ts";
import { findRun, newRunPath } from "../run/runs.ts";
import type { RunFolder } from "../run/folder.ts";
import { type DecomposeOptions, decomposeOne } from "./decompose.ts";
import type { Terminal } from "./terminal.ts";

/** One of them. */
export interface Member {
  /** Its folder's name. */
  readonly name: string;
  /** Its settings, as `--set` takes them, beside those that all have. */
  readonly set: readonly string[];
}

/**
 * Makes all of them, one after another, or goes on where an earlier attempt stopped.
 *
 * @param kind names the folder where none is given: `<run>-<method>-<kind>`
 * @throws `BadArgument` for a folder that holds something already, unless `--resume` is given
 */
export async function decomposeMany(
  given: string,
  kind: string,
  members: readonly Member[],
  options: DecomposeOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<{ readonly path: string; readonly runs: readonly RunFolder[] }> {
  if (options.from !== undefined)
    throw new MechanistError("BadArgument", "--from: expected one decomposition, got a folder of many");
  const source = await findRun(given);
  const path = options.out ?? (await newRunPath(`${source.name}-${options.method}-${kind}`));
  if (
    options.out !== undefined &&
    existsSync(path) &&
    !options.resume &&
    members.some(({ name }) => existsSync(join(path, name)))
  )
    throw new MechanistError(
      "BadArgument",
      `${path}: expected a new or empty folder, got one with runs in it; --resume goes on`,
    );
  const runs: RunFolder[] = [];
  for (const [i, { name, set }] of members.entries()) {
    terminal.remark(`${name}, ${i + 1} of ${members.length}`);
    const out = join(path, name);
    const own = { ...options, set: [...(options.set ?? []), ...set], out, resume: existsSync(join(out, "run.json")) };
    runs.push(await decomposeOne(given, own, terminal, signal));
  }
  return { path: resolve(path), runs };
}
