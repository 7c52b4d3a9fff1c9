/**
 * Attribution patching: what patching each part would do, estimated for all parts at once by a gradient, the difference of the values
 * between two runs times the gradient of the metric (Nanda 2023; Kramár et al. 2024, "AtP*"). Exact where the network is linear
 * between the two runs; how decided attention is, which is where it fails, is part of every result. With several steps the
 * gradient is averaged over runs between the two inputs.
 */
import type { Values } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import type { RunHook, RunnableNetwork, Traced } from "../network/run.ts";
import { add, axisNames, contract, gradients, input, mul, sizesOf, sum, type Tensor } from "../tensor/index.ts";
import type { Question } from "./ablation.ts";
import { attentionRegime, type AttentionRegime } from "./attention-regime.ts";
import { captured, expectAnswers, measured } from "./capture.ts";
import { asTable, crossed, tableInput } from "./crossed.ts";
import { countOf, DEFAULT_MEMORY, expectAlike, pointSizes, rowsWithin } from "./examples.ts";
import { expectDifferentiable, stepsAlong } from "./interpolation.ts";
import type { Readout } from "./metrics.ts";
import { type Contrast, runsOf } from "./patching.ts";
import { Programs, readoutId } from "./programs.ts";
import { namedAxes, type Selection, selectionsOf, type Variant } from "./selection.ts";
import { fromRun } from "./sources.ts";
import { cellsOf, type SweepRow, withCells } from "./sweeps.ts";
import { type EffectRow, effectTable, type EffectTable } from "./table.ts";

/** Estimates, in the form of the effects that they estimate. */
export interface AttributionTable<Row extends EffectRow = EffectRow> extends EffectTable<Row> {
  readonly method: string;
  /** How decided attention is where the gradient is taken. */
  readonly regime: AttentionRegime | null;
}

interface AttributionOptions extends Question {
  /** How many runs, from the base towards the other, the gradient is averaged over; 1 is the base alone. */
  readonly steps?: number;
}

/** Where inputs enter as vectors, so that runs between two of them can be made. */
const EMBEDDINGS = ["hook_embed"] as const;

/** The estimated effect of patching each variant, with the sign and unit of `patch`. */
export async function attribute(
  runnable: RunnableNetwork,
  contrast: Contrast,
  { variants, metric, key, steps = 1, ...options }: AttributionOptions & { readonly variants: readonly Variant[] },
): Promise<AttributionTable> {
  const { base, source: other } = runsOf(contrast);
  expectAlike("attribution patching", base, other);
  expectAnswers(metric, base);
  expectDifferentiable(metric);
  const { memoryBytes = DEFAULT_MEMORY } = options;
  const sizes = pointSizes(runnable, base.x);
  const lists = variants.map((variant) => selectionsOf(runnable, sizes, variant));
  const alphas = stepsAlong(steps);
  const moved = steps === 1 ? [] : EMBEDDINGS.filter((point) => sizes.has(point));
  if (steps > 1 && moved.length === 0) {
    throw new MechanistError(
      "BadArgument",
      "attribution: expected a network with hook_embed for steps, got one without",
    );
  }
  const wanted = new Map<string, Wanted>();
  for (const part of lists.flat()) wanted.set(nameOf(sizes, part), { ...part, axes: namedAxes(sizes, part) });
  const points = [...new Set([...wanted.values()].map(({ point }) => point))];
  const [from, to] = await Promise.all([
    captured(runnable, base, [...new Set([...points, ...moved])], options),
    captured(runnable, other, [...new Set([...points, ...moved])], options),
  ]);
  const changes = Object.fromEntries(
    Object.keys(from).map((point) => [`attribute:change:${point}`, lessThan(to[point]!, from[point]!)]),
  );
  const baseline = await measured(runnable, base, metric, options);
  const target = await measured(runnable, other, metric, options);
  const n = countOf(base);
  const program = programOf(runnable, [...wanted], moved, n, metric.readout);
  const estimates = lists.map(() => new Float64Array(n));
  // A backward pass holds what the forward pass made.
  const most = rowsWithin(sizes, memoryBytes / 4, metric.readsAll);
  for (const { examples, variants: step, used, run, feeds } of crossed(base, steps, most, options)) {
    const { x, ...rest } = run;
    const alpha = Float64Array.from(step, (k) => alphas[k]!);
    const scores = (await runnable.compute(x, program.outputs, {
      ...rest,
      hooks: program.hooks,
      feeds: {
        ...metric.feeds(examples),
        ...changes,
        "attribute:along": { axes: "batch", shape: [alpha.length], dtype: "f32", data: alpha },
        ...feeds,
      },
    })) as Readonly<Record<string, Values>>;
    lists.forEach((list, v) => {
      for (const part of list)
        addChosen(estimates[v]!, scores[nameOf(sizes, part)]!, part, examples.slice(0, used), steps);
    });
  }
  const table = effectTable({
    source: fromRun(other),
    examples: base.name,
    metric,
    baseline,
    changed: estimates.map((numbers) => Array.from(numbers, (x, i) => x + baseline[i]!)),
    target,
    direction: contrast.direction,
    variants: lists,
    key,
  });
  const method = steps === 1 ? "gradient" : `gradient, mean over ${steps} steps between the inputs`;
  return { ...table, method, regime: await attentionRegime(runnable, base, options) };
}

