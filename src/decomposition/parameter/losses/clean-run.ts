/** The network on its own weights: what masked runs are compared with, and what importances are predicted from. */
import type { Network } from "../../../network/network.ts";
import { axisSize, stopGradient, type Tensor, type Tensors } from "../../../tensor/index.ts";
import {
  causalImportance,
  type CausalImportance,
  type ImportanceFunction,
  type LowerLeak,
  type SeenSite,
} from "../importance/importance.ts";
import type { Comparison } from "./blockwise-divergence.ts";
import { innerActivation, siteRows, subcomponentsOf } from "../subcomponents.ts";

export interface CleanRun {
  /** What masked runs are compared with: the output, or what `run` made of the batch instead. */
  readonly output: Tensor;
  /** By site. */
  readonly importances: Readonly<Record<string, CausalImportance>>;
  /** Values at the hook points that were asked for. */
  readonly at: Tensors;
}

/** How the network is run, and what is looked at on the way. */
export interface CleanRunOptions {
  readonly lowerLeak?: LowerLeak;
  /** Hook points to look at. */
  readonly points?: readonly string[];
  /** Runs the network on its own weights; absent, up to its output. */
  readonly run?: Comparison["run"];
}

/**
 * Runs the network on its own weights.
 *
 * @param components subcomponents and what predicts their importances, by name
 * @param importance how it does
 */
export function cleanRun(
  network: Network,
  weights: Tensors,
  components: Tensors,
  importance: ImportanceFunction,
  x: Tensor,
  options: CleanRunOptions = {},
): CleanRun {
  const { lowerLeak = "straight-through", points = [] } = options;
  const run = options.run ?? ((batch, hooks) => network.forward(weights, batch, hooks));
  const seen: SeenSite[] = [];
  const at: Record<string, Tensor> = {};
  const wanted = new Set([...points, ...(importance.points ?? [])]);
  const sites = new Set(network.sites.map(({ name }) => name));
  const output = run(x, {
    matmul: (site, activation) => {
      if (!sites.has(site.name)) return undefined;
      const inner = innerActivation(siteRows(activation), subcomponentsOf(components, site));
      seen.push({ site, C: axisSize(inner, "C"), activation, inner });
      return undefined;
    },
    at: (point, value) => {
      if (wanted.has(point)) at[point] = stopGradient(value);
      return undefined;
    },
  });
  const z = importance.preactivations(components, seen, at);
  const importances = seen.map(({ site }) => [site.name, causalImportance(z[site.name]!, lowerLeak)] as const);
  return { output, importances: Object.fromEntries(importances), at };
}
