/** Dictionaries as something to train: one at each of some points, or between two, all in one step and none knowing of the others. */
import {
  compile,
  type CompileOptions,
  type NamedValues,
  scalarValue,
  type Values,
  values,
} from "../../engine/index.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import {
  add,
  cast,
  einsum,
  foldIn,
  greater,
  input,
  type Key,
  max,
  mul,
  neg,
  relabel,
  square,
  sub,
  sum,
  type Tensor,
  type Tensors,
  div,
  where,
} from "../../tensor/index.ts";
import type { StepObjective } from "../../training/optimise.ts";
import { type Dictionary, dictionaryAt, type DictionaryShape, dictionaryWeights } from "./dictionary.ts";
import { endToEndTerms, type OwnRun } from "./end-to-end.ts";
import { foldedDictionary, scaleName, scalesOf } from "./fold.ts";
import type { Given, Kind, Made } from "./kinds/kind.ts";
import { decoderNorms, meanActive, unexplained } from "./losses.ts";
import { type Misses, restartLatents } from "./restart.ts";
import { rowUnits } from "./row-scale.ts";
import type { RowPoint } from "./rows.ts";
import type { TrainingSettings } from "./settings.ts";
import { geometricMedian, meanLengthScale, type SampleRows, startDictionary } from "./start.ts";
import type { Activations, ActivationTraining } from "./train.ts";

/** A dictionary with where it acts. */
export interface PlacedDictionary {
  /** Its name, and of its weights. */
  readonly site: string;
  readonly reads: RowPoint;
  readonly writes: RowPoint;
  readonly C: number;
  readonly skip?: boolean;
}

/** How many latents are asked for. */
export function latentCount({ C, expansion }: TrainingSettings, width: number): number {
  return C > 0 ? C : Math.max(1, Math.round(expansion * width));
}

/** Dictionaries of one kind. */
export function dictionaryTraining<S extends TrainingSettings>(
  dictionaries: readonly PlacedDictionary[],
  kind: Kind<S>,
  settings: S,
  network?: Network,
): ActivationTraining {
  const shapes = dictionaries.map((one) => shapeOf(one, kind));
  const points = dictionaries.flatMap(({ reads, writes }) => [reads, writes]);
  const scaled = settings.activationNormalization === "expected_average_only_in";
  return {
    points: points.filter(({ name }, i) => points.findIndex((point) => point.name === name) === i),
    groups: shapes.map((shape) => ({ name: shape.site, weights: dictionaryWeights(shape) })),
    first: (sample, key) => {
      const parts = dictionaries.map((one, i) => firstOf(one, shapes[i]!, kind, settings, sample, key));
      return Object.assign({}, ...parts) as NamedValues;
    },
    ...(scaled && { fixed: scalesOf }),
    endToEnd: settings.endToEnd !== "no",
    scalarsAt: (step) => kind.scalars?.(settings, step) ?? {},
    objective: (weights, given) =>
      joined(
        dictionaries.map((one, i) => {
          const step = stepOf(one, shapes[i]!, kind, settings, weights, given);
          const whole = network && given.run && settings.endToEnd !== "no";
          return { site: one.site, ...(whole ? endToEnd(step, one, settings, { network, ...given.run }) : step) };
        }),
        settings,
      ),
    finished: (state) =>
      Object.assign(
        {},
        ...dictionaries.map((one, i) =>
          foldedDictionary(one, dictionaryWeights(shapes[i]!), state, {
            logThresholds: kind.logThresholds ?? false,
            subtractDecoderBias: settings.subtractDecoderBias,
          }),
        ),
      ) as NamedValues,
    restart: async (state, sample, key, options) => {
      let now = state;
      for (const [i, one] of dictionaries.entries()) {
        const silent = silentLatents(state[silentName(one.site)]!, settings);
        const misses = await missesOf(one, { shape: shapes[i]!, kind, settings, state }, sample, options);
        now = restartLatents(now, one.site, silent, misses, foldIn(key, one.site));
      }
      return now;
    },
  };
}

/** Its size, and what weights it has once trained. */
export function shapeOf<S>({ site, reads, writes, C, skip }: PlacedDictionary, { code }: Kind<S>): DictionaryShape {
  return { site, code, dIn: reads.width, dOut: writes.width, C, ...(skip && { skip }) };
}

/** Latents that were silent for half as long as lies between two restarts (Bricken et al. 2023). */
function silentLatents({ data }: Values, { resampleEvery }: TrainingSettings): number[] {
  return Array.from(data.keys()).filter((c) => data[c]! >= resampleEvery / 2);
}

