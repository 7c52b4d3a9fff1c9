/** The run of a method whose components span the network: one stage, one optimiser, no pruning. */
import type { NamedValues, Stepper } from "../../engine/index.ts";
import { foldIn, type Key } from "../../tensor/index.ts";
import { adamWScalars } from "../../training/adamw.ts";
import { type LoopOptions, runStage, type StageResult } from "../../training/loop.ts";
import { savedState, weightsIn } from "../../training/optimise.ts";
import type { Layout } from "../../training/parameters.ts";
import { type Knot, scheduleAt } from "../../training/schedule.ts";

/** What is run. */
export interface FullNetworkRun {
  readonly layout: Layout;
  readonly steps: number;
  /** AdamW's rate over the run. */
  readonly rate: readonly Knot[];
  /** Of the draws of all steps. */
  readonly key: Key;
  /** Components before anything has been learnt. */
  readonly first: () => NamedValues;
  readonly compile: (start: NamedValues) => Promise<Stepper>;
}

/** Takes the steps, from the first or from a checkpoint. */
export async function runFullNetwork(
  { layout, steps, rate, key, first, compile }: FullNetworkRun,
  options: LoopOptions,
): Promise<Omit<StageResult, "tensors"> & { readonly components: NamedValues }> {
  const stepKey = foldIn(key, "steps");
  const stepper = await compile(options.resume?.tensors ?? first());
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
        tensors: savedState(layout),
      },
      options,
    );
    return { ...result, components: weightsIn(tensors) };
  } finally {
    await stepper.dispose();
  }
}
