/** Running stochastic parameter decomposition: a faithfulness warm-up, then the objective, both by AdamW. */
import type { NamedValues, Stepper } from "../../engine/index.ts";
import { type Network, type Site, weightInputs } from "../../network/network.ts";
import { adamWScalars } from "../../training/adamw.ts";
import { type Checkpoint, type LoopOptions, runStage, type StageResult } from "../../training/loop.ts";
import {
  compileOptimisation,
  type OptimisationOptions,
  savedState,
  weightsOf,
  withZerosAtRest,
} from "../../training/optimise.ts";
import { type Layout, layoutOf } from "../../training/parameters.ts";
import { constantSchedule, cosineSchedule, type Knot, linearSchedule, scheduleAt } from "../../training/schedule.ts";
import { foldIn, input, type Key, keyFromSeed, type Tensor } from "../../tensor/index.ts";
import { faithfulness } from "./losses/faithfulness.ts";
import { spdObjective } from "./objective.ts";
import { componentWeights } from "./parameter-decomposition.ts";
import { prune } from "./prune.ts";
import { importanceFunction, type SpdSettings } from "./settings.ts";
import type { Slots } from "./importance/importance.ts";
import { initialSubcomponents, subcomponentsOf, subcomponentWeights, weightDelta } from "./subcomponents.ts";

/** A network, its weights, and the data it is taken apart on. */
export interface SpdTarget {
  readonly network: Network;
  readonly weights: NamedValues;
  /** A batch of inputs, as a program of draws. */
  readonly batch: (size: number) => Tensor;
  /** Tables that batches are drawn from, the same at every step. */
  readonly tables?: NamedValues;
}

/** What a run found. */
export interface SpdResult extends Omit<StageResult, "tensors"> {
  /** `<site>.V`, `<site>.U` and `<site>.gate.…` for each site. */
  readonly components: NamedValues;
}

/** Takes a network apart. */
export async function spd(target: SpdTarget, settings: SpdSettings, options: LoopOptions = {}): Promise<SpdResult> {
  const key = keyFromSeed(settings.seed);
  const layout = layoutOf(componentWeights(slotsIn(target, settings), importanceFunction(settings)));
  let reached: Checkpoint = options.resume ?? {
    step: 0,
    tensors: await warmUp(target, settings, firstComponents(target, settings, key), options),
  };
  let result = { metrics: {}, stepsPerSecond: 0 };
  const stops = new Set([pruneStep(settings), settings.steps]);
  for (const until of [...stops].filter((stop) => stop > reached.step)) {
    const { tensors, ...rest } = await decomposeUntil(until, target, settings, layout, reached, options);
    reached = { step: until, tensors };
    result = rest;
  }
  return { ...result, components: weightsOf(layout, reached.tensors) };
}

/** After how many steps components are pruned; after all of them where none ever is. */
function pruneStep({ pruneBelow, pruneAt, steps }: SpdSettings): number {
  return pruneBelow > 0 ? Math.max(1, Math.round(pruneAt * steps)) : steps;
}

/** The main stage from a checkpoint to a step, with the pruning if it is due then. */
async function decomposeUntil(
  until: number,
  target: SpdTarget,
  settings: SpdSettings,
  layout: Layout,
  from: Checkpoint,
  options: LoopOptions,
): Promise<StageResult> {
  const { network, weights, batch, tables = {} } = target;
  const { pruneBelow: below, steps } = settings;
  const key = keyFromSeed(settings.seed);
  const importance = importanceFunction(settings);
  const subject = { network, weights, tables, importance, x: batch(settings.batch), below, key: foldIn(key, "prune") };
  const finish = async (tensors: NamedValues): Promise<NamedValues> =>
    withZerosAtRest(layout, await prune(subject, tensors, options));
  const stepper = await compileSpd(target, settings, layout, from.tensors, options);
  try {
    return await runStage(
      {
        name: "decompose",
        stepper,
        from: from.step,
        until,
        steps,
        inputsAt: spdInputs(settings, key),
        tensors: savedState(layout),
        ...(below > 0 && until === pruneStep(settings) && { finish }),
      },
      options,
    );
  } finally {
    await stepper.dispose();
  }
}

