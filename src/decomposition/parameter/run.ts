/** Running parameter decomposition: a faithfulness warm-up, then the objective, with pruning on the way. */
import type { NamedValues, Stepper } from "../../engine/index.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { foldIn, type Key, keyFromSeed, type Tensor } from "../../tensor/index.ts";
import { adamWScalars } from "../../training/adamw.ts";
import { type Checkpoint, type LoopOptions, runStage, type StageResult } from "../../training/loop.ts";
import {
  compileGroups,
  compileOptimisation,
  type OptimisationOptions,
  savedGroups,
  savedState,
  weightsIn,
} from "../../training/optimise.ts";
import { layoutOf } from "../../training/parameters.ts";
import { constantSchedule, type Knot, scheduleAt } from "../../training/schedule.ts";
import { isPersistent, persistentSpecs } from "./losses/adversarial-reconstructions.ts";
import { adversaryScalars, adversaryStart } from "./masks/adversary.ts";
import { groupScalars, parameterGroups } from "./optimisation/groups.ts";
import type { ImportanceFunction, Slots } from "./importance/importance.ts";
import { importanceFunction } from "./importance/function.ts";
import { rowsIn } from "./masks/masked-product.ts";
import { decompositionObjective } from "./losses/objective.ts";
import { prune } from "./optimisation/prune.ts";
import { scheduledScalars } from "./optimisation/schedules.ts";
import type { ParameterSettings } from "./settings.ts";
import { inAllSlots, slotsAskedFor, slotsInUse, withSlots } from "./optimisation/slots.ts";
import { firstMeans, frequencyScalars } from "./losses/sparsity.ts";
import { startsFaithful, startSubcomponents } from "./optimisation/start.ts";
import { subcomponentWeights } from "./subcomponents.ts";
import { faithfulnessOf } from "./losses/weight-terms.ts";

/** A network, its weights, and the data it is taken apart on. */
export interface DecompositionTarget {
  readonly network: Network;
  readonly weights: NamedValues;
  /** A batch of inputs, as a program of draws. */
  readonly batch: (size: number) => Tensor;
  /** In a targeted decomposition, a batch of the inputs whose mechanisms are wanted; `batch` is then everything else. */
  readonly targeted?: (size: number) => Tensor;
  /** Tables that batches are drawn from, the same at every step. */
  readonly tables?: NamedValues;
}

/** What a run found. */
export interface DecompositionResult extends Omit<StageResult, "tensors"> {
  /** `<site>.V`, `<site>.U` for each site, and the weights of what predicts importances. */
  readonly components: NamedValues;
}

/** Everything that stays the same in the course of a run. */
export interface Plan {
  readonly target: DecompositionTarget;
  readonly settings: ParameterSettings;
  readonly importance: ImportanceFunction;
  readonly slots: readonly Slots[];
  readonly key: Key;
}

/** Takes a network apart. */
export async function decomposeParameters(
  target: DecompositionTarget,
  settings: ParameterSettings,
  options: LoopOptions = {},
): Promise<DecompositionResult> {
  const importance = importanceFunction(settings, target.network);
  const slots = slotsAskedFor(target.network, settings);
  const plan = { target, settings, importance, slots, key: keyFromSeed(settings.seed) };
  let reached: Checkpoint = options.resume ?? { step: 0, tensors: await firstState(plan, options) };
  let result = { metrics: {}, stepsPerSecond: 0 };
  const stops = [...new Set([...pruneSteps(settings), settings.steps])].filter((stop) => stop > reached.step);
  for (const until of stops) {
    const { tensors, ...rest } = await decomposeUntil(until, plan, reached, options);
    reached = { step: until, tensors };
    result = rest;
  }
  return { ...result, components: weightsIn(reached.tensors) };
}

/** After which steps components are pruned. */
function pruneSteps({ pruneBelow, pruneAt, pruneEvery, steps }: ParameterSettings): number[] {
  if (pruneBelow === 0) return [];
  const times = pruneEvery === 0 ? 1 : 1 + Math.floor((1 - pruneAt) / pruneEvery + 1e-9);
  return Array.from({ length: times }, (_, i) => Math.max(1, Math.round((pruneAt + i * pruneEvery) * steps)));
}

