/**
 * A circuit optimised on one input (VPD, "post-hoc causal importance optimisation"): the importances of the nodes that are alive become free
 * parameters, and as few as possible are kept while the answer survives the removal of the rest, its random treatment and, unless it is
 * turned off, an adversary that moves it. Told of every circuit, however it was made, is what all three leave of the answer.
 *
 * What it does not establish: that another start or seed gives the same nodes.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { lowerLeakyHardSigmoid, upperLeakyHardSigmoid } from "../decomposition/parameter/importance/hard-sigmoid.ts";
import { importanceMinimality } from "../decomposition/parameter/losses/importance-minimality.ts";
import { MechanistError } from "../error.ts";
import {
  add,
  axisSize,
  cast,
  concat,
  constant,
  foldIn,
  greater,
  input,
  keyFromSeed,
  mean,
  mul,
  slice,
  stopGradient,
  sum,
  type Tensor,
  type Tensors,
  uniform,
} from "../tensor/index.ts";
import { adamWScalars } from "../training/adamw.ts";
import { type LoopOptions, runStage } from "../training/loop.ts";
import { compileOptimisation, savedState, weightsIn } from "../training/optimise.ts";
import { layoutOf } from "../training/parameters.ts";
import { cosineSchedule, scheduleAt } from "../training/schedule.ts";
import { nodeAddress } from "./graph.ts";
import { type CircuitTask, outcomeOf, type ReadTask, readTask } from "./objective.ts";
import { observe } from "./observed.ts";
import {
  ascended,
  type Circuit,
  fixedInput,
  type Outcome,
  regimes,
  type Regimes,
  type RegimeOptions,
  rowsOfNodes,
  sourcedRun,
} from "./regimes.ts";
import { computed } from "./program.ts";
import { componentCount, hasPositions, positionsOf, type RankOneDecomposition } from "./subject.ts";

export interface CircuitSettings {
  readonly steps: number;
  readonly learningRate: number;
  /** Of the loss with everything outside removed. */
  readonly ciMasked: number;
  /** Of the loss with everything outside random. */
  readonly stochastic: number;
  /** Of the loss under attack; 0 leaves the adversary out of the optimisation, not out of the report. */
  readonly adversarial: number;
  /** Of `Σ g^p`, mean over positions. */
  readonly importanceMinimality: number;
  readonly p: number;
  /** The attack at each step: from random sources, so many steps of this size. */
  readonly attackSteps: number;
  readonly attackStepSize: number;
  /** Rows for each of the random treatments. */
  readonly samples: number;
  readonly seed: number;
}

/** VPD, "post-hoc optimisation": 2,000 to 4,000 steps, 0.05 to 0.1, p 0.3, 0.5 and 0.5, an attack of 4 steps of 1. */
export const CIRCUIT_SETTINGS: CircuitSettings = {
  steps: 2000,
  learningRate: 0.01,
  ciMasked: 1,
  stochastic: 0.5,
  adversarial: 0.5,
  importanceMinimality: 0.1,
  p: 0.3,
  attackSteps: 4,
  attackStepSize: 1,
  samples: 2,
  seed: 0,
};

/** One node of a circuit. */
export interface CircuitNode {
  readonly address: string;
  /** What the decomposition says of it. */
  readonly importance: number;
  /** How much of it the circuit keeps, above 0. */
  readonly kept: number;
}

export interface OptimisedCircuit {
  readonly position: number;
  readonly token: number | null;
  readonly settings: CircuitSettings;
  /** Most kept first. */
  readonly nodes: readonly CircuitNode[];
  /** Nodes that were alive: the circuit is a choice among these. */
  readonly alive: number;
  /** The network itself. */
  readonly network: Outcome;
  /** With the importances as they were, and as optimised. */
  readonly before: Regimes;
  readonly after: Regimes;
  /** `C pos` by site. */
  readonly kept: NamedValues;
}

export type OptimiseOptions = Pick<
  LoopOptions,
  "signal" | "onProgress" | "onMetrics" | "onCheckpoint" | "resume" | "device" | "threads"
> & { readonly report?: Omit<RegimeOptions, "signal" | "device" | "threads" | "onProgress"> };

