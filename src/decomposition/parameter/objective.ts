/**
 * The objective of stochastic parameter decomposition as published (Bushnaq, Braun & Sharkey 2025, section 2):
 *
 *   L = β_f L_faithfulness + β_1 L_stochastic + β_2 L_layerwise + β_3 L_importance
 *
 * The network runs once on its own weights; what its matrices see there is what the gates see. Each masked run draws its own
 * sources.
 */
import type { Hooks, Network, Site } from "../../network/network.ts";
import { add, axisSize, mul, scalar, type Tensor, type Tensors, uniform } from "../../tensor/index.ts";
import {
  causalImportance,
  type CausalImportance,
  type ImportanceFunction,
  type LowerLeak,
  type SeenSite,
} from "./importance/importance.ts";
import { faithfulness } from "./losses/faithfulness.ts";
import { frequencyMinimality } from "./losses/frequency-minimality.ts";
import { importanceMinimality } from "./losses/importance-minimality.ts";
import { divergence } from "./losses/reconstruction.ts";
import { maskFrom } from "./mask.ts";
import { fromRows, innerActivation, maskedProduct, rowsOf, subcomponentsOf, weightDelta } from "./subcomponents.ts";

/** What the objective weighs and how. */
export interface ObjectiveSettings {
  readonly faithfulness: number;
  readonly stochasticRecon: number;
  readonly layerwiseRecon: number;
  readonly importanceMinimality: number;
  /** Weight of frequency minimality beside importance minimality, which shares its coefficient; 0 leaves it out. */
  readonly frequencyMinimality: number;
  readonly frequencyReference: number;
  readonly lowerLeak: LowerLeak;
  readonly delta: boolean;
}

/** The loss and its parts, each a scalar. */
export interface Objective {
  readonly loss: Tensor<"">;
  readonly faithfulness: Tensor<"">;
  readonly stochasticRecon: Tensor<"">;
  readonly layerwiseRecon: Tensor<"">;
  readonly importanceMinimality: Tensor<"">;
}

/**
 * The objective on one batch.
 *
 * @param weights    the network's own weights
 * @param components subcomponents and what predicts their importances, by name
 * @param importance how it does
 * @param x          the batch
 * @param schedule   the exponent of importance minimality, and what its coefficient is multiplied by at this step
 */
export function spdObjective(
  network: Network,
  weights: Tensors,
  components: Tensors,
  importance: ImportanceFunction,
  x: Tensor,
  schedule: { readonly p: number | Tensor<"">; readonly importanceScale: number | Tensor<""> },
  settings: ObjectiveSettings,
): Objective {
  const { output, importances } = cleanRun(network, weights, components, importance, x, settings.lowerLeak);
  const masked = (name: string, sites: readonly Site[]): Tensor<""> => {
    const hooks = stochasticHooks(name, sites, weights, components, importances, network, settings.delta);
    return divergence(network, network.forward(weights, x, hooks), output);
  };
  const upper = network.sites.map((site) => importances[site.name]!.upper);
  const parts = {
    faithfulness: faithfulness(
      network.sites.map((site) => weightDelta(network.matrix(weights, site.name), subcomponentsOf(components, site))),
    ),
    stochasticRecon: masked("stochastic", network.sites),
    layerwiseRecon: mul(
      network.sites.map((site) => masked("layerwise", [site])).reduce((a, b) => add(a, b)),
      1 / network.sites.length,
    ),
    importanceMinimality: importanceMinimality(upper, schedule.p),
  };
  const sparsity =
    settings.frequencyMinimality === 0
      ? parts.importanceMinimality
      : add(
          parts.importanceMinimality,
          mul(frequencyMinimality(upper, settings.frequencyReference), settings.frequencyMinimality),
        );
  const terms: readonly (readonly [number, Tensor<"">])[] = [
    [settings.faithfulness, parts.faithfulness],
    [settings.stochasticRecon, parts.stochasticRecon],
    [settings.layerwiseRecon, parts.layerwiseRecon],
    [settings.importanceMinimality, scaled(sparsity, schedule.importanceScale)],
  ];
  const weighed = terms.filter(([weight]) => weight !== 0).map(([weight, term]) => mul(term, weight));
  return { ...parts, loss: weighed.reduce((a, b) => add(a, b), scalar(0)) };
}

function scaled(x: Tensor<"">, scale: number | Tensor<"">): Tensor<""> {
  return typeof scale === "number" ? mul(x, scale) : mul(x, scale);
}

/** The network on its own weights: its output, and every component's importance from what the sites see there. */
export function cleanRun(
  network: Network,
  weights: Tensors,
  components: Tensors,
  importance: ImportanceFunction,
  x: Tensor,
  lowerLeak: LowerLeak = "straight-through",
): { output: Tensor; importances: Readonly<Record<string, CausalImportance>> } {
  const seen: SeenSite[] = [];
  const at: Record<string, Tensor> = {};
  const output = network.forward(weights, x, {
    matmul: (site, activation) => {
      if (!network.sites.some(({ name }) => name === site.name)) return undefined;
      const inner = innerActivation(rowsOf(activation), subcomponentsOf(components, site));
      seen.push({ site, C: axisSize(inner, "C"), activation, inner });
      return undefined;
    },
    at: (point, value) => {
      if (importance.points?.includes(point)) at[point] = value;
      return undefined;
    },
  });
  const z = importance.preactivations(components, seen, at);
  const importances = Object.fromEntries(
    seen.map(({ site }) => [site.name, causalImportance(z[site.name]!, lowerLeak)]),
  );
  return { output, importances };
}

/** Hooks that run the given sites on components under freshly drawn masks. */
function stochasticHooks(
  name: string,
  sites: readonly Site[],
  weights: Tensors,
  components: Tensors,
  importances: Readonly<Record<string, CausalImportance>>,
  network: Network,
  withDelta: boolean,
): Hooks {
  return {
    matmul: (site, activation) => {
      if (!sites.some(({ name }) => name === site.name)) return undefined;
      const parts = subcomponentsOf(components, site);
      const { lower } = importances[site.name]!;
      const sizes = { C: axisSize(lower, "C"), batch: axisSize(lower, "batch") };
      const mask = maskFrom(lower, uniform(`${name}/${site.name}`, "C batch", sizes));
      const remainder = {
        delta: weightDelta(network.matrix(weights, site.name), parts),
        mask: uniform(`${name}/${site.name}/delta`, "batch", { batch: sizes.batch }),
      };
      return fromRows(maskedProduct(rowsOf(activation), parts, mask, withDelta ? remainder : undefined), activation);
    },
  };
}
