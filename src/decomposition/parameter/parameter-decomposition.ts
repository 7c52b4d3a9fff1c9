/** A network taken apart into rank-one subcomponents of its weight matrices, with gates that say when each matters. */
import type { NamedValues } from "../../engine/index.ts";
import type { Network, WeightSpec } from "../../network/network.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { Masks } from "../decomposition.ts";
import type { ImportanceFunction, LowerLeak, Slots } from "./importance/importance.ts";
import { cleanRun } from "./losses/clean-run.ts";
import { RankOneDecomposition, slotsOf } from "./rank-one-decomposition.ts";
import { subcomponentWeights } from "./subcomponents.ts";

/** The weights of the subcomponents at all sites, and of what predicts their importances. */
export function componentWeights(slots: readonly Slots[], importance: ImportanceFunction): WeightSpec[] {
  return [...slots.flatMap(({ site, C }) => subcomponentWeights(site, C)), ...importance.weights(slots)];
}

export class ParameterDecomposition extends RankOneDecomposition {
  readonly measure = "importance";
  readonly importance: ImportanceFunction;
  readonly #lowerLeak: LowerLeak;

  /**
   * @param weights    the network's own weights
   * @param components subcomponents, `<site>.V` and so on, and the weights of what predicts their importances; every site must be there
   * @param importance how it does
   * @param lowerLeak  what becomes of importances below 0
   */
  constructor(
    network: Network,
    weights: NamedValues,
    components: NamedValues,
    importance: ImportanceFunction,
    lowerLeak: LowerLeak = "straight-through",
  ) {
    super(network, weights, components, importance.weights(slotsOf(network.sites, components)));
    this.importance = importance;
    this.#lowerLeak = lowerLeak;
  }

  /**
   * Causal importances, `C batch` for each site, from a run on the network's own weights: in [0, 1], and with the leak `slope` as far below 0 as
   * they were in training.
   */
  activity(x: Tensor): Masks {
    const how = { lowerLeak: this.#lowerLeak };
    const { importances } = cleanRun(this.network, this.tensors, this.tensors, this.importance, x, how);
    return Object.fromEntries(this.sites.map((site) => [site.name, importances[site.name]!.lower]));
  }
}
