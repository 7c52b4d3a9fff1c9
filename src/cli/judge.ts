/** `mechanist judge`: decompositions on fresh data and against known mechanisms, anew, and side by side before the referee. */
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { judge } from "../evidence/judge.ts";
import {
  type Gap,
  MEASURES,
  type MeasureName,
  referee,
  type Scoreboard,
  type Subject,
} from "../evidence/referee/index.ts";
import { MechanistError } from "../error.ts";
import { writeAtomic } from "../file/node-atomic.ts";
import type { Report } from "../report/scoreboard/report.ts";
import { scoreboardPage } from "../report/scoreboard/scoreboard-page.ts";
import { costOf, type RunCost } from "../run/cost.ts";
import { digestOf } from "../run/digest.ts";
import { mechanistVersion } from "../run/environment.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import { named } from "../settings.ts";
import { commandLines } from "./command-line.ts";
import { plain } from "./decompose.ts";
import { describeRun } from "./describe-run.ts";
import { shownPath } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { type LatestDecomposition, openLatest } from "./open-decomposition.ts";
import { decimal, type DeviceOptions, type Placement, placementFrom, wholeNumber } from "./options.ts";
import { scoreboardTables } from "./scoreboard-table.ts";
import type { CommonOptions } from "./main.ts";
import { summary } from "./summary.ts";
import type { Terminal } from "./terminal.ts";

export interface JudgeOptions extends DeviceOptions {
  readonly ladder?: boolean;
  readonly measures?: string;
  readonly prompts?: string;
  readonly precision?: string;
  readonly seed?: string;
  /** Where to write a page of it. */
  readonly report?: string;
}

interface Opened {
  readonly run: RunFolder;
  readonly latest: LatestDecomposition;
  readonly cost: RunCost | undefined;
}

export async function judgeCommand(given: readonly string[], options: JudgeOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const asked = askedOf(options);
  const { runs, scoreboard, commands } = await interruptible(terminal, async ({ signal }) => {
    const gaps: Gap[] = [];
    const opened: Opened[] = [];
    for (const one of given) {
      try {
        const run = await findRun(one);
        opened.push({ run, latest: await openLatest(run), cost: costOf(await run.metrics()) });
      } catch (error) {
        // One of several that cannot be opened is a gap; the rest is judged.
        if (given.length === 1 || !(error instanceof MechanistError)) throw error;
        gaps.push({ what: one, why: error.message });
        terminal.note(error.message);
      }
    }
    if (opened.length === 0)
      throw new MechanistError("BadArgument", `judge: expected a run that can be opened, got none of ${given.length}`);
    expectOneNetwork(opened);
    const documents: Record<string, unknown>[] = [];
    for (const one of opened) {
      terminal.working(`judging ${one.run.name}`);
      documents.push(await judgeRun(one, { ...placement, ladder: options.ladder ?? false, signal }));
    }
    const board = await refereed(opened, { ...placement, ...asked, signal }, terminal);
    terminal.clear();
    return {
      runs: documents,
      scoreboard: { ...board, gaps: [...gaps, ...board.gaps] },
      commands: commandsOf(opened),
    };
  });
  const { report } = options;
  if (report !== undefined) await writeAtomic(resolve(report), pageOf(scoreboard, commands, given, options));
  terminal.document("judge", { runs, scoreboard, ...(report !== undefined && { report: resolve(report) }) });
  terminal.print(
    [...runs.map((one) => summary(String(one.run), String(one.path), one)), scoreboardTables(scoreboard)].join("\n\n"),
  );
  if (report !== undefined) terminal.print(shownPath(resolve(report)));
}

function pageOf(
  scoreboard: Scoreboard,
  commands: Report["commands"],
  given: readonly string[],
  { ladder: _, json: __, debug: ___, ...options }: JudgeOptions & CommonOptions,
): string {
  const asked = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const command = ["mechanist judge", ...given, ...asked].join(" ");
  return scoreboardPage({ schema: 1, scoreboard, commands, command, version: mechanistVersion() });
}