/** What a dictionary gets wrong on a sample of rows. */
async function missesOf<S extends TrainingSettings>(
  { site, reads, writes }: PlacedDictionary,
  { shape, kind, settings, state }: { shape: DictionaryShape; kind: Kind<S>; settings: S; state: NamedValues },
  sample: NamedValues,
  options: CompileOptions,
): Promise<Misses> {
  const weights = weightInputs(dictionaryWeights(shape));
  const rowsOf = ({ name, width }: RowPoint): Tensor<"batch d"> =>
    input(`row/${name}`, "batch d", { batch: sample[name]!.shape[0]!, d: width });
  const own = { ...weights, ...weightInputs([{ name: silentName(site), axes: "C", shape: [shape.C] }]) };
  const rows = { [reads.name]: rowsOf(reads), [writes.name]: rowsOf(writes) };
  const { made, y } = stepOf({ site, reads, writes, C: shape.C }, shape, kind, settings, own, { rows });
  const loss = sum(square(sub(y, made.output)), "d_out");
  const program = await compile({ loss }, options);
  try {
    const scalars = Object.entries(kind.scalars?.(settings, 0) ?? {}).map(([name, x]) => [name, scalarValue(x)]);
    const fed = [reads, writes].map(({ name }) => [`row/${name}`, { ...sample[name]!, axes: "batch d" }]);
    const found = await program.run({ ...state, ...Object.fromEntries([...scalars, ...fed]) });
    return { x: sample[reads.name]!, target: sample[writes.name]!, loss: found.loss.data };
  } finally {
    await program.dispose();
  }
}

/** How many steps ago each latent fired last. */
export const silentName = (site: string): string => `silent/${site}`;

/** A dictionary's parameters and what else is carried, before the first step. */
function firstOf<S extends TrainingSettings>(
  { site, reads, writes, C }: PlacedDictionary,
  shape: DictionaryShape,
  kind: Kind<S>,
  settings: S,
  sample: NamedValues,
  key: Key,
): NamedValues {
  const [from, to] = [sampleOf(sample, reads), sampleOf(sample, writes)];
  const scaled = settings.activationNormalization === "expected_average_only_in";
  const [scaleIn, scaleOut] = [from, to].map((rows) => (scaled ? meanLengthScale(rows) : 1)) as [number, number];
  const bias = settings.geometricMedianStart ? geometricMedian(to).map((x) => x * scaleOut) : undefined;
  const threshold = kind.threshold?.(settings) ?? 0;
  return {
    ...startDictionary(
      site,
      dictionaryWeights(shape),
      {
        decoderStart: settings.normalizeDecoder ? 1 : settings.decoderStart,
        threshold: kind.logThresholds ? Math.log(threshold) : threshold,
        ...(bias && { bias }),
        ...(reads.name !== writes.name && { across: true }),
      },
      key,
    ),
    [silentName(site)]: values("C", [C], new Float32Array(C)),
    ...(scaled && {
      [scaleName(reads.name)]: values("", [], [scaleIn]),
      [scaleName(writes.name)]: values("", [], [scaleOut]),
    }),
  };
}

function sampleOf(sample: NamedValues, { name, width }: RowPoint): SampleRows {
  const { data, shape } = sample[name]!;
  return { data: data as Float32Array, rows: shape[0]!, width };
}

interface StepOf {
  readonly made: Made;
  /** Its output, in the activations' units. */
  readonly written: Tensor<"batch d_out">;
  readonly y: Tensor<"batch d_out">;
  /** Steps since each latent fired, before and after this one. */
  readonly silent: { readonly now: Tensor; readonly next: Tensor };
  readonly dead: Tensor<"C">;
}

/** One dictionary in one step. */
function stepOf<S extends TrainingSettings>(
  { site, reads, writes }: PlacedDictionary,
  { C }: DictionaryShape,
  kind: Kind<S>,
  settings: S,
  weights: Tensors,
  { rows }: Activations,
): StepOf {
  const trained = dictionaryAt(weights, site);
  const x = relabel(normalised(rows[reads.name]!, reads, settings), "batch d_in");
  const y = relabel(normalised(rows[writes.name]!, writes, settings), "batch d_out");
  const dictionary = settings.normalizeDecoder ? { ...trained, W_dec: directions(trained.W_dec) } : trained;
  const now = input(silentName(site), "C", { C });
  const dead = cast(greater(now, settings.deadAfter - 0.5), "f32");
  const given: Given = {
    ...{ x, y, dictionary, dead },
    ...(settings.subtractDecoderBias && { offset: offsetOf(dictionary) }),
    scalar: (name) => input(name, "", {}),
  };
  const made = kind.make(given, settings);
  const fired = max(made.z, "batch") as Tensor<"C">;
  return {
    made,
    written: restored(made.output, rows[writes.name]!, writes, settings),
    y,
    silent: { now, next: where(greater(fired, 0), 0, add(now, 1)) },
    dead,
  };
}

