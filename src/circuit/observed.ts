/** One input seen through a decomposition: importances, what components read and pass on, and the output of the masked run. */
import { divergence } from "../decomposition/parameter/losses/reconstruction.ts";
import type { NamedValues, Values } from "../engine/index.ts";
import { axisNames, sizesOf, type Tensors } from "../tensor/index.ts";
import { cutRun } from "./masked-run.ts";
import { computed, prefixed, type ProgramOptions } from "./program.ts";
import {
  componentCount,
  expectOne,
  inputLike,
  positionsOf,
  type RankOneDecomposition,
  sharedMasks,
  maskFeeds,
} from "./subject.ts";

export interface Observed {
  readonly x: Values;
  /** 1 where the network has none. */
  readonly positions: number;
  /** Sites in the order the run meets them. */
  readonly order: readonly string[];
  /** By site, `C batch`; rows are positions. */
  readonly importances: NamedValues;
  readonly inner: NamedValues;
  readonly passed: NamedValues;
  /** What each remainder writes, `batch d_out` by site; empty where remainders are left out. */
  readonly remainder: NamedValues;
  /** The output of the masked run, and of the network itself. */
  readonly output: Values;
  readonly own: Values;
  /** Of the masked output from the network's own: nats, mean over positions, or squared error, mean over outputs. */
  readonly divergence: number;
}

export interface ObserveOptions extends ProgramOptions {
  /** Masks by site, `C batch`, in place of importances. */
  readonly masks?: NamedValues;
  readonly remainder?: boolean;
}

/** Runs the network on one input, on its own weights and on masked components. */
export async function observe(
  subject: RankOneDecomposition,
  x: Values,
  { masks, remainder = false, ...options }: ObserveOptions = {},
): Promise<Observed> {
  expectOne(x);
  const importances = masks ?? (await importancesOn(subject, x, options));
  const positions = positionsOf(x);
  const traced = inputLike(x, 1);
  const run = cutRun(subject, traced, sharedMasks(subject, 1, positions), { remainder });
  const own = subject.network.forward(subject.tensors, traced);
  const found: NamedValues = await computed(
    {
      output: run.output,
      own,
      divergence: divergence(subject.network, run.output, own),
      ...prefixed("inner", run.inner),
      ...prefixed("passed", run.passed),
      ...prefixed("remainder", run.remainder),
    },
    { ...subject.values, ...maskFeeds(importances), x },
    options,
  );
  const under = (prefix: string, of: Tensors): NamedValues =>
    Object.fromEntries(Object.keys(of).map((site) => [site, found[`${prefix}/${site}`]!]));
  return {
    x,
    positions,
    order: run.order,
    importances,
    inner: under("inner", run.inner),
    passed: under("passed", run.passed),
    remainder: under("remainder", run.remainder),
    output: found.output!,
    own: found.own!,
    divergence: found.divergence!.data[0]!,
  };
}

/** Importances on inputs, `C batch` by site: a row for each example and position. */
async function importancesOn(
  subject: RankOneDecomposition,
  x: Values,
  options: ProgramOptions = {},
): Promise<NamedValues> {
  return computed({ ...subject.activity(inputLike(x, x.shape[0]!)) }, { ...subject.values, x }, options);
}

/** The axis that an output's logits, or values, lie along. */
export function outputAxis(axes: string): string {
  return axisNames(axes).at(-1)!;
}

/** The sizes by which a run's memory is estimated: numbers that one example of the run holds. */
export function numbersPerExample(subject: RankOneDecomposition, x: Values): number {
  const pos = positionsOf(x);
  const sites = subject.sites.reduce((sum, { name, dIn, dOut }) => sum + dIn + dOut + componentCount(subject, name), 0);
  const output = subject.network.forward(subject.tensors, inputLike(x, 1));
  return pos * sites + Object.values(sizesOf(output)).reduce((a, b) => a * b, 1);
}