/** The main stage from a checkpoint to a step, with the pruning if it is due then. */
async function decomposeUntil(until: number, plan: Plan, from: Checkpoint, options: LoopOptions): Promise<StageResult> {
  const { target, settings, importance, slots, key } = plan;
  const { network, weights, batch, targeted, tables } = target;
  const sites = network.sites;
  const used = slotsInUse(slots, from.tensors);
  const start = withSlots(from.tensors, sites, used);
  const left = slots.map(({ site }) => ({ site, C: used[site.name]!.length }));
  const groups = parameterGroups(left, importance, settings);
  const stepper = await compileDecomposition(plan, groups, start, options);
  options.onMemory?.(stepper.memoryBytes);
  const x = (targeted ?? batch)(targeted ? settings.targetBatch : settings.batch);
  const subject = {
    ...{ network, weights, importance, x, below: settings.pruneBelow, key: foldIn(foldIn(key, "prune"), until) },
    ...(tables && { tables }),
  };
  const finish = async (tensors: NamedValues): Promise<NamedValues> => prune(subject, tensors, options);
  try {
    return await runStage(
      {
        name: "decompose",
        stepper,
        from: from.step,
        until,
        steps: settings.steps,
        inputsAt: decompositionInputs(settings, key),
        tensors: (state) => inAllSlots(savedGroups(groups)(state), slots, used),
        ...(pruneSteps(settings).includes(until) && { finish }),
      },
      options,
    );
  } finally {
    await stepper.dispose();
  }
}

/** What each step of the main stage is given. */
export function decompositionInputs(
  settings: ParameterSettings,
  key: Key,
): (step: number) => { key: Key; scalars: Record<string, number> } {
  const scheduled = scheduledScalars(settings);
  const stepKey = foldIn(key, "steps");
  return (step) => ({
    key: foldIn(stepKey, step),
    scalars: {
      ...groupScalars(settings, step),
      ...scheduled(step),
      ...frequencyScalars(settings, step),
      ...(isPersistent(settings) && persistentScalars(settings, step)),
    },
  });
}

/** Over which fraction of the run the persistent adversary's rate rises (VPD, source learning rate). */
const ADVERSARY_RISE = 0.025;

function persistentScalars(settings: ParameterSettings, step: number): Record<string, number> {
  const { persistentLearningRate: peak, steps } = settings;
  const rate: readonly Knot[] = [
    { at: 0, value: 0 },
    { at: ADVERSARY_RISE, value: peak },
  ];
  return adversaryScalars(
    {
      warmUps: settings.persistentWarmUps,
      beta1: settings.persistentBeta1,
      beta2: settings.persistentBeta2,
    },
    step,
    scheduleAt(steps > 1 ? rate : constantSchedule(peak), step, steps),
  );
}

/** Everything that the main stage carries, before its first step. */
async function firstState(plan: Plan, options: LoopOptions): Promise<NamedValues> {
  const { target, settings, slots, key } = plan;
  const components = await warmUp(plan, firstComponents(plan), options);
  const { targeted, batch } = target;
  const rows = rowsIn(target.network, targeted ? targeted(settings.targetBatch) : batch(settings.batch));
  return {
    ...components,
    ...firstMeans(slots, settings),
    ...(isPersistent(settings) && adversaryStart(persistentSpecs(slots, rows, settings), foldIn(key, "adversary"))),
  };
}

/** Components, and what predicts their importances, before anything has been learnt. */
export function firstComponents({ target, settings, importance, slots, key }: Plan): NamedValues {
  const own = foldIn(key, "components");
  return {
    ...importance.start(slots, own),
    ...startSubcomponents(target.network, target.weights, slots, settings.start, own),
  };
}

/** The main stage's program, compiled and loaded. */
export function compileDecomposition(
  { target, settings, importance }: Pick<Plan, "target" | "settings" | "importance">,
  groups: ReturnType<typeof parameterGroups>,
  start: NamedValues,
  options: OptimisationOptions = {},
): Promise<Stepper> {
  const { network, batch, targeted } = target;
  const weights = weightInputs(network.weights);
  const streams =
    targeted === undefined
      ? { x: batch(settings.batch) }
      : { x: targeted(settings.targetBatch), others: batch(settings.batch) };
  const subject = { network, weights, importance, ...streams };
  return compileGroups(
    {
      groups,
      start,
      objective: (components) => decompositionObjective(subject, components, settings),
      fixed: { ...target.weights, ...target.tables },
    },
    options,
  );
}

/** Faithfulness alone, on the subcomponents alone. A targeted decomposition has none (tPD), nor has a start without anything to gain. */
async function warmUp(plan: Plan, start: NamedValues, options: LoopOptions): Promise<NamedValues> {
  const { target, settings, slots } = plan;
  const { network, weights: given } = target;
  if (settings.warmupSteps === 0 || startsFaithful(slots, settings.start)) return start;
  const layout = layoutOf(slots.flatMap(({ site, C }) => subcomponentWeights(site, C)));
  const weights = weightInputs(network.weights);
  const stepper = await compileOptimisation(
    {
      layout,
      start,
      objective: (components) => ({
        loss: faithfulnessOf(network, weights, components, settings.relativeFaithfulness),
      }),
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
    return { ...start, ...weightsIn(tensors) };
  } finally {
    await stepper.dispose();
  }
}
