/**
 * Training on activations: a loss over rows of one or several hook points, minimised by Adam, with rows streamed from the network, latents that start anew
 * on the way, and checkpoints to go on from to the same bits. Dictionaries, transcoders and crosscoders differ in what they hand in here.
 */
import { MechanistError } from "../../error.ts";
import type { CompileOptions, NamedValues, StepInputs, Stepper } from "../../engine/index.ts";
import { weightInputs, type WeightSpec } from "../../network/network.ts";
import {
  add,
  cast,
  constant,
  foldIn,
  gather,
  input,
  type Key,
  keyFromSeed,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { adamWScalars } from "../../training/adamw.ts";
import { type LoopOptions, runStage, type StageResult } from "../../training/loop.ts";
import { compileGroups, type ParameterGroup, savedGroups, type StepObjective } from "../../training/optimise.ts";
import { layoutOf } from "../../training/parameters.ts";
import { type Knot, scheduleAt } from "../../training/schedule.ts";
import { type ActivationSource, rowsAt, rowsAnExample, type RowPoint } from "./rows.ts";
import type { TrainingSettings } from "./settings.ts";
import { rowTables } from "./disk-store.ts";
import { sampleRows } from "./store.ts";

/** What a training step is given. */
export interface Activations {
  /** Rows of each point, `batch d`, as the network has them. */
  readonly rows: Readonly<Record<string, Tensor<"batch d">>>;
  /** The run of the network that they are of; not where they come from shuffled tables. */
  readonly run?: { readonly x: Tensor; readonly weights: Tensors };
}

/** What is trained. */
export interface ActivationTraining {
  readonly points: readonly RowPoint[];
  /** The parameters, in groups that are clipped apart: a dictionary each. */
  readonly groups: readonly { readonly name: string; readonly weights: readonly WeightSpec[] }[];
  /** Whether the network has to run in the step, since its output is in the loss. */
  readonly endToEnd?: boolean;
  /** Parameters and all else that is carried, before the first step, from a sample of rows by point (`row d`). */
  readonly first: (sample: NamedValues, key: Key) => NamedValues;
  readonly objective: (weights: Tensors, activations: Activations) => StepObjective;
  /** Numbers that change from step to step; steps are counted from 0. */
  readonly scalarsAt?: (step: number) => Readonly<Record<string, number>>;
  /** Inputs of the objective that stay the same, from what `first` made. */
  readonly fixed?: (state: NamedValues) => NamedValues;
  /** The weights as they act on activations as the network has them, from the parameters and `fixed`. */
  readonly finished: (state: NamedValues) => NamedValues;
  /** The state with the latents started anew that were silent for `resampleEvery` steps. */
  readonly restart?: (
    state: NamedValues,
    sample: NamedValues,
    key: Key,
    options: CompileOptions,
  ) => Promise<NamedValues>;
}

/** What a run found: weights by name, as they act on activations. */
export interface ActivationsResult extends Omit<StageResult, "tensors"> {
  readonly components: NamedValues;
}

/** Rows that are looked at before training. */
const SAMPLE = 4096;
/** Rows of a table where none is asked for. */
const TABLE = 131_072;

/** Rows that are shuffled at a time; 0: they are taken as the network makes them, in the step itself. */
function tableRows(source: ActivationSource, { storeRows, batch }: TrainingSettings, endToEnd = false): number {
  if (endToEnd) return 0;
  if (storeRows > 0) return Math.max(storeRows, batch);
  return rowsAnExample(source) === 1 ? 0 : Math.max(TABLE, batch);
}

/** Trains. */
export async function trainOnActivations(
  source: ActivationSource,
  training: ActivationTraining,
  settings: TrainingSettings,
  options: LoopOptions = {},
): Promise<ActivationsResult> {
  const { steps, batch, seed } = settings;
  const key = keyFromSeed(seed);
  const { device, threads, signal, onCheckpoint } = options;
  const placed = { ...(device && { device }), ...(threads && { threads }), ...(signal && { signal }) };
  const sampled = (name: string): Promise<NamedValues> =>
    sampleRows(source, training.points, SAMPLE, foldIn(key, name), placed);
  const rows = tableRows(source, settings, training.endToEnd);
  const tables =
    rows === 0
      ? undefined
      : await rowTables(source, training.points, rows, foldIn(key, "tables"), {
          ...placed,
          ...(options.disk && { disk: options.disk }),
        });
  const perTable = tables === undefined ? Infinity : Math.floor(tables.rows / batch);
  const checkpointEvery = options.checkpointEvery ?? Math.max(1, Math.ceil(steps / 40));
  const began = performance.now();
  const from = options.resume?.step ?? 0;
  let state = options.resume
    ? asTrained(options.resume.tensors)
    : training.first(await sampled("sample"), foldIn(key, "weights"));
  let metrics: StageResult["metrics"] = {};
  let stepper: Stepper | undefined;
  try {
    for (let step = from, loaded = -1; step < steps;) {
      const table = Math.floor(step / perTable);
      const filled = tables && table !== loaded ? storeInputs(await tables.table(table)) : undefined;
      loaded = table;
      if (stepper === undefined) {
        stepper = await compileStep({ source, training, settings }, state, filled, options);
        options.onMemory?.(stepper.memoryBytes + (tables ? 4 * tables.rows * widthOf(training) : 0));
      } else if (filled) await stepper.refill(filled);
      const restart = nextRestart(training, settings, step);
      const until = Math.min(steps, (table + 1) * perTable, restart);
      const groups = groupsOf(training, settings);
      const constants = training.fixed?.(state) ?? {};
      const saved = (now: NamedValues): NamedValues =>
        asSaved({ ...constants, ...savedGroups(groups)(now) }, training.finished);
      const anew = async (tensors: NamedValues): Promise<NamedValues> => {
        const own = foldIn(foldIn(key, "restart"), until);
        const sample = await sampled(`restart ${until}`);
        return asSaved(await training.restart!(asTrained(tensors), sample, own, placed), training.finished);
      };
      const result = await runStage(
        {
          name: "decompose",
          stepper,
          from: step,
          until,
          steps,
          inputsAt: stepInputs(training, settings, key, perTable),
          tensors: saved,
          ...(until === restart && { finish: anew }),
        },
        {
          ...options,
          checkpointEvery,
          // That a table is used up is no reason to keep a checkpoint.
          ...(onCheckpoint && {
            onCheckpoint: (at) =>
              at.step !== until || until === steps || until === restart || until % checkpointEvery === 0
                ? onCheckpoint(at)
                : undefined,
          }),
        },
      );
      state = asTrained(result.tensors);
      ({ metrics } = result);
      step = until;
      if (until === restart) {
        await stepper.dispose();
        stepper = undefined;
        loaded = -1;
      }
    }
    const stepsPerSecond = ((steps - from) * 1000) / (performance.now() - began);
    return { metrics, stepsPerSecond, components: training.finished(state) };
  } finally {
    await stepper?.dispose();
    await tables?.dispose();
  }
}

const widthOf = ({ points }: ActivationTraining): number => points.reduce((sum, { width }) => sum + width, 0);

/** The parameters as groups of the optimiser's. */
function groupsOf({ groups }: ActivationTraining, settings: TrainingSettings): ParameterGroup[] {
  const { beta1, beta2, epsilon, clipNorm } = settings;
  return groups.map(({ name, weights }) => ({
    name: groups.length === 1 ? "" : `${name}/`,
    layout: layoutOf(weights),
    adamW: { beta1, beta2, epsilon },
    clipNorm,
  }));
}

/** What a step is made of; without a source of rows, which tables then hold. */
interface Plan {
  readonly source?: ActivationSource;
  readonly training: ActivationTraining;
  readonly settings: TrainingSettings;
}

/** One step, compiled and loaded, from a state and, where rows are drawn from one, a table as `storeInputs` has it. */
export function compileStep(
  { source, training, settings }: Plan,
  state: NamedValues,
  table: NamedValues | undefined,
  options: LoopOptions,
): Promise<Stepper> {
  return compileGroups(
    {
      groups: groupsOf(training, settings),
      start: state,
      objective: (parameters) => training.objective(parameters, activations(source, training, settings.batch, table)),
      fixed: { ...training.fixed?.(state), ...(table ?? { ...source?.tables, ...source?.weights }) },
    },
    options,
  );
}

/** The rows of a step: of a run of the network, or of a table, those from `store/offset` on. */
function activations(
  source: ActivationSource | undefined,
  { points }: ActivationTraining,
  batch: number,
  table: NamedValues | undefined,
): Activations {
  if (table === undefined) {
    if (source === undefined)
      throw new MechanistError("BadArgument", "rows: expected a network or a table, got neither");
    const weights = weightInputs(source.network.weights);
    const x = source.batch(Math.max(1, Math.round(batch / rowsAnExample(source))));
    return {
      rows: rowsAt(
        source.network,
        weights,
        x,
        points.map(({ name }) => name),
      ),
      run: { x, weights },
    };
  }
  const places = constant(
    "batch",
    { batch },
    Array.from({ length: batch }, (_, i) => i),
  );
  const at = cast(add(places, input("store/offset", "", {})), "i32");
  return {
    rows: Object.fromEntries(
      points.map(({ name, width }) => {
        const [rows] = table[storeInput(name)]!.shape;
        const all = input(storeInput(name), "row d", { row: rows!, d: width });
        return [name, gather(all, at, "row") as Tensor<"batch d">];
      }),
    ),
  };
}

const storeInput = (point: string): string => `store/${point}`;

/** A table's rows under the names of the inputs that a step draws them from. */
export function storeInputs(table: NamedValues): NamedValues {
  return Object.fromEntries(Object.entries(table).map(([point, rows]) => [storeInput(point), rows]));
}

/** What each step is given. */
export function stepInputs(
  training: ActivationTraining,
  settings: TrainingSettings,
  key: Key,
  perTable: number,
): (step: number) => StepInputs {
  const { lr, lrWarmUp, lrDecay, steps, batch, beta1, beta2 } = settings;
  const rate = rateKnots(lr, lrWarmUp, lrDecay);
  const stepKey = foldIn(key, "steps");
  const groups = groupsOf(training, settings);
  return (step) => {
    // At its end the rate is 0, where a step would be lost, and so is the first of a warm-up: half a step in.
    const learningRate = scheduleAt(rate, step + 0.5, steps + 1);
    return {
      key: foldIn(stepKey, step),
      scalars: {
        ...Object.assign({}, ...groups.map(({ name }) => adamWScalars(step + 1, learningRate, { beta1, beta2 }, name))),
        ...(perTable < Infinity && { "store/offset": (step % perTable) * batch }),
        ...training.scalarsAt?.(step),
      },
    };
  };
}

function rateKnots(lr: number, warmUp: number, decay: number): Knot[] {
  return [
    ...(warmUp > 0 ? [{ at: 0, value: 0 }] : []),
    { at: Math.min(warmUp, 1), value: lr },
    ...(decay > 0
      ? [
          { at: Math.max(warmUp, 1 - decay), value: lr },
          { at: 1, value: 0 },
        ]
      : []),
  ];
}

/** The next step after `step` before which latents start anew; the last where there is none. */
function nextRestart(training: ActivationTraining, settings: TrainingSettings, step: number): number {
  const { resampleEvery, resampleUntil, steps } = settings;
  if (resampleEvery === 0 || training.restart === undefined) return Infinity;
  const next = (Math.floor(step / resampleEvery) + 1) * resampleEvery;
  return next <= resampleUntil * steps && next < steps ? next : Infinity;
}

/** Parameters are kept as they are trained beside weights that act on activations as they are, where the two differ. */
const RAW = "training/";

function asSaved(state: NamedValues, finished: ActivationTraining["finished"]): NamedValues {
  const done = finished(state);
  const raw = Object.entries(state).filter(([name, tensor]) => done[name] !== undefined && done[name] !== tensor);
  return { ...state, ...done, ...Object.fromEntries(raw.map(([name, tensor]) => [RAW + name, tensor])) };
}

function asTrained(saved: NamedValues): NamedValues {
  const state: Record<string, NamedValues[string]> = {};
  for (const [name, tensor] of Object.entries(saved)) {
    if (name.startsWith(RAW)) state[name.slice(RAW.length)] = tensor;
    else if (saved[RAW + name] === undefined) state[name] = tensor;
  }
  return state;
}
