/**
 * What interventions do to a measure of the output, for many interventions at once. Each row of a batch is one example with one
 * intervention; a mask, given at each run, says what of the row is replaced, so interventions at the same points share a program.
 */
import type { NamedValues, Values } from "../engine/index.ts";
import { type RunHook, type RunnableNetwork } from "../network/run.ts";
import { add, and, axisNames, broadcast, input, scalar, sizesOf, type Tensor, where } from "../tensor/index.ts";
import { captured, expectAnswers, measured, measureOf, type WorkOptions } from "./capture.ts";
import { asTable, crossed, tableInput } from "./crossed.ts";
import { countOf, DEFAULT_MEMORY, type Examples, pointSizes, rowsWithin } from "./examples.ts";
import type { Metric } from "./metrics.ts";
import { Programs } from "./programs.ts";
import { listOf, namedAxes, type Selection, selectionsOf, type Variant } from "./selection.ts";
import type { Source, StandIn } from "./sources.ts";
import { effectTable, type EffectTable, type Tabled } from "./table.ts";

/** Runs every variant on every example, and tables what that changes. */
export async function effectsOf(
  runnable: RunnableNetwork,
  {
    base,
    variants,
    source,
    metric,
    ...told
  }: Tabled & {
    readonly base: Examples;
    readonly variants: readonly Variant[];
    readonly source: Source;
    readonly metric: Metric;
  },
  options: WorkOptions = {},
): Promise<EffectTable> {
  expectAnswers(metric, base);
  const { onProgress, memoryBytes = DEFAULT_MEMORY } = options;
  const sizes = pointSizes(runnable, base.x);
  const lists = variants.map((variant) => selectionsOf(runnable, sizes, variant));
  const n = countOf(base);
  const points = [...new Set(lists.flat().map(({ point }) => point))];
  const standIns = await source.standIns(runnable, base, points, options);
  const baseline = await measured(runnable, base, metric, options);
  const groups = grouped(lists, (list) => list.map((part) => `${part.point}[${namedAxes(sizes, part).join()}]`).join());
  const starts = new Map(groups.map((group) => [group, startOf(runnable, lists[group[0]!]!)]));
  const needed = [...new Set(starts.values())].filter((start) => start !== undefined);
  const streams = await captured(runnable, base, needed, options);
  const most = rowsWithin(sizes, memoryBytes, metric.readsAll);
  const changed: number[][] = variants.map(() => []);
  let done = 0;
  for (const group of groups) {
    const start = starts.get(group);
    const program = programOf(runnable, lists[group[0]!]!, standIns, n, start, namedAxes.bind(undefined, sizes));
    const feeds: Record<string, Values> = {};
    if (start !== undefined) feeds["patch:start"] = asTable(streams[start]!);
    for (const { point } of lists[group[0]!]!) {
      const { values } = standIns[point]!;
      if (values !== 0) feeds[`patch:stand-in:${point}`] = asTable(values);
    }
    const progress = (here: number): void => onProgress?.(done + here, variants.length * n);
    for (const batch of crossed(base, group.length, most, { ...options, onProgress: progress })) {
      const { x, ...rest } = batch.run;
      const chosen = batch.variants.map((v) => group[v]!);
      const { measure } = await runnable.compute(x, measureOf(metric.readout), {
        ...rest,
        hooks: program,
        feeds: {
          ...feeds,
          ...masksOf(
            chosen.map((v) => lists[v]!),
            sizes,
          ),
          ...metric.feeds(batch.examples),
          ...batch.feeds,
        },
      });
      for (let i = 0; i < batch.used; i++) changed[chosen[i]!]!.push(measure.data[i]!);
    }
    done += group.length * n;
  }
  return effectTable({
    source,
    examples: base.name,
    metric,
    baseline,
    changed,
    variants: variants.map(listOf),
    ...told,
  });
}

