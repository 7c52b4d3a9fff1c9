/** The run of a method whose components span the network: one stage, one optimiser, no pruning. */
import type { NamedValues, Stepper } from "../../engine/index.ts";
import { weightInputs, type WeightSpec } from "../../network/network.ts";
import { foldIn, type Key, type Tensor, type Tensors } from "../../tensor/index.ts";
import { adamWScalars } from "../../training/adamw.ts";
import { type LoopOptions, runStage, type StageResult } from "../../training/loop.ts";
import { compileOptimisation, type StepObjective, savedState, weightsIn } from "../../training/optimise.ts";
import { layoutOf } from "../../training/parameters.ts";
import { type Knot, scheduleAt } from "../../training/schedule.ts";
import type { DecompositionTarget } from "./target.ts";
import { movedThreshold } from "./threshold.ts";

type Losses = StepObjective["metrics"];

/** The program of a step: what components are, what they are to do, and what keeps them in bounds afterwards. */
export interface FullNetworkProgram {
  /** Examples a step. */
  readonly batch: number;
  /** The tensors of components, and the threshold above which one is active. */
  readonly weights: readonly WeightSpec[];
  /** From the network's own weights, components, and a batch of data. */
  readonly objective: (given: Tensors, components: Tensors, x: Tensor) => Losses & { readonly threshold: Tensor<""> };
  /** Those of the components that a step leaves elsewhere than they have to be, where they have to be. */
  readonly normalised?: (components: Tensors) => Tensors;
}

/** What is run. */
export interface FullNetworkRun extends FullNetworkProgram {
  readonly steps: number;
  /** AdamW's rate over the run. */
  readonly rate: readonly Knot[];
  /** Of the draws of all steps. */
  readonly key: Key;
  /** Components before anything has been learnt. */
  readonly first: () => NamedValues;
}

/** The program of a step, compiled and loaded. */
export function compileFullNetwork(
  { network, weights, tables, batch }: DecompositionTarget,
  program: FullNetworkProgram,
  start: NamedValues,
  options: LoopOptions,
): Promise<Stepper> {
  const given = weightInputs(network.weights);
  const x = batch(program.batch);
  return compileOptimisation(
    {
      layout: layoutOf(program.weights),
      start,
      objective: (components) => program.objective(given, components, x),
      after: (components, { threshold }) => ({
        ...program.normalised?.(components),
        threshold: movedThreshold(components, threshold as Tensor<"">),
      }),
      fixed: { ...tables, ...weights },
    },
    options,
  );
}

/** Takes the steps, from the first or from a checkpoint. */
export async function runFullNetwork(
  target: DecompositionTarget,
  run: FullNetworkRun,
  options: LoopOptions,
): Promise<Omit<StageResult, "tensors"> & { readonly components: NamedValues }> {
  const { weights, steps, rate, key, first } = run;
  const stepKey = foldIn(key, "steps");
  const stepper = await compileFullNetwork(target, run, options.resume?.tensors ?? first(), options);
  try {
    const { tensors, ...result } = await runStage(
      {
        name: "decompose",
        stepper,
        from: options.resume?.step ?? 0,
        steps,
        inputsAt: (step) => ({
          key: foldIn(stepKey, step),
          scalars: adamWScalars(step + 1, scheduleAt(rate, step, steps)),
        }),
        tensors: savedState(layoutOf(weights)),
      },
      options,
    );
    return { ...result, components: weightsIn(tensors) };
  } finally {
    await stepper.dispose();
  }
}
