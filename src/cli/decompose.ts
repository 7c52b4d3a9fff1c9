/** `mechanist decompose`: a trained network taken apart, in a folder of its own that needs no other. */
import { decompose, type DecomposeDocument, resolveMethod } from "../decomposition/methods.ts";
import { expectFinite, type NamedValues } from "../engine/values.ts";
import { MechanistError } from "../error.ts";
import { judge, type Verdict } from "../evidence/judge.ts";
import type { DecomposeRecord, RunRecord } from "../run/document.ts";
import { environment } from "../run/environment.ts";
import { RunFolder } from "../run/folder.ts";
import { effectiveStatus } from "../run/process.ts";
import { findRun, newRunPath } from "../run/runs.ts";
import type { Checkpoint } from "../training/loop.ts";
import type { TrainDocument } from "../training/target.ts";
import { describeRun, rate } from "./describe-run.ts";
import { decomposeDocumentOf, fromFile, trainDocumentOf } from "./documents.ts";
import { interruptible } from "./interrupt.ts";
import { placementFrom, readConfig, type RunOptions, settingsGiven } from "./options.ts";
import { record, type RecordOptions } from "./record.ts";
import { type Asked, expectSameSettings, runToResume } from "./resume.ts";
import { summary } from "./summary.ts";
import type { Terminal } from "./terminal.ts";
import { plainly, watched } from "./watch.ts";
import { expectDecomposeState, expectTrainState, networkWeights } from "./weights.ts";

export interface DecomposeOptions extends RunOptions {
  readonly method: string;
  readonly config?: string;
  /** A folder of components that were made elsewhere. */
  readonly from?: string;
}

export async function decomposeCommand(
  given: string,
  options: DecomposeOptions & { readonly jobs?: string },
  terminal: Terminal,
): Promise<void> {
  if (options.jobs !== undefined) {
    throw new MechanistError("BadArgument", "--jobs: expected --seeds with it, got none");
  }
  const { importOne } = await import("./import-components.ts");
  const run = await interruptible(terminal, ({ signal }) =>
    options.from === undefined
      ? decomposeOne(given, options, terminal, signal)
      : importOne(given, { ...options, from: options.from }, terminal, signal),
  );
  const result = run.record.result ?? {};
  terminal.document("decompose", { ...describeRun(run), ...result });
  terminal.print(summary(run.name, run.path, result));
}

