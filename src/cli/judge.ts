/** `mechanist judge`: decompositions on fresh data and against known mechanisms, anew. */
import { judge } from "../evidence/judge.ts";
import type { RunFolder } from "../run/folder.ts";
import { findRun } from "../run/runs.ts";
import { openDecomposition, plain } from "./decompose.ts";
import { interruptible } from "./interrupt.ts";
import { type DeviceOptions, type Placement, placementFrom } from "./options.ts";
import { summary } from "./summary.ts";
import type { Terminal } from "./terminal.ts";
import { describeRun } from "./describe-run.ts";
import { weightsIn } from "../training/optimise.ts";

export interface JudgeOptions extends DeviceOptions {
  readonly ladder?: boolean;
}

export async function judgeCommand(given: readonly string[], options: JudgeOptions, terminal: Terminal): Promise<void> {
  const placement = placementFrom(options);
  const judged = await interruptible(terminal, async ({ signal }) => {
    const documents: Record<string, unknown>[] = [];
    for (const one of given) {
      terminal.working(`judging ${one}`);
      documents.push(await judgeRun(await findRun(one), { ...placement, ladder: options.ladder ?? false, signal }));
    }
    terminal.clear();
    return documents;
  });
  terminal.document("judge", { runs: judged });
  terminal.print(judged.map((one) => summary(String(one.run), String(one.path), one)).join("\n\n"));
}

/** The verdict on a run's latest checkpoint, which must be whole: an older one would answer another question. */
async function judgeRun(
  run: RunFolder,
  options: Placement & { readonly ladder: boolean; readonly signal: AbortSignal },
): Promise<Record<string, unknown>> {
  const { document, weights, check } = await openDecomposition(run);
  const { step, tensors } = await run.checkpoints.latest(check);
  const verdict = await judge({ document, weights, components: weightsIn(tensors) }, options);
  return { ...describeRun(run), step, stepsPerSecond: run.record.result?.stepsPerSecond ?? null, ...plain(verdict) };
}
