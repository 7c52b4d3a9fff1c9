/** A loss over named weights made into a compiled training step: flat parameters, gradients, AdamW, metrics. */
import {
  compileSteps,
  type Device,
  type NamedValues,
  narrow,
  type StepProgram,
  type Stepper,
  values,
} from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import { gradients, type Tensor, type Tensors } from "../tensor/index.ts";
import { adamW, adamWInputs, type AdamWOptions, type AdamWState } from "./adamw.ts";
import { clipByGlobalNorm } from "./clip.ts";
import { type Matrices, muon, muonInputs, type MuonLayout, muonLayout, type MuonState } from "./muon.ts";
import { type Layout, pack, packValues, unpack, unpackValues } from "./parameters.ts";

/** Weights that are optimised as one vector. */
export interface ParameterGroup {
  /** Stands before the names of its state and its scalars; empty where there is one group. */
  readonly name: string;
  readonly layout: Layout;
  readonly adamW?: AdamWOptions;
  /** Where Muon is the optimiser: how a weight is made of matrices, nothing where it is none. */
  readonly matricesOf?: (weight: Layout["entries"][number]) => Matrices | undefined;
  /** Clips the norm of this group's gradient; 0 or absent: never. */
  readonly clipNorm?: number;
}

/** What a step computes from the weights. */
export interface StepObjective {
  /** The loss and whatever else is to be reported. */
  readonly metrics: Readonly<Record<string, Tensor<"">>> & { readonly loss: Tensor<""> };
  /** What else the loss is differentiated by. */
  readonly wrt?: readonly Tensor[];
  /** Values of the forward pass that `carried` and `after` want. */
  readonly values?: Tensors;
  /** State of its own that a step carries over, from the loss's gradients by `wrt` and `values`. */
  readonly carried?: (gradients: readonly Tensor[], values: Tensors) => StepProgram["state"];
  /**
   * What becomes of some weights after the optimiser's step, by name: ones that are kept normalised, running means of what is reported.
   * The others stay as the step left them.
   */
  readonly after?: (weights: Tensors, values: Tensors) => Tensors;
}

/** What is optimised, and how. */
export interface GroupedOptimisation {
  readonly groups: readonly ParameterGroup[];
  readonly objective: (weights: Tensors) => StepObjective;
  /** Numbers to start from: weights and carried state by name and, when going on from a checkpoint, AdamW's running means. */
  readonly start: NamedValues;
  /** Inputs of the objective that stay the same for all steps. */
  readonly fixed?: NamedValues;
}

/** The plain case: one group, and nothing else that is carried over. */
export interface Optimisation extends Omit<ParameterGroup, "name">, Pick<GroupedOptimisation, "start" | "fixed"> {
  /** The loss and whatever else is to be reported, from the weights. */
  readonly objective: (weights: Tensors) => StepObjective["metrics"];
  /** See `StepObjective`; it gets the metrics. */
  readonly after?: (weights: Tensors, metrics: StepObjective["metrics"]) => Tensors;
}

export interface OptimisationOptions {
  readonly device?: Device;
  readonly threads?: number;
  readonly stepsPerCall?: number;
  readonly memoryLimit?: number;
  readonly profile?: string;
}

/** One vector of an optimiser's state. Of each weight it has, the part is saved as `<vector>/<weight>`; the weights themselves by their names. */
interface StateVector {
  readonly vector: "parameters" | "adamw.m" | "adamw.v" | "muon.momentum";
  readonly layout: Layout;
}

function stateVectors(group: ParameterGroup): StateVector[] {
  const { layout } = group;
  const { rest, matrices } = muonLayoutOf(group) ?? { rest: layout, matrices: { size: 0, entries: [] } };
  const all: readonly StateVector[] = [
    { vector: "parameters", layout },
    { vector: "adamw.m", layout: rest },
    { vector: "adamw.v", layout: rest },
    { vector: "muon.momentum", layout: matrices },
  ];
  return all.filter((one) => one.layout.size > 0);
}

function muonLayoutOf({ layout, matricesOf }: ParameterGroup): MuonLayout | undefined {
  return matricesOf && muonLayout(layout, matricesOf);
}

const savedName = (vector: StateVector["vector"], weight: string): string =>
  vector === "parameters" ? weight : `${vector}/${weight}`;

/** Compiles the step; each one wants the scalars of `adamWScalars`. */
export function compileOptimisation(
  { objective, after, start, fixed, ...group }: Optimisation,
  options: OptimisationOptions = {},
): Promise<Stepper> {
  const whole = (weights: Tensors): StepObjective => {
    const metrics = objective(weights);
    return { metrics, ...(after && { values: metrics, after: after as NonNullable<StepObjective["after"]> }) };
  };
  return compileGroups({ groups: [{ name: "", ...group }], start, objective: whole, ...(fixed && { fixed }) }, options);
}

/** Compiles a step over several groups; each one wants the scalars of `adamWScalars` for every group. */
export function compileGroups(what: GroupedOptimisation, options: OptimisationOptions = {}): Promise<Stepper> {
  const { groups, start, fixed = {} } = what;
  const states = groups.map(inputsOf);
  const weights = Object.assign({}, ...groups.map(({ layout }, i) => unpack(layout, states[i]!.parameters))) as Tensors;
  const { wrt = [], values: wanted = {}, carried, after, ...given } = what.objective(weights);
  const names = groups.flatMap(({ layout }) => layout.entries.map(({ name }) => name));
  const leaves = [...names.map((name) => weights[name]!), ...wrt];
  // Before gradients are taken: what nobody reads then has none.
  const { metrics, values } = narrowed(given.metrics, wanted, leaves);
  const found = gradients(metrics.loss, leaves);
  const byName = Object.fromEntries(names.map((name, i) => [name, found[i]!]));
  const own = carried?.(found.slice(names.length), values) ?? {};
  const changed = (stepped: Tensors): Tensors => after?.(stepped, values) ?? {};
  return compileSteps(
    {
      state: { ...Object.assign({}, ...groups.map((group, i) => updated(group, states[i]!, byName, changed))), ...own },
      metrics,
      fixed: Object.keys(fixed),
    },
    {
      ...options,
      fixed,
      initial: {
        ...(Object.assign({}, ...groups.map((group) => initialState(group, start))) as NamedValues),
        ...Object.fromEntries(Object.keys(own).map((name) => [name, start[name]!])),
      },
    },
  );
}