/** A decomposition of a run, made or gone on with. */
export async function decomposeOne(
  given: string,
  options: DecomposeOptions,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<RunFolder> {
  const begun = await startOrResume(await findRun(given), options, terminal);
  if ("document" in begun) await decomposeInto(begun.run, begun, { ...begun, signal, terminal });
  return begun.run;
}

/** What a decomposition starts from. */
export interface Subject {
  readonly document: DecomposeDocument;
  readonly weights: NamedValues;
}

interface Begun extends Subject, Pick<RecordOptions, "device" | "threads" | "resume"> {
  readonly run: RunFolder;
}

/** A run with what there is to do; without a document, there is nothing left. */
async function startOrResume(
  source: RunFolder,
  options: DecomposeOptions,
  terminal: Terminal,
): Promise<Begun | { readonly run: RunFolder }> {
  if (source.record.kind === "decompose") {
    if (!options.resume) {
      throw new MechanistError(
        "BadArgument",
        `${source.name}: expected a train run, got a decomposition; --resume goes on with it`,
      );
    }
    return resumeDecomposing(source, options, terminal);
  }
  const subject = await subjectOf(source, options);
  if (options.resume) {
    const run = await decompositionToResume(source, options, subject);
    if (run !== undefined) return resumeDecomposing(run, options, terminal);
    terminal.note(`nothing to resume yet; a decomposition of ${source.name} by ${options.method} begins`);
  }
  const placement = placementFrom(options);
  const { document, weights } = subject;
  return { run: await newDecomposition(source, subject, options.out, placement), document, weights, ...placement };
}

/** The network of a finished training, and what is asked to be done with it. */
async function subjectOf(source: RunFolder, options: DecomposeOptions): Promise<Subject & AskedDecomposition> {
  const asked = await askedOf(await trainDocumentOf(source), options);
  return { ...asked, weights: await trainedWeights(source) };
}

interface AskedDecomposition extends Asked {
  readonly document: DecomposeDocument;
}

/** What is asked to be done with a network, held against the settings there are. */
export async function askedOf(target: TrainDocument, options: DecomposeOptions): Promise<AskedDecomposition> {
  const config = options.config === undefined ? { settings: {} } : await readConfig(options.config);
  const preset = options.preset ?? config.preset;
  const set = { ...config.settings, ...(await settingsGiven(options)) };
  const document = resolveMethod(options.method, { target, ...(preset !== undefined && { preset }), set });
  return { document, preset, keys: Object.keys(set) };
}

/** The decomposition of a network that `--resume` goes on with, if there is one. */
export async function decompositionToResume(
  source: RunFolder,
  { method, out }: DecomposeOptions,
  asked: Asked,
): Promise<RunFolder | undefined> {
  const isMeant = (r: RunRecord): boolean =>
    r.kind === "decompose" && r.document.method === method && r.parent?.digest === source.record.digest;
  const run = await runToResume(`a decomposition of ${source.name} by ${method}`, out, isMeant);
  if (run !== undefined) expectSameSettings(run, asked);
  return run;
}

/** @throws `BadFile` when the training has not ended, or ended with something else than a network of finite numbers */
export async function trainedWeights(source: RunFolder): Promise<NamedValues> {
  const status = effectiveStatus(source.record);
  if (status !== "finished") {
    throw new MechanistError(
      "BadFile",
      `${source.path}: expected a finished training, got one that is ${status}; train --resume finishes it`,
    );
  }
  const document = await trainDocumentOf(source);
  const where = (step: number): string => source.checkpoints.pathOf(step);
  const latest = await source.checkpoints.latest(({ step, tensors }) =>
    expectTrainState(where(step), document, tensors),
  );
  const weights = networkWeights(where(latest.step), document, latest.tensors);
  fromFile(where(latest.step), () => {
    for (const [name, tensor] of Object.entries(weights)) expectFinite(name, tensor);
  });
  return weights;
}

/** A folder for a decomposition that begins. */
export async function newDecomposition(
  source: RunFolder,
  { document, weights }: Subject,
  out: string | undefined,
  { device, threads }: Pick<RecordOptions, "device" | "threads">,
): Promise<RunFolder> {
  const path = out ?? (await newRunPath(`${source.name}-${document.method}`));
  const parent = { name: source.name, digest: source.record.digest };
  return RunFolder.create(
    path,
    { kind: "decompose", document, parent, environment: environment(device, threads) },
    weights,
  );
}

async function resumeDecomposing(
  run: RunFolder,
  options: DecomposeOptions,
  terminal: Terminal,
): Promise<Begun | { readonly run: RunFolder }> {
  if (run.record.status === "finished") return { run };
  const { document, weights, check } = await openDecomposition(run);
  const placement = placementFrom(options, run.record.environment);
  await run.takeOver(environment(placement.device, placement.threads));
  const resume = await run.checkpoints.lastGood(check, (why) => terminal.note(why));
  return { run, document, weights, resume, ...placement };
}

/** What a decomposition's folder says it is of, with a check of its checkpoints. */
export async function openDecomposition(run: RunFolder): Promise<Subject & { check(checkpoint: Checkpoint): void }> {
  const document = await decomposeDocumentOf(run);
  const weights = networkWeights(run.targetPath, document.target, await run.loadTarget());
  const check = ({ step, tensors }: Checkpoint): void =>
    expectDecomposeState(run.checkpoints.pathOf(step), document, weights, tensors);
  return { document, weights, check };
}

/** What `run.json` keeps of a decomposition. */
type DecomposeResult = NonNullable<DecomposeRecord["result"]>;

/** Takes a network apart and judges what came out, keeping everything in the run's folder. */
export function decomposeInto(
  run: RunFolder,
  { document, weights }: Subject,
  options: RecordOptions,
): Promise<Verdict> {
  return record(run, options, async (loop) => {
    const { value: decomposed, warned } = await watched(
      run,
      { document, weights },
      loop,
      options.terminal,
      (watching) => decompose(document, weights, watching),
    );
    options.terminal.working("judging");
    const verdict = await judge(decomposed, {
      signal: options.signal,
      device: options.device,
      ...(options.threads && { threads: options.threads }),
    });
    const result = {
      steps: document.settings.steps,
      stepsPerSecond: rate(decomposed.stepsPerSecond),
      ...plain(verdict),
      ...(warned.length > 0 && { warned: plainly(warned) }),
    };
    return { value: verdict, result };
  });
}

/** A verdict as `run.json` and `--json` have it: its version is theirs. */
export function plain({ schema: _, ...verdict }: Verdict): DecomposeResult {
  return JSON.parse(JSON.stringify(verdict)) as DecomposeResult;
}
