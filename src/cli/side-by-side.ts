/** Decompositions side by side: each in a process of its own, so many at a time, one's end nothing to the others. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { MechanistError } from "../error.ts";
import type { DecomposeOptions } from "./decompose.ts";
import { gibibytes } from "./format.ts";
import type { Order, Told } from "./one-of-many.ts";
import type { RunningOne } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

/** A run that is to be made. */
export interface Task {
  readonly name: string;
  readonly options: DecomposeOptions;
}

export interface SideBySideOptions {
  /** How many at a time. */
  readonly jobs: number;
  /** Whether to take those one after another that need more memory than there is for so many. */
  readonly fewerWhereLarge: boolean;
  /** Bytes that all of them together may take. */
  readonly memory: number;
  /** How many of the same folder are finished already: counted in what is drawn. */
  readonly finished: number;
  readonly signal: AbortSignal;
  readonly terminal: Terminal;
}

/** Why some did not finish, by name. */
export type Failures = ReadonlyMap<string, MechanistError>;

/**
 * Makes all of them. After the signal aborts no further one begins, and those that run stop as if each were alone.
 *
 * @param given the run that is decomposed, as `decomposeOne` takes it
 */
export async function sideBySide(
  given: string,
  tasks: readonly Task[],
  { jobs, fewerWhereLarge, memory, signal, terminal, ...options }: SideBySideOptions,
): Promise<Failures> {
  const failures = new Map<string, MechanistError>();
  const running = new Map<string, RunningOne>();
  const total = options.finished + tasks.length;
  let { finished } = options;
  let announced = false;
  const make = async ({ name, options: own }: Task, atOnce: number): Promise<MechanistError | undefined> => {
    const share = Math.max(1, Math.floor(memory / atOnce / 2 ** 20));
    const hear = (told: Told): void => {
      if (told.kind === "note") terminal.note(`${name}: ${told.text}`);
      else if (told.kind === "remark") terminal.remark(`${name}: ${told.text}`);
      else if (told.kind === "memory" && !announced) {
        announced = true;
        terminal.remark(`steps of ${atOnce} at a time take about ${gibibytes(atOnce * told.bytes)} of memory`);
      } else if (told.kind === "progress") running.set(name, { name, doing: told.progress });
      else if (told.kind === "working") running.set(name, { name, doing: told.text });
      terminal.progressOfMany({ finished, total, running: [...running.values()] });
    };
    running.set(name, { name, doing: "begins" });
    const error = await inProcess(given, { ...own, memory: String(share) }, signal, hear);
    running.delete(name);
    if (error === undefined) {
      finished += 1;
      terminal.remark(`${name}: finished, ${finished} of ${total}`);
    }
    return error;
  };
  const fail = (name: string, error: MechanistError): void => {
    failures.set(name, error);
    if (!signal.aborted) terminal.note(`${name}: ${error.message}`);
  };

  const waiting = [...tasks];
  const large: Task[] = [];
  const atOnce = Math.min(jobs, tasks.length);
  const worker = async (): Promise<void> => {
    for (let task = waiting.shift(); task !== undefined; task = signal.aborted ? undefined : waiting.shift()) {
      const error = await make(task, atOnce);
      if (error === undefined) continue;
      if (atOnce === 1 || error.details.needed === undefined) fail(task.name, error);
      // Refused before its first step, but its folder is there.
      else if (fewerWhereLarge) large.push({ ...task, options: { ...task.options, resume: true } });
      else fail(task.name, new MechanistError(error.code, `${error.message}; fewer --jobs leave each more`));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  for (const task of large) {
    if (signal.aborted) break;
    const error = await make(task, 1);
    if (error !== undefined) fail(task.name, error);
  }
  terminal.clear();
  return failures;
}

/** Makes a run in a process of its own, and answers why it did not finish. */
async function inProcess(
  given: string,
  options: DecomposeOptions,
  signal: AbortSignal,
  hear: (told: Told) => void,
): Promise<MechanistError | undefined> {
  const child = fork(fileURLToPath(new URL("./one-of-many.js", import.meta.url)), {
    // JSON has no NaN.
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  // One that has ended hears nothing, and how it ended is told below.
  const order = (what: Order): boolean => child.send(what, () => undefined);
  let ending: Extract<Told, { kind: "finished" | "failed" }> | undefined;
  child.on("message", (told: Told) => {
    if (told.kind === "finished" || told.kind === "failed") ending = told;
    else hear(told);
  });
  const stop = (): boolean => order("stop");
  signal.addEventListener("abort", stop, { once: true });
  try {
    // What it said last may arrive after it has ended.
    const ended = Promise.all([once(child, "exit"), once(child, "disconnect")]);
    order({ given, options });
    const [[status, by]] = (await ended) as [[number | null, string | null], unknown];
    if (ending?.kind === "finished") return undefined;
    if (ending !== undefined) return new MechanistError(ending.code, ending.message, ending.details);
    const how = by === null ? `status ${status}` : by;
    return signal.aborted
      ? new MechanistError("Cancelled", "stopped before it began")
      : new MechanistError("Internal", `process: expected one that finishes its run, got one that ended by ${how}`);
  } catch (cause) {
    return new MechanistError("Unavailable", `process: expected one more, got ${String(cause)}`, {}, { cause });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
