/** Many decompositions of one network in one folder, each a run of its own; those that are there already are not made again. */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { isProcessor } from "../engine/device.ts";
import { MechanistError } from "../error.ts";
import { RunFolder } from "../run/folder.ts";
import { findRun, newRunPath } from "../run/runs.ts";
import { askedOf, type DecomposeOptions, decompositionToResume, trainedWeights } from "./decompose.ts";
import { trainDocumentOf } from "./documents.ts";
import { shownPath } from "./format.ts";
import { availableMemory, placementFrom, wholeNumber } from "./options.ts";
import { sideBySide, type Task } from "./side-by-side.ts";
import type { Terminal } from "./terminal.ts";

export interface ManyOptions extends DecomposeOptions {
  /** How many at a time. */
  readonly jobs?: string;
}

/** One of them. */
export interface Member {
  /** Its folder's name. */
  readonly name: string;
  /** Its settings, as `--set` takes them, beside those that all have. */
  readonly set: readonly string[];
}

/** What became of them. */
export interface Made<M extends Member> {
  readonly path: string;
  readonly finished: readonly { readonly member: M; readonly run: RunFolder }[];
  readonly failed: readonly { readonly member: M; readonly error: MechanistError }[];
}

/**
 * Makes all of them, some side by side, or goes on where an earlier attempt stopped. One that fails leaves the others alone.
 *
 * @param kind names the folder where none is given: `<run>-<method>-<kind>`
 * @throws `BadArgument` for a folder that holds something already, unless `--resume` is given; before any begins, whatever is wrong with
 *         the settings of one; `Cancelled`; where all failed, what the first one did
 */
export async function decomposeMany<M extends Member>(
  given: string,
  kind: string,
  members: readonly M[],
  options: ManyOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Made<M>> {
  if (options.from !== undefined)
    throw new MechanistError("BadArgument", "--from: expected one decomposition, got a folder of many");
  const jobs = jobsFrom(options, members.length);
  const source = await findRun(given);
  if (source.record.kind !== "train")
    throw new MechanistError("BadArgument", `${source.name}: expected a train run, got a decomposition`);
  if (options.out !== undefined && !options.resume && members.some(({ name }) => existsSync(join(options.out!, name))))
    throw new MechanistError(
      "BadArgument",
      `${options.out}: expected a new or empty folder, got one with runs in it; --resume goes on`,
    );
  const target = await trainDocumentOf(source);
  const asked = [];
  for (const { set } of members) asked.push(await askedOf(target, withSettings(options, set)));
  await trainedWeights(source);

  const path = options.out ?? (await newRunPath(`${source.name}-${options.method}-${kind}`));
  const tasks: Task[] = [];
  for (const [i, { name, set }] of members.entries()) {
    const out = join(path, name);
    const own = { ...withSettings(options, set), out, resume: existsSync(join(out, "run.json")) };
    const before = own.resume ? await decompositionToResume(source, own, asked[i]!) : undefined;
    if (before?.record.status === "finished") continue;
    // Whatever runs beside it: other numbers of threads make other bits. One that is gone on with has its own number already.
    tasks.push({ name, options: own.resume ? own : { ...own, threads: own.threads ?? "1" } });
  }
  const failures = await sideBySide(given, tasks, {
    jobs,
    fewerWhereLarge: options.jobs === undefined,
    memory: placementFrom(options).memoryLimit ?? availableMemory(),
    finished: members.length - tasks.length,
    signal,
    terminal,
  });
  const runs = await Promise.all(members.map(({ name }) => RunFolder.open(join(path, name)).catch(() => undefined)));
  const finished = members.flatMap((member, i) => {
    const run = runs[i];
    return run?.record.status === "finished" ? [{ member, run }] : [];
  });
  if (signal.aborted && finished.length < members.length) {
    const [counts, out] = [`${finished.length} of ${members.length} finished`, shownPath(resolve(path))];
    throw new MechanistError("Cancelled", `${out}: stopped with ${counts}; --resume --out ${out} goes on`);
  }
  const failed = members.flatMap((member) => {
    const error = failures.get(member.name);
    return error === undefined ? [] : [{ member, error }];
  });
  if (finished.length === 0) {
    const { code, message, details } = failed[0]!.error;
    throw new MechanistError(code, `all ${members.length} failed, the first: ${message}`, details);
  }
  return { path: resolve(path), finished, failed };
}

function withSettings(options: ManyOptions, set: readonly string[]): ManyOptions {
  return { ...options, set: [...(options.set ?? []), ...set] };
}

/**
 * How many at a time: as asked, or half of the cores, since many a core is one half of a real one and somebody works at this machine; of
 * two cores both, for else nothing would be side by side. Several processes on one accelerator would wait for one another.
 */
export function jobsFrom(options: ManyOptions, runs: number, cores: number = availableParallelism()): number {
  if (options.jobs !== undefined) return Math.min(runs, wholeNumber("--jobs", options.jobs, 1, 1000));
  const { device, threads = 1 } = placementFrom(options);
  if (!isProcessor(device)) return 1;
  const used = cores <= 2 ? cores : Math.ceil(cores / 2);
  return Math.min(runs, Math.max(1, Math.floor(used / threads)));
}

/** Those that failed, as documents tell them: nothing where none did. */
export function failedOnes({ failed }: Pick<Made<Member>, "failed">): {
  readonly failed?: readonly {
    readonly run: string;
    readonly error: { readonly code: string; readonly message: string };
  }[];
} {
  if (failed.length === 0) return {};
  return {
    failed: failed.map(({ member: { name }, error: { code, message } }) => ({ run: name, error: { code, message } })),
  };
}

/** The command's exit status is that of the first which failed, though what is known of the others was told. */
export function exitAsFailed({ failed: [first] }: Pick<Made<Member>, "failed">): void {
  if (first !== undefined) process.exitCode = first.error.exitStatus;
}
