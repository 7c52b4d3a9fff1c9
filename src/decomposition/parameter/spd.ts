/** Running stochastic parameter decomposition: a faithfulness warm-up, then the objective, both by AdamW. */
import { compileSteps, type NamedValues, type StepProgram, type Stepper, values } from "../../engine/index.ts";
import type { Network } from "../../network/network.ts";
import { adamW, adamWInputs, adamWScalars, type AdamWState } from "../../training/adamw.ts";
import { clipByGlobalNorm } from "../../training/clip.ts";
import { type LoopOptions, runStage, type StageResult } from "../../training/loop.ts";
import { type Layout, layoutOf, pack, packValues, unpack, unpackValues } from "../../training/parameters.ts";
import { cosineSchedule, linearSchedule, scheduleAt } from "../../training/schedule.ts";
import { axisNames, foldIn, gradients, input, type Key, keyFromSeed, type Tensor, type Tensors } from "../../tensor/index.ts";
import { initialGates } from "./causal-importance.ts";
import { faithfulness } from "./losses/faithfulness.ts";
import { spdObjective } from "./objective.ts";
import { componentWeights } from "./parameter-decomposition.ts";
import type { SpdSettings } from "./settings.ts";
import { initialSubcomponents, subcomponentsOf, subcomponentWeights, weightDelta } from "./subcomponents.ts";

/** A network, its weights, and the data it is taken apart on. */
export interface SpdTarget {
  readonly network: Network;
  readonly weights: NamedValues;
  /** A batch of inputs, as a program of draws. */
  readonly batch: (size: number) => Tensor;
}

/** What a run found. */
export interface SpdResult extends StageResult {
  /** `<site>.V`, `<site>.U` and `<site>.gate.…` for each site. */
  readonly components: NamedValues;
}

/** Takes a network apart. */
export async function spd(target: SpdTarget, settings: SpdSettings, options: LoopOptions = {}): Promise<SpdResult> {
  const key = keyFromSeed(settings.seed);
  const { sites } = target.network;
  const layout = layoutOf(componentWeights(sites, settings.components, settings.gateWidth));
  const start = options.resume?.tensors ?? (await warmUp(target, settings, firstComponents(target, settings, key), options));
  const stepper = await compileSpd(target, settings, layout, start, options);
  try {
    const result = await runStage(
      {
        name: "decompose",
        stepper,
        from: options.resume?.step ?? 0,
        steps: settings.steps,
        inputsAt: spdInputs(settings, key),
        tensors: (state) => saved(layout, state),
      },
      options,
    );
    return { ...result, components: unpackValues(layout, stepper.state().parameters!.data) };
  } finally {
    await stepper.dispose();
  }
}

/** What each step of the main stage is given. */
export function spdInputs(settings: SpdSettings, key: Key): (step: number) => { key: Key; scalars: Record<string, number> } {
  const rate = cosineSchedule(settings.learningRate, settings.finalLearningRate);
  const exponent = linearSchedule(settings.pStart, settings.pEnd);
  const stepKey = foldIn(key, "steps");
  return (step) => ({
    key: foldIn(stepKey, step),
    scalars: {
      ...adamWScalars(step + 1, scheduleAt(rate, step, settings.steps)),
      p: scheduleAt(exponent, step, settings.steps),
    },
  });
}

/** Components and gates before anything has been learnt. */
export function firstComponents({ network }: SpdTarget, settings: SpdSettings, key: Key): NamedValues {
  const own = foldIn(key, "components");
  return Object.assign(
    {},
    ...network.sites.map((site) => ({
      ...initialSubcomponents(site, settings.components, own),
      ...initialGates(site, settings.components, settings.gateWidth, own),
    })),
  ) as NamedValues;
}

