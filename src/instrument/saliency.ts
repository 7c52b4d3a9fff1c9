/**
 * Saliency: how much each part of an input moves an output, by gradients (Simonyan et al. 2013), gradient times input, and integrated gradients
 * (Sundararajan et al. 2017), whose parts sum to the change of the output from a baseline: how nearly is the completeness error.
 *
 * Parts are taken at a hook point, the embeddings of tokens for instance, or at the input of a network of features.
 */
import { type NamedValues, type Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { captured, expectGoingOn, type WorkOptions } from "../intervention/capture.ts";
import {
  batchesOf,
  countOf,
  DEFAULT_MEMORY,
  type Examples,
  picked,
  pickedRun,
  pointSizes,
  rowsWithin,
} from "../intervention/examples.ts";
import { expectDifferentiable } from "../intervention/interpolation.ts";
import type { Metric } from "../intervention/metrics.ts";
import { Programs } from "../intervention/programs.ts";
import type { RunHook, RunnableNetwork, Traced } from "../network/run.ts";
import { gradients, input, sizesOf, sum, type Tensor } from "../tensor/index.ts";
import type { Finding } from "./finding.ts";

export const SALIENCY_KINDS = ["gradient", "gradientTimesInput", "integratedGradients"] as const;
export type SaliencyKind = (typeof SALIENCY_KINDS)[number];

export interface Saliency extends Finding {
  readonly point: string;
  /** The value that the maps are of. */
  readonly value: Values;
  /** Each with the axes of the point, one number for each of its numbers. */
  readonly maps: Readonly<Record<SaliencyKind, Values>>;
  /** The output of each example, and with the baseline in place of the value. */
  readonly output: readonly number[];
  readonly baselineOutput: readonly number[];
  /** The largest difference, over examples, of the sum of integrated gradients from the change of the output. */
  readonly completenessError: number;
  /** Steps of the integral. */
  readonly steps: number;
}

export interface SaliencyQuestion {
  /** Where; the input itself of a network of features has none and is `input`. */
  readonly point: string;
  readonly metric: Metric;
  /** Steps of the integral; 50 unless given. */
  readonly steps?: number;
  /** What integrated gradients come from, one number for every place; 0 unless given. */
  readonly baseline?: number;
  /** Other weights than the network's own: randomised ones. */
  readonly weights?: NamedValues;
}

/** Stands for the input of a network of features. */
export const INPUT = "input";

/** The three maps. */
export async function saliency(
  runnable: RunnableNetwork,
  examples: Examples,
  question: SaliencyQuestion,
  options: WorkOptions = {},
): Promise<Saliency> {
  const { metric, steps = 50, baseline = 0, weights = {} } = question;
  expectDifferentiable(metric);
  const point = question.point === INPUT ? INPUT : runnable.point(question.point).name;
  if (point === INPUT && runnable.network.input.dtype !== "f32") {
    throw new MechanistError("BadArgument", "saliency: expected a hook point of a network of tokens, got its input");
  }
  const program = programOf(point, metric);
  const n = countOf(examples);
  const { signal, onProgress, memoryBytes = DEFAULT_MEMORY } = options;
  const most = rowsWithin(pointSizes(runnable, examples.x), memoryBytes / 4, metric.readsAll);
  const value = point === INPUT ? examples.x : (await captured(runnable, examples, [point], options))[point]!;
  const size = value.data.length / n;
  /** Runs some examples with the value at the point so far along from the baseline. */
  const run = async (rows: readonly number[], along: readonly number[]): Promise<NamedValues> => {
    const { x, ...rest } = pickedRun(examples, rows);
    const own = picked(value, rows);
    const moved = Float64Array.from(own.data, (v, i) => baseline + along[Math.floor(i / size)]! * (v - baseline));
    const given: Values = { ...own, dtype: "f32", data: moved };
    return runnable.compute(point === INPUT ? given : x, program.outputs, {
      ...rest,
      hooks: program.hooks,
      feeds: { ...weights, ...metric.feeds(rows), ...(point !== INPUT && { [VALUE]: given }) },
    });
  };
  /** The gradient and the output of every example, so far along. */
  const everywhere = async (along: number): Promise<{ output: number[]; gradient: Float64Array }> => {
    const output: number[] = [];
    const gradient = new Float64Array(n * size);
    for (const { rows, used } of batchesOf(n, most)) {
      expectGoingOn(signal);
      const found = await run(
        rows,
        rows.map(() => along),
      );
      output.push(...Array.from(found.output!.data.slice(0, used)));
      gradient.set(found.gradient!.data.subarray(0, used * size), rows[0]! * size);
    }
    return { output, gradient };
  };
  const { output, gradient } = await everywhere(1);
  const { output: baselineOutput } = await everywhere(0);
  const path = new Float64Array(n * size);
  // Midpoints: where the network is smooth, the error falls with the square of the number of steps.
  for (let step = 0; step < steps; step++) {
    const found = await everywhere((step + 0.5) / steps);
    for (let i = 0; i < path.length; i++) path[i]! += found.gradient[i]! / steps;
    onProgress?.(step + 1, steps);
  }
  const map = (of: (i: number) => number): Values => ({
    ...value,
    dtype: "f32",
    data: Float64Array.from(path, (_, i) => of(i)),
  });
  const integrated = map((i) => (value.data[i]! - baseline) * path[i]!);
  const errors = output.map((out, e) => {
    let total = 0;
    for (let i = e * size; i < (e + 1) * size; i++) total += integrated.data[i]!;
    return Math.abs(total - (out - baselineOutput[e]!));
  });
  return {
    point,
    value,
    maps: {
      gradient: map((i) => gradient[i]!),
      gradientTimesInput: map((i) => gradient[i]! * value.data[i]!),
      integratedGradients: integrated,
    },
    output,
    baselineOutput,
    completenessError: Math.max(...errors),
    steps,
    n,
    counted: "examples",
    nullDescription: "the same maps after weights are randomised (`saliencyChecks`)",
    doesNotEstablish:
      "what the network would do on another input: a gradient is local, and integrated gradients hang on the baseline; take parts away to learn that",
  };
}

const VALUE = "saliency:value";

interface SaliencyProgram {
  readonly hooks: readonly RunHook[];
  readonly outputs: (traced: Traced) => Record<"output" | "gradient", Tensor>;
}

const PROGRAMS = new Programs<Metric["readout"], SaliencyProgram>();

/** One program for a point and a readout: the value at the point is fed, so that it may lie anywhere between the baseline and its own. */
function programOf(point: string, { readout }: Metric): SaliencyProgram {
  const fed = (value: Tensor): Tensor => input(VALUE, value.axes, sizesOf(value) as never) as Tensor;
  return PROGRAMS.of(readout, point, () => ({
    hooks: point === INPUT ? [] : [{ point, replace: fed }],
    outputs: ({ output, at, x }) => {
      const value = readout(output);
      const [gradient] = gradients(sum(value) as Tensor, [at[point] ?? x]);
      return { output: value, gradient: gradient! };
    },
  }));
}
