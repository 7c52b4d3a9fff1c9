/**
 * The training loop: many steps of a compiled program, with progress, cancelling, checkpoints and an eye for numbers that
 * stop being numbers.
 */
import { MechanistError } from "../error.ts";
import { type Device, expectFinite, type NamedValues, type StepInputs, type Stepper } from "../engine/index.ts";

/** How far a run is. */
export interface Progress {
  /** What is being done, a verb for people: `train`, `warm up`, `decompose`. */
  readonly stage: string;
  readonly step: number;
  readonly steps: number;
  /** Steps a second since this stage began in this process. */
  readonly stepsPerSecond: number;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Metrics of one step, for the record. */
export interface MetricsRow {
  readonly step: number;
  readonly stage: string;
  readonly [metric: string]: number | string;
}

/** What steps took: no part of a row, whose numbers are the same on every machine and however often a run was stopped. */
export interface StepCost {
  /** Milliseconds, the mean over the steps since the last row; checkpoints, and programs made anew, are no part of it. */
  readonly msPerStep: number;
  /** Floating-point operations of the products of a step. */
  readonly flopsPerStep: number;
}

/** Everything needed to go on from a step to the same bits. */
export interface Checkpoint {
  readonly step: number;
  readonly tensors: NamedValues;
}

/** What the caller of a run may ask of it. */
export interface LoopOptions {
  readonly signal?: AbortSignal;
  /** Called about ten times a second. */
  readonly onProgress?: (progress: Progress) => void;
  /** Called for every `metricsEvery`-th step and the last. */
  readonly onMetrics?: (row: MetricsRow, took?: StepCost) => void | Promise<void>;
  /** Called at every `checkpointEvery`-th step, where a stage stops, and when the run is cancelled. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void | Promise<void>;
  /** Told before steps begin what they will take: bytes, beside what the process has. */
  readonly onMemory?: (bytes: number) => void;
  readonly resume?: Checkpoint;
  /** Rows that were recorded before the step of `resume`: what is found out over a whole run counts on them. */
  readonly earlier?: readonly MetricsRow[];
  readonly device?: Device;
  /** Bytes; steps that need more are refused before they begin. */
  readonly memoryLimit?: number;
  readonly threads?: number;
  readonly metricsEvery?: number;
  readonly checkpointEvery?: number;
  /** Where rows go that do not fit in memory; absent, what needs that is refused. */
  readonly disk?: RowDisk;
}

/** Files of numbers that are added to, read whole, and removed together. */
export interface RowDisk {
  append(name: string, rows: Float32Array): Promise<void>;
  read(name: string): Promise<Float32Array>;
  clear(): Promise<void>;
}

/** One stage of a run. */
export interface Stage {
  readonly name: string;
  readonly stepper: Stepper;
  /** The first step to take; steps before it were taken earlier. */
  readonly from: number;
  readonly steps: number;
  /** Where to stop for now; absent, after all steps. */
  readonly until?: number;
  /** What step `step`, counted from 0, is given. */
  readonly inputsAt: (step: number) => StepInputs;
  /** The state by the names it is saved under. */
  readonly tensors: (state: NamedValues) => NamedValues;
  /** What becomes of those where it stops, before the checkpoint there has them; absent, nothing. */
  readonly finish?: (tensors: NamedValues) => Promise<NamedValues>;
}

/** Where a stage ended. */
export interface StageResult {
  /** The state as the last checkpoint has it. */
  readonly tensors: NamedValues;
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number;
}

const PROGRESS_INTERVAL = 100; // ms
/** A call that blocks for longer than this would make a page or a progress bar stutter. */
const LONGEST_CALL = 60; // ms

/**
 * Takes the steps of a stage.
 *
 * @throws `Cancelled` after a last checkpoint when the signal aborts; `NotFinite` at the first step whose metrics are not
 *         finite, keeping the checkpoints made before it
 */
export async function runStage(stage: Stage, options: LoopOptions): Promise<StageResult> {
  const { stepper, steps, from, until = steps } = stage;
  const metricsEvery = options.metricsEvery ?? Math.max(1, Math.floor(steps / 500));
  const checkpointEvery = options.checkpointEvery ?? Math.max(1, Math.ceil(steps / 40));
  const began = performance.now();
  let metrics: Record<string, number> = {};
  let reported = 0;
  let perCall = 1;
  let timed = { ms: 0, steps: 0 };
  let last: NamedValues | undefined;
  for (let step = from; step < until;) {
    if (options.signal?.aborted) {
      await options.onCheckpoint?.({ step, tensors: stage.tensors(stepper.state()) });
      throw new MechanistError("Cancelled", `${stage.name}: stopped at step ${step} of ${steps}`, { step });
    }
    const nextCheckpoint = Math.min(until, (Math.floor(step / checkpointEvery) + 1) * checkpointEvery);
    const count = Math.min(perCall, stepper.stepsPerCall, nextCheckpoint - step);
    const callBegan = performance.now();
    const rows = await stepper.advance(Array.from({ length: count }, (_, i) => stage.inputsAt(step + i)));
    const perStep = (performance.now() - callBegan) / count;
    perCall = Math.max(1, Math.min(stepper.stepsPerCall, Math.floor(LONGEST_CALL / perStep)));
    for (let i = 0; i < count; i++) {
      metrics = Object.fromEntries(Object.entries(rows).map(([name, column]) => [name, column[i]!]));
      expectHealthy(stage, step + i, metrics);
      const done = step + i + 1;
      timed = { ms: timed.ms + perStep, steps: timed.steps + 1 };
      if (done % metricsEvery === 0 || done === steps) {
        const cost = { msPerStep: timed.ms / timed.steps, flopsPerStep: stepper.flopsPerStep };
        await options.onMetrics?.({ step: done, stage: stage.name, ...metrics }, cost);
        timed = { ms: 0, steps: 0 };
      }
    }
    step += count;
    const now = performance.now();
    const stepsPerSecond = ((step - from) * 1000) / (now - began);
    if (options.onProgress && (now - reported > PROGRESS_INTERVAL || step === steps)) {
      reported = now;
      options.onProgress({ stage: stage.name, step, steps, stepsPerSecond, metrics });
    }
    if (step === until) {
      const tensors = stage.tensors(stepper.state());
      last = stage.finish ? await stage.finish(tensors) : tensors;
    }
    if (options.onCheckpoint && (step % checkpointEvery === 0 || step === until)) {
      await options.onCheckpoint({ step, tensors: last ?? stage.tensors(stepper.state()) });
    }
    await breathe();
  }
  const tensors = last ?? stage.tensors(stepper.state());
  return { tensors, metrics, stepsPerSecond: ((until - from) * 1000) / (performance.now() - began) };
}

/** Lets timers, signals and requests have their turn between calls. */
function breathe(): Promise<void> {
  return new Promise((resolve) => (typeof setImmediate === "function" ? setImmediate(resolve) : setTimeout(resolve)));
}

function expectHealthy(stage: Stage, step: number, metrics: Readonly<Record<string, number>>): void {
  const bad = Object.entries(metrics).find(([, value]) => !Number.isFinite(value));
  if (bad === undefined) return;
  const where = `${stage.name}: step ${step + 1}`;
  // The weights say more than the metric does: which one went first, and where.
  for (const [name, tensor] of Object.entries(stage.tensors(stage.stepper.state())))
    expectFinite(`${where}: ${name}`, tensor);
  throw new MechanistError(
    "NotFinite",
    `${where}: expected a finite ${bad[0]}, got ${bad[1]}; a lower learning rate may help`,
    {
      step: step + 1,
      metric: bad[0],
    },
  );
}