/** How each run was made, by the subject's name. */
function commandsOf(opened: readonly Opened[]): Report["commands"] {
  const names = subjectsOf(opened).map(({ name }) => name);
  return Object.fromEntries(
    opened.map(({ run, latest: { document } }, i) => {
      const parent = run.record.kind === "decompose" ? run.record.parent?.name : undefined;
      return [names[i]!, commandLines(document, parent ?? document.target.target)];
    }),
  );
}

interface Asked {
  readonly measures?: readonly MeasureName[];
  readonly prompts?: number;
  readonly precision?: number;
  readonly seed?: number;
}

function askedOf({ measures, prompts, precision, seed }: JudgeOptions): Asked {
  const known = Object.fromEntries(MEASURES.map((name) => [name, name]));
  return {
    ...(measures !== undefined && {
      measures: measures.split(",").map((name) => named("measure", name.trim(), known)),
    }),
    ...(prompts !== undefined && { prompts: wholeNumber("--prompts", prompts, 2, 2 ** 20) }),
    ...(precision !== undefined && { precision: decimal("--precision", precision, 1e-6, 1) }),
    ...(seed !== undefined && { seed: wholeNumber("--seed", seed, 0, Number.MAX_SAFE_INTEGER) }),
  };
}

/** The verdict on a run's latest checkpoint. */
async function judgeRun(
  { run, latest }: Opened,
  options: Placement & { readonly ladder: boolean; readonly signal: AbortSignal },
): Promise<Record<string, unknown>> {
  const verdict = await judge(latest, options);
  const { stepsPerSecond = null } = run.record.result ?? {};
  return { ...describeRun(run), step: latest.step, stepsPerSecond, ...plain(verdict) };
}

async function refereed(
  opened: readonly Opened[],
  options: Placement & Asked & { readonly signal: AbortSignal },
  terminal: Terminal,
): Promise<Scoreboard> {
  const [{ latest }] = opened as readonly [Opened];
  const { target, settings, source } = latest;
  return referee(
    subjectsOf(opened),
    { title: target.title(settings), digest: weightsDigest(latest), source, known: target.known?.(settings) },
    { ...options, onProgress: (done, all, what) => terminal.working(`${done}/${all}  ${what}`) },
  );
}

/** Runs as subjects; of one that is given twice the second says so. */
function subjectsOf(opened: readonly Opened[]): Subject[] {
  const seen = new Map<string, number>();
  return opened.map(({ run, latest: { document, decomposition }, cost }) => {
    const count = (seen.get(run.name) ?? 0) + 1;
    seen.set(run.name, count);
    const { seed, ...settings } = document.settings;
    const { steps } = settings;
    const rate = run.record.result?.stepsPerSecond;
    return {
      name: count > 1 ? `${run.name} (${count})` : run.name,
      ...{ decomposition, method: document.method, seed, digest: run.record.digest },
      seedGroup: digestOf({ ...document, settings }),
      // Runs of before rows said what steps took have only their rate.
      cost: { steps, ...(typeof rate === "number" && { seconds: steps / rate }), ...cost },
    };
  });
}

/** @throws `Refused` for runs of two networks */
function expectOneNetwork(opened: readonly Opened[]): void {
  const [first, ...rest] = opened as readonly [Opened, ...Opened[]];
  const digest = weightsDigest(first.latest);
  for (const other of rest) {
    if (weightsDigest(other.latest) === digest) continue;
    const titles = [first, other].map(
      ({ run, latest: { target, settings } }) => `${run.name} of ${target.title(settings)}`,
    );
    throw new MechanistError(
      "Refused",
      `judge: expected runs of one network, got ${titles.join(" and ")} with other weights`,
    );
  }
}

/** sha256 of a network's weights, by name. */
function weightsDigest({ decomposition: { network, values } }: LatestDecomposition): string {
  const hash = createHash("sha256");
  for (const { name } of network.weights) {
    const { data } = values[name]!;
    hash.update(`${name} ${data.length} `);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex");
}