/** What each step of the main stage is given. */
export function spdInputs(
  settings: SpdSettings,
  key: Key,
): (step: number) => { key: Key; scalars: Record<string, number> } {
  const rate = cosineSchedule(settings.learningRate, settings.finalLearningRate);
  const exponent = linearSchedule(settings.pStart, settings.pEnd);
  const scaleAt = importanceScale(settings);
  const stepKey = foldIn(key, "steps");
  return (step) => ({
    key: foldIn(stepKey, step),
    scalars: {
      ...adamWScalars(step + 1, scheduleAt(rate, step, settings.steps)),
      p: scheduleAt(exponent, step, settings.steps),
      importanceScale: scaleAt(step),
    },
  });
}

/** What importance minimality's coefficient is multiplied by: the rise from 0, times the fall to its end; they may overlap. */
function importanceScale({
  importanceRise,
  importanceFall,
  importanceEnd,
  steps,
}: SpdSettings): (step: number) => number {
  const rise = importanceRise > 0 ? linear([0, 0], [importanceRise, 1]) : constantSchedule(1);
  const fall = importanceFall < 1 ? linear([importanceFall, 1], [1, importanceEnd]) : constantSchedule(1);
  return (step) => scheduleAt(rise, step, steps) * scheduleAt(fall, step, steps);
}

function linear(...points: readonly (readonly [at: number, value: number])[]): readonly Knot[] {
  return points.map(([at, value]) => ({ at, value }));
}

/** Components and gates before anything has been learnt. */
export function firstComponents(target: SpdTarget, settings: SpdSettings, key: Key): NamedValues {
  const own = foldIn(key, "components");
  const slots = slotsIn(target, settings);
  return Object.assign(
    importanceFunction(settings).start(slots, own),
    ...slots.map(({ site, C }) => initialSubcomponents(site, C, own)),
  ) as NamedValues;
}

/** How many slots each site has. */
function slotsIn({ network }: SpdTarget, { components }: SpdSettings): Slots[] {
  return network.sites.map((site) => ({ site, C: components }));
}

/** The main stage's program, compiled and loaded. */
export function compileSpd(
  target: SpdTarget,
  settings: SpdSettings,
  layout: Layout,
  start: NamedValues,
  options: OptimisationOptions = {},
): Promise<Stepper> {
  const x = target.batch(settings.batch);
  // A fixed exponent is written into the program, where squares and plain sums are cheaper than powers.
  const p = settings.pStart === settings.pEnd ? settings.pStart : input("p", "", {});
  const steady = settings.importanceRise === 0 && settings.importanceFall === 1;
  const importanceScale = steady ? 1 : input("importanceScale", "", {});
  const weights = weightInputs(target.network.weights);
  return compileOptimisation(
    {
      layout,
      start,
      objective: (components) => ({
        ...spdObjective(
          target.network,
          weights,
          components,
          importanceFunction(settings),
          x,
          { p, importanceScale },
          settings,
        ),
      }),
      fixed: { ...target.weights, ...target.tables },
      clipNorm: settings.clipNorm,
    },
    options,
  );
}

/** Faithfulness alone, on the subcomponents alone. */
async function warmUp(
  { network, weights: given }: SpdTarget,
  settings: SpdSettings,
  start: NamedValues,
  options: LoopOptions,
): Promise<NamedValues> {
  if (settings.warmupSteps === 0) return start;
  const layout = layoutOf(network.sites.flatMap((site) => subcomponentWeights(site, settings.components)));
  const weights = weightInputs(network.weights);
  const stepper = await compileOptimisation(
    {
      layout,
      start,
      objective: (components) => {
        const delta = (site: Site): Tensor<"d_in d_out"> =>
          weightDelta(network.matrix(weights, site.name), subcomponentsOf(components, site));
        return { loss: faithfulness(network.sites.map(delta)) };
      },
      fixed: given,
      adamW: { weightDecay: settings.warmupWeightDecay },
    },
    options,
  );
  try {
    const { signal, onProgress } = options;
    const { tensors } = await runStage(
      {
        name: "warm up",
        stepper,
        from: 0,
        steps: settings.warmupSteps,
        inputsAt: (step) => ({ key: [0, 0], scalars: adamWScalars(step + 1, settings.warmupLearningRate) }),
        tensors: savedState(layout),
      },
      { ...(signal && { signal }), ...(onProgress && { onProgress }) },
    );
    return { ...start, ...weightsOf(layout, tensors) };
  } finally {
    await stepper.dispose();
  }
}
