/**
 * Edge attribution patching: for every edge at once, what cutting it would do, estimated by a gradient: the difference of what the writer
 * writes between two runs, times the gradient of the metric with respect to what the reader reads (Syed et al. 2023). With several steps
 * the gradient is averaged over runs between the two inputs (Hanna et al. 2024, EAP-IG).
 */
import type { Values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import type { RunHook, RunnableNetwork, Traced } from "../../network/run.ts";
import {
  add,
  axisSize,
  contract,
  gradients,
  input,
  mul,
  select,
  sizesOf,
  slice,
  sum,
  type Tensor,
} from "../../tensor/index.ts";
import type { Question } from "../ablation.ts";
import { attentionRegime, type AttentionRegime } from "../attention-regime.ts";
import { captured, expectAnswers, measured } from "../capture.ts";
import { crossed, tableInput } from "../crossed.ts";
import { countOf, DEFAULT_MEMORY, type Examples, pointSizes, rowsWithin } from "../examples.ts";
import { cutSource, type CutWith, type EdgeTable, edgeTable } from "./edge-effects.ts";
import { type EdgeGraph, edgeGraph, type GraphOptions, senderAt, senderPoints } from "./graph.ts";
import { stackOf, standInStack } from "./stack.ts";
import { expectDifferentiable, stepsAlong } from "../interpolation.ts";
import { Programs, readoutId } from "../programs.ts";

export interface EdgeAttribution extends EdgeTable {
  /** How decided attention is where the gradient is taken. */
  readonly regime: AttentionRegime | null;
}

/**
 * The estimated effect of cutting each edge, with the same sign and in the same unit as `edgeEffects`.
 *
 * @param steps how many runs, from the one that edges are cut in towards the other, the gradient is averaged over; 1, without any step
 *   away, is plain edge attribution patching
 */
export async function edgeAttribution(
  runnable: RunnableNetwork,
  base: Examples,
  {
    cut,
    metric,
    key,
    steps = 1,
    splitEmbeddings,
    ...options
  }: Question & GraphOptions & { readonly cut: CutWith; readonly steps?: number },
): Promise<EdgeAttribution> {
  expectAnswers(metric, base);
  expectDifferentiable(metric);
  const { memoryBytes = DEFAULT_MEMORY } = options;
  const graph = edgeGraph(runnable, splitEmbeddings === undefined ? {} : { splitEmbeddings });
  const points = senderPoints(graph);
  const source = cutSource(cut, base);
  if (source.kind === "noise") {
    throw new MechanistError("BadArgument", "edge attribution: expected zero, mean, resample or patch, got noise");
  }
  const standIn = standInStack(graph, await source.standIns(runnable, base, points, options));
  const change = differenceOf(standIn, stackOf(graph, await captured(runnable, base, points, options)));
  const baseline = await measured(runnable, base, metric, options);
  const regime = await attentionRegime(runnable, base, options);
  const n = countOf(base);
  const program = attributionProgram(graph, n, metric.readout);
  const alphas = stepsAlong(steps);
  const totals = graph.edges.map(() => new Float64Array(n));
  const found = graph.edges.map((edge) => {
    const { point, head = 0 } = graph.receivers.find(({ address, into }) => address === edge.to && into === edge.into)!;
    return { point, head, sender: senderAt(graph, edge.from) };
  });
  // A backward pass holds what the forward pass made.
  const most = rowsWithin(pointSizes(runnable, base.x), memoryBytes / 4, metric.readsAll);
  for (const { examples, variants: step, used, run, feeds } of crossed(base, steps, most, options)) {
    const { x, ...rest } = run;
    const alpha = Float64Array.from(step, (k) => alphas[k]!);
    const scores = (await runnable.compute(x, program.outputs, {
      ...rest,
      hooks: program.hooks,
      feeds: {
        ...metric.feeds(examples),
        "edges:change": change,
        "edges:along": { axes: "batch", shape: [alpha.length], dtype: "f32", data: alpha },
        ...feeds,
      },
    })) as Readonly<Record<string, Values>>;
    found.forEach(({ point, head, sender }, e) => {
      const { data, shape } = scores[point]!;
      const heads = shape[2] ?? 1;
      for (let i = 0; i < used; i++) {
        totals[e]![examples[i]!]! += data[(i * shape[1]! + sender) * heads + head]! / steps;
      }
    });
  }
  const method = steps === 1 ? "gradient (EAP)" : `gradient, mean over ${steps} steps between the inputs (EAP-IG)`;
  const perExample = totals.map((numbers) => Array.from(numbers));
  return { ...edgeTable({ graph, source, method, base, metric, baseline, perExample, ...(key && { key }) }), regime };
}

/** What stands in less what is written: `example pos sender d_model`. */
function differenceOf(standIn: Values | 0, written: Values): Values {
  const size = standIn === 0 ? 1 : standIn.data.length;
  const made = new (written.data.constructor as new (length: number) => Float64Array)(written.data.length);
  for (let i = 0; i < made.length; i++) made[i] = (standIn === 0 ? 0 : standIn.data[i % size]!) - written.data[i]!;
  return { ...written, data: made };
}

interface AttributionProgram {
  readonly hooks: readonly RunHook[];
  readonly outputs: (traced: Traced) => Readonly<Record<string, Tensor>>;
}

const PROGRAMS = new Programs<EdgeGraph, AttributionProgram>();

function attributionProgram(graph: EdgeGraph, n: number, readout: Question["metric"]["readout"]): AttributionProgram {
  return PROGRAMS.of(graph, `${n} ${readoutId(readout)}`, () => ({
    hooks: interpolatingHooks(graph, n),
    outputs: scoresOf(graph, n, readout),
  }));
}

/** The change of each row of the batch, `batch pos sender d_model`. */
function changeOf(graph: EdgeGraph, n: number, batch: number, pos: number): Tensor {
  const sizes = { batch, pos, sender: graph.senders.length, d_model: graph.network.config.dModel };
  return tableInput("edges:change", "batch pos sender d_model", sizes, n);
}

/** The first sender's writings moved along the way, and every reading made a value of its own, so that gradients end there. */
function interpolatingHooks(graph: EdgeGraph, n: number): readonly RunHook[] {
  // Where tokens and positions are one sender, its change is moved at the tokens' point.
  const moved = graph.senders.filter(({ address }) => address.endsWith("embed"));
  const along = moved.map(({ points }, sender): RunHook => ({
    point: points[0]!,
    replace: (value) => {
      const { batch, pos } = sizesOf(value) as { batch: number; pos: number };
      const change = select(changeOf(graph, n, batch, pos), "sender", sender) as Tensor;
      const alpha = input("edges:along", "batch", { batch });
      return add(value, mul(change, alpha as Tensor) as Tensor);
    },
  }));
  const reading = receivingPoints(graph).map((point): RunHook => ({ point, replace: (value) => mul(value, 1) }));
  // What heads write is taken from the point that their edges start at.
  return [...along, ...reading];
}

function receivingPoints({ receivers }: EdgeGraph): readonly string[] {
  return [...new Set(receivers.map(({ point }) => point))];
}

function scoresOf(graph: EdgeGraph, n: number, readout: Question["metric"]["readout"]): AttributionProgram["outputs"] {
  return ({ output, at, x }) => {
    const points = receivingPoints(graph);
    const loss = sum(readout(output)) as Tensor;
    const found = gradients(
      loss,
      points.map((point) => at[point]!),
    );
    const change = changeOf(graph, n, axisSize(x, "batch"), axisSize(x, "pos"));
    return Object.fromEntries(
      points.map((point, i) => {
        const { sees } = graph.receivers.find((receiver) => receiver.point === point)!;
        const gradient = found[i]!;
        const headAxis = gradient.axes.split(" ").find((axis) => axis.endsWith("head"));
        const axes = headAxis === undefined ? "batch sender" : `batch sender ${headAxis}`;
        return [point, contract(slice(change, "sender", 0, sees), gradient, axes)];
      }),
    );
  };
}