/** Metrics and values as one program, in which what nobody reads is left out. */
function narrowed(
  metrics: StepObjective["metrics"],
  values: Tensors,
  leaves: readonly Tensor[],
): { readonly metrics: StepObjective["metrics"]; readonly values: Tensors } {
  const under = (prefix: string, named: Tensors): [string, Tensor][] =>
    Object.entries(named).map(([name, tensor]) => [prefix + name, tensor]);
  const found = narrow(
    Object.fromEntries([...under("metric:", metrics), ...under("value:", values)]),
    leaves,
  ) as Tensors;
  const of = (prefix: string, named: Tensors): Tensors =>
    Object.fromEntries(Object.keys(named).map((name) => [name, found[prefix + name]!]));
  return { metrics: of("metric:", metrics) as StepObjective["metrics"], values: of("value:", values) };
}

/** A group's state, now and after the step. */
function updated(
  group: ParameterGroup,
  state: GroupState,
  byName: Tensors,
  after: (stepped: Tensors) => Tensors,
): StepProgram["state"] {
  const { name, layout, clipNorm } = group;
  const raw = pack(layout, byName);
  const gradient = clipNorm ? clipByGlobalNorm(raw, clipNorm) : raw;
  const next = stepped(group, state, gradient);
  const weights = unpack(layout, next.parameters);
  const changed = after(weights);
  const parameters = Object.keys(changed).length === 0 ? next.parameters : pack(layout, { ...weights, ...changed });
  return {
    [`${name}parameters`]: { now: state.parameters, next: parameters },
    ...(state.m && { [`${name}adamw.m`]: { now: state.m, next: next.m! } }),
    ...(state.v && { [`${name}adamw.v`]: { now: state.v, next: next.v! } }),
    ...(state.momentum && { [`${name}muon.momentum`]: { now: state.momentum, next: next.momentum! } }),
  };
}

/** Both optimisers' state: Muon's momentum of matrices, AdamW's running means of the rest. */
type GroupState = MuonState;

function inputsOf(group: ParameterGroup): GroupState {
  const layout = muonLayoutOf(group);
  return layout ? muonInputs(layout, group.name) : adamWInputs(group.layout.size, group.name);
}

function stepped(group: ParameterGroup, state: GroupState, gradient: Tensor<"parameter">): GroupState {
  const layout = muonLayoutOf(group);
  if (layout) return muon(layout, state, gradient, group.adamW ? { adamW: group.adamW } : {}, group.name);
  return adamW(state as AdamWState, gradient, group.adamW, group.name);
}

function initialState(group: ParameterGroup, start: NamedValues): NamedValues {
  if (hasMeansTogether(start))
    throw new MechanistError(
      "BadFile",
      "checkpoint: expected running means of each tensor, got those of an earlier version; begin anew",
    );
  return Object.fromEntries(
    stateVectors(group).map(({ vector, layout }) => {
      const saved = layout.entries.map(({ name }) => [name, start[savedName(vector, name)]] as const);
      // Before the first step nothing is known of gradients.
      const isThere = vector === "parameters" || saved.every(([, tensor]) => tensor !== undefined);
      const data = isThere
        ? packValues(layout, Object.fromEntries(saved) as NamedValues)
        : new Float32Array(layout.size);
      return [group.name + vector, values("parameter", [layout.size], data)];
    }),
  );
}

/** The state of such a step by the names it is saved under: every weight, and AdamW's running means of each. */
export function savedState(layout: Layout): (state: NamedValues) => NamedValues {
  return savedGroups([{ name: "", layout }]);
}

/** The same for several groups, and what else is carried. */
export function savedGroups(groups: readonly ParameterGroup[]): (state: NamedValues) => NamedValues {
  return (state) => {
    const carried = { ...state };
    const named: Record<string, NamedValues[string]> = {};
    for (const group of groups) {
      for (const { vector, layout } of stateVectors(group)) {
        delete carried[group.name + vector];
        for (const [weight, tensor] of Object.entries(unpackValues(layout, state[group.name + vector]!.data)))
          named[savedName(vector, weight)] = tensor;
      }
    }
    return { ...named, ...carried };
  };
}

/** The names under which an optimiser may have saved what it carries of a weight: all of one of these lists. */
export function carriedOf(weight: string): readonly (readonly string[])[] {
  return [[savedName("adamw.m", weight), savedName("adamw.v", weight)], [savedName("muon.momentum", weight)]];
}

/** As checkpoints had them before each tensor's were apart: both running means of all weights in one vector. */
const TOGETHER = ["adamw.m", "adamw.v"];

/** Whether a saved state is of that kind: its weights can be read, but nothing can go on from it. */
export function hasMeansTogether(saved: NamedValues): boolean {
  return TOGETHER.every((name) => saved[name] !== undefined);
}

/** The weights alone, of a saved state: an optimiser's state has a `/` in its name. */
export function weightsIn(saved: NamedValues): NamedValues {
  return Object.fromEntries(Object.entries(saved).filter(([name]) => !name.includes("/") && !TOGETHER.includes(name)));
}
