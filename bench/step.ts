/** One training step of a decomposition as a benchmark: timed after a warm-up, in a process of its own. */
import { adversaryStart } from "../src/decomposition/parameter/masks/adversary.ts";
import { isPersistent, persistentSpecs } from "../src/decomposition/parameter/losses/adversarial-reconstructions.ts";
import { compileDecomposition, decompositionInputs, firstComponents } from "../src/decomposition/parameter/run.ts";
import { parameterGroups } from "../src/decomposition/parameter/optimisation/groups.ts";
import { importanceFunction } from "../src/decomposition/parameter/importance/function.ts";
import { slotsAskedFor } from "../src/decomposition/parameter/optimisation/slots.ts";
import type { NamedValues, StepInputs, Stepper } from "../src/engine/index.ts";
import { foldIn, keyFromSeed, sizesOf, type Tensor } from "../src/tensor/index.ts";
import { stepSubject, type StepSubject, type SubjectSizes } from "./step-subject.ts";

export interface StepBenchmark {
  readonly config: string;
  readonly backend: "mechanist";
  readonly threads: number;
  /** Median over calls. */
  readonly msPerStep: number;
  /** The fastest call: the least that other work on the machine has slowed down. */
  readonly leastMs: number;
  /** Processor time of all threads a step. */
  readonly cpuMsPerStep: number;
  readonly stepsPerSecond: number;
  readonly peakMemoryBytes: number;
  /** The share of the time spent outside ONNX Runtime: random numbers, JavaScript, copies. */
  readonly outsideShare: number;
}

export interface StepBenchmarkOptions extends SubjectSizes {
  readonly threads: number;
  readonly seconds: number;
  readonly profile?: string;
}

/** A step ready to be taken, from the start of a run without its warm-up. */
export interface ReadyStep {
  readonly stepper: Stepper;
  readonly start: NamedValues;
  readonly inputsAt: (step: number) => StepInputs;
}

/** The rows of a batch: each position of each example is one. */
export function rowsOfBatch(x: Tensor): { readonly example: number; readonly pos: number } {
  const { batch, pos = 1 } = sizesOf(x) as { batch: number; pos?: number };
  return { example: batch, pos };
}

/** Compiles a subject's step. */
export async function readyStep(
  { target, settings }: StepSubject,
  options: { threads: number; profile?: string },
): Promise<ReadyStep> {
  const key = keyFromSeed(0);
  const importance = importanceFunction(settings, target.network);
  const slots = slotsAskedFor(target.network, settings);
  const groups = parameterGroups(slots, importance, settings);
  const components = firstComponents({ target, settings, importance, slots, key: foldIn(key, "bench") });
  const rows = rowsOfBatch(target.batch(settings.batch));
  const start = {
    ...components,
    ...(isPersistent(settings) && adversaryStart(persistentSpecs(slots, rows, settings), foldIn(key, "adversary"))),
  };
  const stepper = await compileDecomposition({ target, settings, importance }, groups, start, options);
  return { stepper, start, inputsAt: decompositionInputs(settings, key) };
}

/** Times calls, each of a few steps. */
export async function benchmarkStep(config: string, options: StepBenchmarkOptions): Promise<StepBenchmark> {
  const { threads, profile, seconds, ...sizes } = options;
  const subject = await stepSubject(config, sizes, threads);
  const { stepper, inputsAt } = await readyStep(subject, { threads, ...(profile !== undefined && { profile }) });
  const perCall = Math.min(stepper.stepsPerCall, 4);
  let step = 0;
  const call = async (): Promise<number> => {
    const began = performance.now();
    await stepper.advance(Array.from({ length: perCall }, () => inputsAt(step++)));
    return (performance.now() - began) / perCall;
  };
  // Where a step takes seconds the first call is warm-up enough.
  for (let i = 0, spent = 0; i < 5 && spent < 3000; i++) spent += (await call()) * perCall;
  const before = { ...stepper.timing };
  const worked = process.cpuUsage();
  const times: number[] = [];
  for (const began = performance.now(); performance.now() - began < seconds * 1000 || times.length < 2;) {
    times.push(await call());
  }
  const { user, system } = process.cpuUsage(worked);
  const { timing } = stepper;
  times.sort((a, b) => a - b);
  const msPerStep = times[times.length >> 1]!;
  const result = {
    config,
    backend: "mechanist" as const,
    threads,
    msPerStep,
    leastMs: times[0]!,
    cpuMsPerStep: (user + system) / 1000 / (times.length * perCall),
    stepsPerSecond: 1000 / msPerStep,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    outsideShare: 1 - (timing.session - before.session) / (timing.total - before.total),
  };
  await stepper.dispose();
  return result;
}