/** The main stage's program, compiled and loaded. */
export async function compileSpd(
  target: SpdTarget,
  settings: SpdSettings,
  layout: Layout,
  start: NamedValues,
  options: LoopOptions & { readonly stepsPerCall?: number; readonly profile?: string } = {},
): Promise<Stepper> {
  const x = target.batch(settings.batch);
  // A fixed exponent is written into the program, where squares and plain sums are cheaper than powers.
  const p = settings.pStart === settings.pEnd ? settings.pStart : input("p", "", {});
  const weights = weightInputs(target.network);
  const state = adamWInputs(layout.size);
  const components = unpack(layout, state.parameters);
  const { loss, ...parts } = spdObjective(target.network, weights, components, x, p, settings);
  const raw = packedGradient(layout, loss, components);
  const gradient = settings.clipNorm > 0 ? clipByGlobalNorm(raw, settings.clipNorm) : raw;
  return compileSteps(
    { ...program(state, adamW(state, gradient), { loss, ...parts }), fixed: Object.keys(weights) },
    { ...options, fixed: target.weights, initial: initialState(layout, start) },
  );
}

/** Faithfulness alone, on the subcomponents alone. */
async function warmUp(target: SpdTarget, settings: SpdSettings, start: NamedValues, options: LoopOptions): Promise<NamedValues> {
  if (settings.warmupSteps === 0) return start;
  const { network } = target;
  const layout = layoutOf(network.sites.flatMap((site) => subcomponentWeights(site, settings.components)));
  const weights = weightInputs(network);
  const state = adamWInputs(layout.size);
  const components = unpack(layout, state.parameters);
  const loss = faithfulness(
    network.sites.map((site) => weightDelta(network.matrix(weights, site.name), subcomponentsOf(components, site))),
  );
  const decay = { weightDecay: settings.warmupWeightDecay };
  const next = adamW(state, packedGradient(layout, loss, components), decay);
  const stepper = await compileSteps(
    { ...program(state, next, { faithfulness: loss }), fixed: Object.keys(weights) },
    { ...options, fixed: target.weights, initial: initialState(layout, start) },
  );
  try {
    const { signal, onProgress } = options;
    await runStage(
      {
        name: "warm up",
        stepper,
        from: 0,
        steps: settings.warmupSteps,
        inputsAt: (step) => ({ key: [0, 0], scalars: adamWScalars(step + 1, settings.warmupLearningRate) }),
        tensors: (now) => unpackValues(layout, now.parameters!.data),
      },
      { ...(signal && { signal }), ...(onProgress && { onProgress }) },
    );
    return { ...start, ...unpackValues(layout, stepper.state().parameters!.data) };
  } finally {
    await stepper.dispose();
  }
}

function weightInputs(network: Network): Tensors {
  return Object.fromEntries(
    network.weights.map(({ name, axes, shape }) => [
      name,
      input(name, axes, Object.fromEntries(axisNames(axes).map((axis, i) => [axis, shape[i]!]))),
    ]),
  );
}

function packedGradient(layout: Layout, loss: Tensor, components: Tensors): Tensor<"parameter"> {
  const names = layout.entries.map(({ name }) => name);
  const found = gradients(
    loss,
    names.map((name) => components[name]!),
  );
  return pack(layout, Object.fromEntries(names.map((name, i) => [name, found[i]!])));
}

function program(now: AdamWState, next: AdamWState, metrics: StepProgram["metrics"]): StepProgram {
  return {
    state: {
      parameters: { now: now.parameters, next: next.parameters },
      "adamw.m": { now: now.m, next: next.m },
      "adamw.v": { now: now.v, next: next.v },
    },
    metrics,
  };
}

function initialState(layout: Layout, start: NamedValues): NamedValues {
  const zeros = (): NamedValues[string] => values("parameter", [layout.size], new Float32Array(layout.size));
  return {
    parameters: values("parameter", [layout.size], packValues(layout, start)),
    "adamw.m": start["adamw.m"] ?? zeros(),
    "adamw.v": start["adamw.v"] ?? zeros(),
  };
}

function saved(layout: Layout, state: NamedValues): NamedValues {
  return {
    ...unpackValues(layout, state.parameters!.data),
    "adamw.m": state["adamw.m"]!,
    "adamw.v": state["adamw.v"]!,
  };
}