/** Optimises a circuit for what the network does on one input. */
export async function optimisedCircuit(
  subject: RankOneDecomposition,
  x: Values,
  task: CircuitTask,
  given: Partial<CircuitSettings> = {},
  options: OptimiseOptions = {},
): Promise<OptimisedCircuit> {
  const settings = { ...CIRCUIT_SETTINGS, ...given };
  const { device, threads, signal } = options;
  const placement = { ...(device && { device }), ...(threads && { threads }), ...(signal && { signal }) };
  const seen = await observe(subject, x, placement);
  const read = readTask(subject, seen, task);
  const importances = asNodes(seen.importances);
  const alive = Object.fromEntries(
    Object.entries(importances).map(([site, g]) => [
      site,
      { ...g, data: Float32Array.from(g.data, (v) => (v > 0 ? 1 : 0)) },
    ]),
  );
  const count = Object.values(alive).reduce((total, { data }) => total + data.reduce((a: number, b) => a + b, 0), 0);
  if (count === 0)
    throw new MechanistError("BadArgument", "circuit: expected an important component, got none on this input");
  const kept = await optimised(subject, x, read, { kept: importances, alive }, settings, options);
  const told = { ...options.report, ...placement };
  return {
    position: read.position,
    token: read.token ?? null,
    settings,
    nodes: nodesOf(subject, importances, kept),
    alive: count,
    network: await ownOutcome(subject, read),
    before: await regimes(subject, x, read, { kept: importances, alive }, told),
    after: await regimes(subject, x, read, { kept, alive }, told),
    kept,
  };
}

const asNodes = (masks: NamedValues): NamedValues =>
  Object.fromEntries(Object.entries(masks).map(([site, g]) => [site, { ...g, axes: "C pos" }]));

async function ownOutcome(subject: RankOneDecomposition, task: ReadTask): Promise<Outcome> {
  const { axes, shape, data } = task.own;
  const [, axis] = axes.split(" ") as [string, string];
  const output = constant(axes, { batch: 1, [axis]: shape[1]! } as never, data) as Tensor;
  const { loss: _, ...told } = outcomeOf(subject, task, output);
  const found: NamedValues = await computed({ ...told }, {}, { device: "float64" });
  return { divergence: found.divergence!.data[0]!, probability: found.probability?.data[0] ?? null };
}

function nodesOf(subject: RankOneDecomposition, importances: NamedValues, kept: NamedValues): CircuitNode[] {
  const positioned = hasPositions(subject);
  return subject.sites
    .flatMap(({ name }) => {
      const { data, shape } = kept[name]!;
      const pos = shape[1]!;
      return Array.from(data, (value, i) => ({
        address: nodeAddress(name, Math.floor(i / pos), positioned ? i % pos : undefined),
        importance: importances[name]!.data[i]!,
        kept: value,
      }));
    })
    .filter((node) => node.kept > 0)
    .sort((a, b) => b.kept - a.kept);
}

/** The optimisation itself: importances `C pos` by site, in [0, 1]. */
async function optimised(
  subject: RankOneDecomposition,
  x: Values,
  task: ReadTask,
  start: Circuit,
  settings: CircuitSettings,
  options: OptimiseOptions,
): Promise<NamedValues> {
  const pos = positionsOf(x);
  const layout = layoutOf(
    subject.sites.map(({ name }) => ({ name, axes: "C pos", shape: [componentCount(subject, name), pos] })),
  );
  const aliveFeeds = Object.fromEntries(Object.entries(start.alive).map(([site, a]) => [`alive/${site}`, a]));
  const stepper = await compileOptimisation(
    {
      layout,
      start: options.resume?.tensors ?? start.kept,
      objective: (logits) => circuitLoss(subject, x, task, logits, settings),
      fixed: { ...onlyNeeded(subject), ...aliveFeeds },
    },
    { ...(options.device && { device: options.device }), ...(options.threads && { threads: options.threads }) },
  );
  const key = foldIn(keyFromSeed(settings.seed), "circuit");
  const rate = cosineSchedule(settings.learningRate, 0.1);
  try {
    const { tensors } = await runStage(
      {
        name: "optimise",
        stepper,
        from: options.resume?.step ?? 0,
        steps: settings.steps,
        inputsAt: (step) => ({
          key: foldIn(key, step),
          scalars: adamWScalars(step + 1, scheduleAt(rate, step, settings.steps)),
        }),
        tensors: savedState(layout),
      },
      options,
    );
    const found = weightsIn(tensors);
    return Object.fromEntries(
      Object.entries(found).map(([site, z]) => {
        const alive = start.alive[site]!.data;
        return [site, { ...z, data: Float32Array.from(z.data, (v, i) => Math.min(1, Math.max(0, v)) * alive[i]!) }];
      }),
    );
  } finally {
    await stepper.dispose();
  }
}

/** The network's weights and the components, without what predicts importances: the program needs no other. */
function onlyNeeded({ network, sites, values }: RankOneDecomposition): NamedValues {
  const names = [
    ...network.weights.map(({ name }) => name),
    ...sites.flatMap(({ name }) => [`${name}.V`, `${name}.U`]),
  ];
  return Object.fromEntries(names.map((name) => [name, values[name]!]));
}

