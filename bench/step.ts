/** One SPD training step as a benchmark: the published presets' steps, timed after a warm-up, in a process of their own. */
import { compileDecomposition, decompositionInputs, firstComponents } from "../src/decomposition/parameter/run.ts";
import { parameterGroups } from "../src/decomposition/parameter/groups.ts";
import { importanceFunction } from "../src/decomposition/parameter/importance/settings.ts";
import { slotsAskedFor } from "../src/decomposition/parameter/slots.ts";
import { parameterSettings } from "../src/decomposition/parameter/settings.ts";
import { PUBLISHED } from "../src/decomposition/parameter/presets/spd.ts";
import { foldIn, keyFromSeed } from "../src/tensor/index.ts";
import { resolveTarget, targetNamed, train } from "../src/training/targets.ts";

export interface StepBenchmark {
  readonly config: string;
  readonly backend: "mechanist";
  readonly threads: number;
  /** Median over calls. */
  readonly msPerStep: number;
  readonly stepsPerSecond: number;
  readonly peakMemoryBytes: number;
  /** The share of the time spent outside ONNX Runtime: random numbers, JavaScript, copies. */
  readonly outsideShare: number;
}

export const CONFIGS = ["tms-5-2", "tms-5-2-id", "tms-40-10"] as const;

/** Times `calls` calls, each of a few steps. */
export async function benchmarkStep(
  config: string,
  options: { threads: number; seconds: number; profile?: string },
): Promise<StepBenchmark> {
  const { threads } = options;
  const document = resolveTarget("tms", { preset: config, set: { steps: 50, batch: 256 } });
  const { weights } = await train(document, { threads });
  const target = targetNamed("tms");
  const settings = parameterSettings.parse(PUBLISHED[config]!.settings);
  const subject = {
    network: target.network(document.settings),
    weights,
    batch: (size: number) => target.batch("data", document.settings, size),
  };
  const key = keyFromSeed(0);
  const importance = importanceFunction(settings, subject.network);
  const slots = slotsAskedFor(subject.network, settings);
  const groups = parameterGroups(slots, importance, settings);
  const first = firstComponents({ target: subject, settings, importance, slots, key: foldIn(key, "bench") });
  const { profile } = options;
  const stepper = await compileDecomposition({ target: subject, settings, importance }, groups, first, {
    threads,
    ...(profile !== undefined && { profile }),
  });
  const inputsAt = decompositionInputs(settings, key);
  const perCall = Math.min(stepper.stepsPerCall, 4);
  let step = 0;
  const call = async (): Promise<number> => {
    const began = performance.now();
    await stepper.advance(Array.from({ length: perCall }, () => inputsAt(step++)));
    return (performance.now() - began) / perCall;
  };
  for (let i = 0; i < 5; i++) await call();
  const before = { ...stepper.timing };
  const times: number[] = [];
  for (const began = performance.now(); performance.now() - began < options.seconds * 1000 || times.length < 5;) {
    times.push(await call());
  }
  const { timing } = stepper;
  const msPerStep = times.sort((a, b) => a - b)[times.length >> 1]!;
  const result = {
    config,
    backend: "mechanist" as const,
    threads,
    msPerStep,
    stepsPerSecond: 1000 / msPerStep,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    outsideShare: 1 - (timing.session - before.session) / (timing.total - before.total),
  };
  await stepper.dispose();
  return result;
}