/** Indices of the lists that need the same program, in the order they are met. */
function grouped<T>(items: readonly T[], keyOf: (item: T) => string): number[][] {
  const groups = new Map<string, number[]>();
  items.forEach((item, i) => {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [i]);
    else group.push(i);
  });
  return [...groups.values()];
}

/**
 * The last residual stream between blocks that every selection comes after, or is. What lies before it is the same as in the run
 * without intervention, so it is not computed again.
 */
function startOf({ network }: RunnableNetwork, list: readonly Selection[]): string | undefined {
  const order = network.points.map(({ name }) => name);
  const first = Math.min(...list.map(({ point }) => order.indexOf(point)));
  return order.slice(0, first + 1).findLast((name) => /^blocks\.[1-9]\d*\.hook_resid_pre$/.test(name));
}

const PROGRAMS = new Programs<RunnableNetwork, readonly RunHook[]>();

/** The hooks that replace what masks say; the same ones for the same question, so that it is compiled once. */
function programOf(
  runnable: RunnableNetwork,
  list: readonly Selection[],
  standIns: Readonly<Record<string, StandIn>>,
  n: number,
  start: string | undefined,
  axesOf: (part: Selection) => readonly string[],
): readonly RunHook[] {
  const described = list.map((part) => {
    const { how, values } = standIns[part.point]!;
    return `${part.point}[${axesOf(part).join()}] ${how} ${values === 0 ? 0 : values.axes}`;
  });
  const key = `${n} examples from ${start ?? "the input"}: ${described.join("; ")}`;
  return PROGRAMS.of(runnable, key, () => {
    const hooks: RunHook[] = list.map((part) => ({
      point: part.point,
      replace: (value) =>
        masked(part.point, axesOf(part), value, standInOf(part.point, standIns[part.point]!, value, n)),
    }));
    if (start !== undefined) {
      const point = start;
      hooks.unshift({ point, replace: (value) => tableInput("patch:start", value.axes, sizesOf(value), n) });
    }
    return hooks;
  });
}

function standInOf(point: string, { how, values }: StandIn, value: Tensor, n: number): Tensor {
  if (values === 0) return scalar(0);
  const name = `patch:stand-in:${point}`;
  const sizes = sizesOf(value);
  const given = axisNames(values.axes).includes("batch")
    ? tableInput(name, values.axes, sizes, n)
    : (input(name, values.axes, sizes) as Tensor);
  return how === "add" ? add(value, given) : given;
}

/** The value, with what the masks of its axes all choose replaced. */
function masked(point: string, axes: readonly string[], value: Tensor, standIn: Tensor): Tensor {
  const sizes = sizesOf(value);
  const batch = sizes.batch!;
  let mask: Tensor | undefined;
  for (const axis of axes) {
    const one = input(maskName(point, axis), `batch ${axis}`, { batch, [axis]: sizes[axis]! }, "bool") as Tensor;
    mask = mask === undefined ? one : and(broadcast(mask, `${mask.axes} ${axis}`, sizes), one);
  }
  return mask === undefined ? broadcast(standIn, value.axes, sizes) : (where(mask, standIn, value) as Tensor);
}

const maskName = (point: string, axis: string): string => `patch:mask:${point}:${axis}`;

/** The masks of each row of a batch. */
function masksOf(
  rows: readonly (readonly Selection[])[],
  sizes: ReadonlyMap<string, Readonly<Record<string, number>>>,
): NamedValues {
  const masks: Record<string, Values> = {};
  rows.forEach((list, row) => {
    for (const part of list) {
      for (const axis of namedAxes(sizes, part)) {
        const size = sizes.get(part.point)![axis]!;
        const mask = (masks[maskName(part.point, axis)] ??= {
          axes: `batch ${axis}`,
          shape: [rows.length, size],
          dtype: "bool",
          data: new Uint8Array(rows.length * size),
        });
        for (const index of part.at![axis]!) mask.data[row * size + index] = 1;
      }
    }
  });
  return masks;
}