type Loss = Readonly<Record<string, Tensor<"">>> & { readonly loss: Tensor<""> };

/** One row with everything outside removed, some with it random, some with it attacked, all in one run. */
function circuitLoss(
  subject: RankOneDecomposition,
  x: Values,
  task: ReadTask,
  logits: Tensors,
  settings: CircuitSettings,
): Loss {
  const { samples } = settings;
  const pos = positionsOf(x);
  const attackRows = settings.adversarial === 0 ? 0 : samples;
  const batch = 1 + samples + attackRows;
  const alive = Object.fromEntries(
    subject.sites.map(({ name }) => [name, input(`alive/${name}`, "C pos", { C: componentCount(subject, name), pos })]),
  );
  const g = Object.fromEntries(
    subject.sites.map(({ name }) => [
      name,
      mul(lowerLeakyHardSigmoid(logits[name] as Tensor<"C pos">), alive[name]!) as Tensor<"C pos">,
    ]),
  );
  const upper = subject.sites.map(({ name }) => {
    const all = mul(upperLeakyHardSigmoid(logits[name] as Tensor<"C pos">), alive[name]!);
    return rowsOfNodes(all, 1);
  });
  const worst = attackRows === 0 ? {} : attack(subject, x, task, g, alive, attackRows, settings);
  const source = (site: string, C: number): Tensor<"C batch"> =>
    concat(
      [
        constant("C batch", { C, batch: pos }, 0),
        uniform(`circuit/${site}`, "C batch", { C, batch: samples * pos }),
        ...(attackRows === 0 ? [] : [worst[site]!]),
      ],
      "batch",
    );
  const delta = (site: string): Tensor<"batch"> =>
    concat(
      [
        constant("batch", { batch: pos }, 0),
        uniform(`circuit/${site}/delta`, "batch", { batch: (samples + attackRows) * pos }),
      ],
      "batch",
    );
  const { loss } = outcomeOf(subject, task, sourcedRun(subject, fixedInput(x, batch), g, { source, delta }));
  const over = (from: number, to: number): Tensor<""> =>
    from === to ? constant("", {}, 0) : (mean(slice(loss, "batch", from, to)) as Tensor<"">);
  const parts = {
    ciMasked: over(0, 1),
    stochastic: over(1, 1 + samples),
    adversarial: over(1 + samples, batch),
    importanceMinimality: importanceMinimality(upper, settings.p),
  };
  const weighed = (Object.keys(parts) as (keyof typeof parts)[])
    .filter((name) => settings[name] !== 0)
    .map((name) => mul(parts[name], settings[name]));
  const l0 = subject.sites
    .map(({ name }) => sum(mul(cast(greater(logits[name]!, 0), "f32"), alive[name]!)) as Tensor<"">)
    .reduce((a, b) => add(a, b));
  return { loss: weighed.reduce((a, b) => add(a, b)), ...parts, l0 };
}

/** The sources of the attack, from random ones: `C batch` by site; nothing outside it learns from how it was made. */
function attack(
  subject: RankOneDecomposition,
  x: Values,
  task: ReadTask,
  g: Readonly<Record<string, Tensor<"C pos">>>,
  alive: Readonly<Record<string, Tensor<"C pos">>>,
  batch: number,
  { attackSteps, attackStepSize }: CircuitSettings,
): Record<string, Tensor<"C batch">> {
  const pos = positionsOf(x);
  const still = Object.fromEntries(Object.entries(g).map(([site, kept]) => [site, stopGradient(kept)]));
  const movable = Object.fromEntries(Object.entries(alive).map(([site, a]) => [site, rowsOfNodes(a, batch)]));
  let sources: Record<string, Tensor<"C batch">> = Object.fromEntries(
    Object.entries(g).map(([site, kept]) => [
      site,
      uniform(`attack/${site}`, "C batch", { C: axisSize(kept, "C"), batch: batch * pos }),
    ]),
  );
  const input = fixedInput(x, batch);
  const deltas = Object.fromEntries(
    Object.keys(g).map((site) => [site, uniform(`attack/${site}/delta`, "batch", { batch: batch * pos })]),
  );
  const delta = (site: string): Tensor<"batch"> => deltas[site]!;
  for (let step = 0; step < attackSteps; step++) {
    const now = sources;
    const output = sourcedRun(subject, input, still, { source: (site) => now[site]!, delta });
    const moved = ascended(sum(outcomeOf(subject, task, output).loss), now, movable, attackStepSize);
    sources = Object.fromEntries(Object.entries(moved).map(([site, r]) => [site, stopGradient(r)]));
  }
  return sources;
}