/** The step with what the network makes of the output in the place of how near that is to the activation. */
function endToEnd(step: StepOf, { writes }: PlacedDictionary, settings: TrainingSettings, run: OwnRun): StepOf {
  const { outputCoefficient, downstreamCoefficient, localCoefficient } = settings;
  const { reconstruction, ...rest } = step.made.terms;
  const found = endToEndTerms(run, writes.name, step.written, settings.endToEnd === "downstream");
  const terms = {
    ...rest,
    output: mul(found.output, outputCoefficient),
    ...(found.downstream && { downstream: mul(found.downstream, downstreamCoefficient) }),
    ...(localCoefficient > 0 && { reconstruction: mul(reconstruction!, localCoefficient) }),
  };
  return { ...step, made: { ...step.made, terms } };
}

/** What a dictionary writes in training, in the activations' own units. */
function restored(
  output: Tensor<"batch d_out">,
  rows: Tensor<"batch d">,
  { name }: RowPoint,
  { activationNormalization }: TrainingSettings,
): Tensor<"batch d_out"> {
  if (activationNormalization === "expected_average_only_in") return div(output, input(scaleName(name), "", {}));
  const units = rowUnits(rows, activationNormalization);
  if (units === undefined) return output;
  const scaled = mul(output, units.length);
  return units.centre === undefined ? scaled : add(scaled, units.centre);
}

/** What activations are multiplied with in training. */
function normalised(rows: Tensor<"batch d">, { name }: RowPoint, settings: TrainingSettings): Tensor<"batch d"> {
  if (settings.activationNormalization === "expected_average_only_in") return mul(rows, input(scaleName(name), "", {}));
  return (rowUnits(rows, settings.activationNormalization)?.rows ?? rows) as Tensor<"batch d">;
}

/** The decoder's rows at length 1. Where they have it already this changes no value, and takes the part along them out of the gradient. */
function directions(W_dec: Tensor<"C d_out">): Tensor<"C d_out"> {
  return div(W_dec, decoderNorms(W_dec));
}

function offsetOf({ W_enc, b_dec }: Dictionary): Tensor<"C"> {
  return neg(einsum("d_in, d_in C -> C", relabel(b_dec, "d_in"), W_enc));
}

/** The steps of all dictionaries as one. */
function joined(
  steps: readonly (StepOf & { readonly site: string })[],
  { normalizeDecoder }: TrainingSettings,
): StepObjective {
  const named = (name: string, site: string): string => (steps.length === 1 ? name : `${name} ${site}`);
  const metrics = steps.flatMap(({ site, made, y, dead }) => {
    const own = {
      ...(Object.keys(made.terms).length > 1 && made.terms),
      l0: meanActive(made.z),
      unexplained: unexplained(y, made.output),
      dead: sum(dead),
    };
    return Object.entries(own).map(([name, value]): [string, Tensor<"">] => [named(name, site), value]);
  });
  const terms = steps.flatMap(({ made }) => Object.values(made.terms));
  const silentNext = steps.map(({ site, silent }): [string, Tensor] => [`next ${silentName(site)}`, silent.next]);
  const thresholds = steps.flatMap(({ site, made }): [string, Tensor][] =>
    made.threshold ? [[`${site}.threshold`, made.threshold]] : [],
  );
  return {
    metrics: { loss: terms.reduce((total, term) => add(total, term)), ...Object.fromEntries(metrics) },
    values: Object.fromEntries([...silentNext, ...thresholds]),
    carried: (_, found) =>
      Object.fromEntries(
        steps.map(({ site, silent }) => {
          const name = silentName(site);
          return [name, { now: silent.now, next: found[`next ${name}`]! }];
        }),
      ),
    // Each group asks about weights of its own.
    after: (weights, found) => ({
      ...Object.fromEntries(
        thresholds.filter(([name]) => weights[name] !== undefined).map(([name]) => [name, found[name]!]),
      ),
      ...(normalizeDecoder &&
        Object.fromEntries(
          steps
            .map(({ site }) => `${site}.W_dec`)
            .filter((name) => weights[name] !== undefined)
            .map((name) => [name, directions(weights[name] as Tensor<"C d_out">)]),
        )),
    }),
  };
}
