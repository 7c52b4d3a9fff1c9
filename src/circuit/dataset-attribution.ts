/**
 * Attribution between components over data (VPD, "dataset-level attribution"): for each pair
 *
 *   A(c' → c) = Σ ∂h_c/∂q_c' · q_c',   Â = A / (Σ g_c' · RMS(h_c)),
 *
 * summed over examples and positions of both, in runs masked by importances with gradients stopped at every component. Targets are summed
 * over positions before the gradient is taken, so that it takes one backward pass a target and batch. The absolute variant takes |h_c| in place
 * of h_c: contributions that raise a target here and lower it there do not cancel there.
 */
import { type Address, formatAddress } from "../decomposition/address.ts";
import type { NamedValues } from "../engine/index.ts";
import { MechanistError } from "../error.ts";
import {
  abs,
  axisSize,
  contract,
  foldIn,
  gradients,
  input,
  mul,
  sizesOf,
  square,
  sum,
  type Tensor,
} from "../tensor/index.ts";
import type { EditData } from "./edit-effects.ts";
import { grouped } from "./grouped.ts";
import { dataKey } from "./data-means.ts";
import { cutRun } from "./masked-run.ts";
import { prefixed, prepare, type WorkOptions } from "./program.ts";
import { componentCount, hasPositions, type RankOneDecomposition, siteOf, writeNorms } from "./subject.ts";
import { chosenActivation, chosenOutput } from "./targets.ts";

/** What one source contributes to one target over the data. */
export interface DatasetSource {
  readonly address: string;
  /** A, in the unit of `h_c ‖U_c‖`, or of the output. */
  readonly attribution: number;
  /** The same to |target|. */
  readonly absolute: number;
  /** Â and its absolute variant; `null` where the source never mattered or the target was always 0. */
  readonly normalised: number | null;
  readonly absoluteNormalised: number | null;
}

export interface DatasetTarget {
  readonly address: string;
  /** The root of the mean square of the target over positions. */
  readonly rms: number;
  /** The target itself, summed: what sources, `inputs` and what no source accounts for add up to. */
  readonly total: number;
  /** What enters the network contributes past all components. */
  readonly inputs: number;
  /** Largest first, by absolute normalised attribution; those of exactly 0 are left out. */
  readonly sources: readonly DatasetSource[];
}

export interface DatasetAttribution {
  /** Positions of all examples. */
  readonly n: number;
  readonly examples: number;
  readonly targets: readonly DatasetTarget[];
}

/**
 * Attributions to some targets.
 *
 * @param targets addresses of components, or `output:index` for a logit (less the mean of all) or a value
 */
export async function datasetAttribution(
  subject: RankOneDecomposition,
  data: EditData,
  targets: readonly Pick<Address, "site" | "component">[],
  options: WorkOptions = {},
): Promise<DatasetAttribution> {
  for (const { site, component } of targets) expectTarget(subject, data.x, site, component);
  const drawing = await prepare({ x: data.x, ...prefixed("g", subject.activity(data.x)) }, options);
  const groups = grouped(targets, ({ site }) => site);
  const programs = new Map<string, Awaited<ReturnType<typeof prepare>>>();
  const key = dataKey(data);
  const batch = data.x.shape[0]!;
  const pos = hasPositions(subject) ? axisSize(data.x, "pos") : 1;
  const importance = new Map<string, Float64Array>();
  const sums = targets.map(() => new Sums());
  let done = 0;
  try {
    for (const site of groups.keys()) programs.set(site, await prepare(targetProgram(subject, data.x, site), options));
    for (let b = 0; b < data.batches; b++) {
      const drawn: NamedValues = await drawing.run({ ...subject.values, ...data.feeds }, foldIn(key, b));
      const masks = Object.fromEntries(subject.sites.map(({ name }) => [`mask/${name}`, drawn[`g/${name}`]!]));
      for (const { name } of subject.sites) addRows(importance, name, drawn[`g/${name}`]!);
      for (const [i, { site, component }] of targets.entries()) {
        options.signal?.throwIfAborted();
        const chosen = {
          axes: "batch",
          shape: [batch],
          dtype: "i32" as const,
          data: new Int32Array(batch).fill(Number(component)),
        };
        const program = programs.get(site)!;
        sums[i]!.add(await program.run({ ...subject.values, ...masks, x: drawn.x!, "target/component": chosen }));
        options.onProgress?.(++done, data.batches * targets.length);
      }
    }
  } finally {
    await drawing.dispose();
    for (const program of programs.values()) await program.dispose();
  }
  const n = batch * pos * data.batches;
  const found = targets.map(({ site, component }, i) => {
    const scale = site === "output" ? 1 : writeNorms(subject, site)[component as number]!;
    return sums[i]!.told(formatAddress({ site, component }), n, scale, importance);
  });
  return { n, examples: batch * data.batches, targets: found };
}

