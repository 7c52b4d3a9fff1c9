/** `mechanist train`: a network from nothing, in a folder of its own. */
import { environment } from "../run/environment.ts";
import { RunFolder } from "../run/folder.ts";
import { newRunPath } from "../run/runs.ts";
import { lastRow } from "../run/tail.ts";
import type { Checkpoint } from "../training/loop.ts";
import type { TrainDocument, Trained } from "../training/target.ts";
import { resolveTarget, targetNamed, train } from "../training/targets.ts";
import { describeRun, rate } from "./describe-run.ts";
import { duration, shownPath, significant, table } from "./format.ts";
import { interruptible } from "./interrupt.ts";
import { placementFrom, type RunOptions, settingsGiven } from "./options.ts";
import { record, type RecordOptions } from "./record.ts";
import { expectSameSettings, runToResume } from "./resume.ts";
import type { Terminal } from "./terminal.ts";
import { trainDocumentOf } from "./documents.ts";
import { expectTrainState } from "./weights.ts";

export async function trainCommand(target: string, options: RunOptions, terminal: Terminal): Promise<void> {
  const run = await interruptible(terminal, async ({ signal }) => {
    const begun = await startOrResume(target, options, terminal);
    if ("document" in begun) await trainInto(begun.run, begun.document, { ...begun, signal, terminal });
    return begun.run;
  });
  terminal.document("train", { ...describeRun(run), ...run.record.result });
  terminal.print(trainedLine(run));
  const success = (run.record.result?.success ?? []) as unknown as readonly Measured[];
  if (success.length > 0) terminal.print(successTable(success));
}

interface Begun extends Pick<RecordOptions, "device" | "threads" | "resume"> {
  readonly run: RunFolder;
  readonly document: TrainDocument;
}

/** A run with what there is to do; without a document, there is nothing left. */
async function startOrResume(
  target: string,
  options: RunOptions,
  terminal: Terminal,
): Promise<Begun | { readonly run: RunFolder }> {
  const set = await settingsGiven(options);
  const document = resolveTarget(target, { ...(options.preset !== undefined && { preset: options.preset }), set });
  if (options.resume) {
    const what = `a run that trains ${target}`;
    const run = await runToResume(what, options.out, (r) => r.kind === "train" && r.document.target === target);
    if (run !== undefined) {
      expectSameSettings(run, { preset: options.preset, keys: Object.keys(set), document });
      return run.record.status === "finished" ? { run } : resumeTraining(run, options, terminal);
    }
    terminal.note(`nothing to resume yet; ${what} begins`);
  }
  const placement = placementFrom(options);
  return { run: await newTraining(document, options.out, placement), document, ...placement };
}

/** A folder for a training that begins. */
export async function newTraining(
  document: TrainDocument,
  out: string | undefined,
  { device, threads }: Pick<RecordOptions, "device" | "threads">,
): Promise<RunFolder> {
  const path = out ?? (await newRunPath(targetNamed(document.target).title(document.settings)));
  return RunFolder.create(path, { kind: "train", document, environment: environment(device, threads) });
}

async function resumeTraining(run: RunFolder, options: RunOptions, terminal: Terminal): Promise<Begun> {
  const document = await trainDocumentOf(run);
  const placement = placementFrom(options, run.record.environment);
  await run.takeOver(environment(placement.device, placement.threads));
  const check = ({ step, tensors }: Checkpoint): void =>
    expectTrainState(run.checkpoints.pathOf(step), document, tensors);
  const resume = await run.checkpoints.lastGood(check, (why) => terminal.note(why));
  return { run, document, resume, ...placement };
}

/** Trains, keeping everything in the run's folder. */
export function trainInto(run: RunFolder, document: TrainDocument, options: RecordOptions): Promise<Trained> {
  const began = performance.now();
  return record(run, options, async (loop) => {
    const trained = await train(document, loop);
    const loss = trained.metrics.loss ?? (await lastRow(run.metricsPath))?.loss ?? null;
    const seconds = (performance.now() - began) / 1000;
    const result = {
      steps: document.settings.steps,
      loss,
      success: successOf(document, trained.metrics).map((measured) => ({ ...measured })),
      stepsPerSecond: rate(trained.stepsPerSecond),
      seconds,
    };
    return { value: trained, result };
  });
}

/** A number that says whether the network has learnt what it should, with what it means. */
export interface Measured {
  readonly metric: string;
  readonly value: number;
  readonly meaning: string;
}

/** What was measured when training was over, most telling first. */
export function successOf({ target }: TrainDocument, metrics: Trained["metrics"]): Measured[] {
  return targetNamed(target)
    .success.filter(({ metric }) => metrics[metric] !== undefined)
    .map(({ metric, meaning }) => ({ metric, value: metrics[metric]!, meaning }));
}

export function successTable(success: readonly Measured[]): string {
  const shown = (value: number): string => (Number.isInteger(value) ? String(value) : significant(value, 4));
  const rows = success.map(({ metric, value, meaning }) => [`  ${metric}`, shown(value), meaning]);
  return table(["  measured", "", "meaning"], rows);
}

/** One line on a training that has ended. */
export function trainedLine(run: RunFolder): string {
  const { loss, seconds } = run.record.result ?? {};
  return `trained ${run.name} in ${duration(Number(seconds))}: loss ${significant(Number(loss), 3)}  (${shownPath(run.path)})`;
}