/** Estimates every cell of a sweep. */
export async function attributionSweep(
  runnable: RunnableNetwork,
  contrast: Contrast,
  { sweep, ...question }: AttributionOptions & { readonly sweep: string },
): Promise<AttributionTable<SweepRow>> {
  const cells = cellsOf(runnable, pointSizes(runnable, contrast.clean.x), sweep);
  const variants = cells.map(({ selection }) => selection);
  const table = await attribute(runnable, contrast, { ...question, variants });
  return withCells(table, cells);
}

interface Wanted extends Selection {
  /** The axes along which scores stay apart. */
  readonly axes: readonly string[];
}

const nameOf = (sizes: Parameters<typeof namedAxes>[0], part: Selection): string =>
  `${part.point} ${namedAxes(sizes, part).join(" ")}`;

function lessThan(a: Values, b: Values): Values {
  return asTable({ ...a, data: a.data.map((x, i) => x - b.data[i]!) as Values["data"] });
}

/** Adds the scores that a selection chooses, one number an example. */
function addChosen(
  into: Float64Array,
  scores: Values,
  { at = {} }: Selection,
  examples: readonly number[],
  steps: number,
): void {
  const axes = axisNames(scores.axes).slice(1);
  const offsets = axes.reduce<number[]>(
    (all, axis, i) => all.flatMap((offset) => at[axis]!.map((index) => offset * scores.shape[i + 1]! + index)),
    [0],
  );
  const size = scores.data.length / scores.shape[0]!;
  examples.forEach((example, row) => {
    for (const offset of offsets) into[example]! += scores.data[row * size + offset]! / steps;
  });
}

interface AttributionProgram {
  readonly hooks: readonly RunHook[];
  readonly outputs: (traced: Traced) => Readonly<Record<string, Tensor>>;
}

const PROGRAMS = new Programs<RunnableNetwork, AttributionProgram>();

function programOf(
  runnable: RunnableNetwork,
  wanted: readonly (readonly [string, Wanted])[],
  moved: readonly string[],
  n: number,
  readout: Readout,
): AttributionProgram {
  const key = `${readoutId(readout)} ${n} ${moved.join()} ${wanted.map(([name]) => name).join("; ")}`;
  return PROGRAMS.of(runnable, key, () => tracedProgram(wanted, moved, n, readout));
}

function tracedProgram(
  wanted: readonly (readonly [string, Wanted])[],
  moved: readonly string[],
  n: number,
  readout: Readout,
): AttributionProgram {
  const points = [...new Set(wanted.map(([, { point }]) => point))];
  const along = moved.map((point): RunHook => ({
    point,
    replace: (value) => {
      const alpha = input("attribute:along", "batch", { batch: sizesOf(value).batch! }) as Tensor;
      return add(value, mul(changeOf(point, value, n), alpha) as Tensor);
    },
  }));
  return {
    // Each point's value becomes one that the rest of the run hangs on, so that a gradient can be taken there.
    hooks: [...along, ...points.map((point): RunHook => ({ point, replace: (value) => mul(value, 1) }))],
    outputs: ({ output, at }) => {
      const found = gradients(
        sum(readout(output)) as Tensor,
        points.map((point) => at[point]!),
      );
      return Object.fromEntries(
        wanted.map(([name, { point, axes }]) => {
          const gradient = found[points.indexOf(point)]!;
          return [name, contract(changeOf(point, gradient, n), gradient, ["batch", ...axes].join(" "))];
        }),
      );
    },
  };
}

/** What changes at a point between the runs, as the value there has it. */
function changeOf(point: string, value: Tensor, n: number): Tensor {
  return tableInput(`attribute:change:${point}`, value.axes, sizesOf(value), n);
}
