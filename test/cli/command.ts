/** Runs the real command in a folder of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export const BIN: string = fileURLToPath(new URL("../../bin/mechanist.js", import.meta.url));

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** What it has printed so far. */
  readonly stdout: () => string;
}

/** A folder for one test, removed after it. */
export function emptyFolder(): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "mechanist-")));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Starts `mechanist` with arguments. */
export function startCommand(dir: string, ...args: string[]): Running {
  return startProgram(dir, process.execPath, [BIN, ...args]);
}

/** Starts any program. */
export function startProgram(dir: string, program: string, args: readonly string[]): Running {
  const child = spawn(program, args, { cwd: dir, stdio: ["ignore", "pipe", "pipe"] });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve({ status, signal, stdout, stderr }));
  });
  return { child, ended, stdout: () => stdout };
}

/** Runs `mechanist` to its end. */
export function command(dir: string, ...args: string[]): Promise<Ended> {
  return startCommand(dir, ...args).ended;
}

export interface PrintedDocument {
  readonly [key: string]: unknown;
  readonly sites: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly runs: readonly Readonly<Record<string, unknown>>[];
}

/** The one document that a command printed. */
export function documentOf({ stdout }: Pick<Ended, "stdout">): PrintedDocument {
  return JSON.parse(stdout) as PrintedDocument;
}

/** What a run recorded, but for what depends on the clock: how long steps took. */
export function metricsOf(run: string): Readonly<Record<string, unknown>>[] {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const { msPerStep, ...row } = JSON.parse(line) as Record<string, unknown>;
    if (!(typeof msPerStep === "number" && msPerStep > 0)) throw new Error(`expected milliseconds a step in ${line}`);
    return row;
  });
}

/** Waits until a condition holds. */
export async function until(holds: () => boolean, what: string): Promise<void> {
  const began = Date.now();
  while (!holds()) {
    if (Date.now() - began > 60_000) throw new Error(`waited a minute for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A training and a decomposition that take a moment. */
export const SMALL_TRAINING: readonly string[] = ["train", "tms", "--steps", "60", "--set", "batch=64"];
export const SMALL_SPD: readonly string[] = [
  "--set",
  "batch=64",
  "--set",
  "components=6",
  "--set",
  "warmupSteps=5",
  "--steps",
  "30",
];
