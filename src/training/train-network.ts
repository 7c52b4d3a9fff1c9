/** Training a network from its first weights to its last: the same few lines for every target. */
import type { NamedValues } from "../engine/index.ts";
import { foldIn, keyFromSeed, type Tensor, type Tensors } from "../tensor/index.ts";
import { type Network, weightInputs } from "../network/network.ts";
import { type AdamWOptions, adamWScalars } from "./adamw.ts";
import { type LoopOptions, runStage } from "./loop.ts";
import { compileOptimisation, savedState, weightsIn } from "./optimise.ts";
import { layoutOf } from "./parameters.ts";
import { type Knot, scheduleAt } from "./schedule.ts";
import type { Trained } from "./target.ts";

/** What is trained, on what, and how. */
export interface NetworkTraining {
  readonly network: Pick<Network, "weights">;
  /** Weights to start from, where a run does not go on from a checkpoint; frozen ones stay. */
  readonly start: NamedValues;
  /** The loss, and whatever else is to be reported, of the weights on freshly drawn data. */
  readonly objective: (weights: Tensors) => Readonly<Record<string, Tensor<"">>> & { readonly loss: Tensor<""> };
  /** See `Target.tables`. */
  readonly tables?: NamedValues;
  readonly steps: number;
  /** The first step's number; 0 unless an earlier attempt had the steps before. */
  readonly first?: number;
  /** Of the data of each step. */
  readonly seed: number;
  /** AdamW's rate over the run. */
  readonly learningRate: readonly Knot[];
  readonly adamW?: AdamWOptions;
  /** Clips the gradient's global norm; 0 or absent: never. */
  readonly clipNorm?: number;
}

/** Trains by AdamW. What a step draws depends on the seed and the step's number alone, so that a resumed run has the same bits. */
export async function trainNetwork(what: NetworkTraining, options: LoopOptions = {}): Promise<Trained> {
  const { steps, adamW = {}, first = 0 } = what;
  const frozen = what.network.weights.filter((spec) => spec.frozen);
  const layout = layoutOf(what.network.weights.filter((spec) => !spec.frozen));
  const kept = Object.fromEntries(frozen.map(({ name }) => [name, what.start[name]!]));
  const fixed = { ...what.tables, ...kept };
  // A checkpoint of an earlier attempt has nothing to do with this one.
  const resume = options.resume !== undefined && options.resume.step > first ? options.resume : undefined;
  const stepper = await compileOptimisation(
    {
      layout,
      objective: (weights) => what.objective({ ...weightInputs(frozen), ...weights }),
      start: resume?.tensors ?? what.start,
      adamW,
      ...(what.clipNorm !== undefined && { clipNorm: what.clipNorm }),
      ...(Object.keys(fixed).length > 0 && { fixed }),
    },
    options,
  );
  const stepKey = foldIn(keyFromSeed(what.seed), "steps");
  try {
    const { tensors, ...result } = await runStage(
      {
        name: "train",
        stepper,
        from: resume?.step ?? first,
        steps: first + steps,
        inputsAt: (step) => ({
          key: foldIn(stepKey, step),
          scalars: adamWScalars(step - first + 1, scheduleAt(what.learningRate, step - first, steps), adamW),
        }),
        tensors: (state) => ({ ...kept, ...savedState(layout)(state) }),
      },
      options,
    );
    return { ...result, weights: weightsIn(tensors) };
  } finally {
    await stepper.dispose();
  }
}