/** The sites whose components can act on what a site reads, by paths past all other components. */
export function actingOn(subject: RankOneDecomposition, x: Tensor, site: string): string[] {
  const names = Object.keys(targetProgram(subject, x, site));
  return names.flatMap((name) => /^plain\/component\/(.*)$/.exec(name)?.[1] ?? []);
}

function expectTarget(subject: RankOneDecomposition, x: Tensor, site: string, component: Address["component"]): void {
  if (component === "remainder") {
    throw new MechanistError("BadArgument", `attribution: expected a component of ${site}, got its remainder`);
  }
  const isOutput = site === "output";
  const count = isOutput
    ? subject.network.forward(subject.tensors, x).shape.at(-1)!
    : componentCount(subject, siteOf(subject, site).name);
  if (component < count) return;
  const wanted = isOutput ? "an output" : "a component";
  throw new MechanistError("BadArgument", `${site}: expected ${wanted} from 0 to ${count - 1}, got ${component}`);
}

/** Sums of what every source adds to one target of a site on a batch, and of the target and its square. */
function targetProgram(subject: RankOneDecomposition, like: Tensor, site: string): Readonly<Record<string, Tensor>> {
  const x = input("x", like.axes, sizesOf(like), like.dtype) as Tensor;
  const rows = axisSize(like, "batch") * (hasPositions(subject) ? axisSize(like, "pos") : 1);
  const masks = Object.fromEntries(
    subject.sites.map(({ name }) => [
      name,
      input(`mask/${name}`, "C batch", { C: componentCount(subject, name), batch: rows }),
    ]),
  );
  const run = cutRun(subject, x, masks);
  const chosen = site === "output" ? chosenOutput(subject.network, run.output) : chosenActivation(subject, run, site);
  const sources: Record<string, Tensor> = {
    ...prefixed("component", run.passed),
    ...prefixed("entering", run.entering),
  };
  const names = Object.keys(sources);
  const outputs: Record<string, Tensor> = { total: sum(chosen), squares: sum(square(chosen)) };
  for (const [kind, loss] of [
    ["plain", sum(chosen)],
    ["absolute", sum(abs(chosen))],
  ] as const) {
    const slopes = gradients(
      loss,
      names.map((name) => sources[name]!),
    );
    names.forEach((name, i) => {
      const [slope, value] = [slopes[i]!, sources[name]!];
      if (slope.op === "constant") return;
      outputs[`${kind}/${name}`] = name.startsWith("component/") ? contract(slope, value, "C") : sum(mul(slope, value));
    });
  }
  return outputs;
}

function addRows(into: Map<string, Float64Array>, site: string, g: NamedValues[string]): void {
  const [C, rows] = g.shape as [number, number];
  const totals = into.get(site) ?? new Float64Array(C);
  into.set(site, totals);
  for (let c = 0; c < C; c++) for (let r = 0; r < rows; r++) totals[c]! += g.data[c * rows + r]!;
}

/** What one target's passes add up to. */
class Sums {
  readonly #sums = new Map<string, Float64Array>();

  add(found: NamedValues): void {
    for (const [name, { data }] of Object.entries(found)) {
      const totals = this.#sums.get(name) ?? new Float64Array(data.length);
      this.#sums.set(name, totals);
      for (let i = 0; i < data.length; i++) totals[i]! += data[i]!;
    }
  }

  told(address: string, n: number, scale: number, importance: ReadonlyMap<string, Float64Array>): DatasetTarget {
    const rms = scale * Math.sqrt((this.#sums.get("squares")?.[0] ?? 0) / n);
    const sources: DatasetSource[] = [];
    let inputs = 0;
    for (const [name, totals] of this.#sums) {
      if (name.startsWith("plain/entering/")) inputs += totals[0]! * scale;
      const site = /^plain\/component\/(.*)$/.exec(name)?.[1];
      if (site === undefined) continue;
      const absolutes = this.#sums.get(`absolute/component/${site}`)!;
      totals.forEach((total, component) => {
        const [attribution, absolute] = [total * scale, absolutes[component]! * scale];
        if (attribution === 0 && absolute === 0) return;
        const size = importance.get(site)![component]! * rms;
        sources.push({
          address: formatAddress({ site, component }),
          attribution,
          absolute,
          normalised: size > 0 ? attribution / size : null,
          absoluteNormalised: size > 0 ? absolute / size : null,
        });
      });
    }
    sources.sort((a, b) => Math.abs(b.normalised ?? 0) - Math.abs(a.normalised ?? 0));
    return { address, rms, total: this.#sums.get("total")![0]! * scale, inputs, sources };
  }
}
