/** Running local loss-landscape decomposition: the objective, by Adam, from random directions. */
import { type NamedValues, values } from "../../engine/index.ts";
import type { Network, WeightSpec } from "../../network/network.ts";
import { foldIn, type Key, keyFromSeed, randomNormal, sizeOf } from "../../tensor/index.ts";
import type { LoopOptions, StageResult } from "../../training/loop.ts";
import { runFullNetwork } from "../full-network/run.ts";
import { cosineSchedule } from "../../training/schedule.ts";
import type { DecompositionTarget } from "../full-network/target.ts";
import { THRESHOLD } from "../full-network/threshold.ts";
import { directionWeights, normalisedDirections } from "./directions.ts";
import { l3dObjective } from "./objective.ts";
import type { L3dSettings } from "./settings.ts";

/** What a run found: the directions, and `threshold`, above which `|V_in g|` makes one active. */
export interface L3dResult extends Omit<StageResult, "tensors"> {
  readonly components: NamedValues;
}

/** The tensors that hold the directions. */
export function l3dWeights(
  network: Network,
  { subnetworks, factors }: Pick<L3dSettings, "subnetworks" | "factors">,
): WeightSpec[] {
  return [...directionWeights(network, subnetworks, factors), THRESHOLD];
}

/** Finds the directions. */
export function l3d(target: DecompositionTarget, settings: L3dSettings, options: LoopOptions = {}): Promise<L3dResult> {
  const key = keyFromSeed(settings.seed);
  const { network } = target;
  return runFullNetwork(
    target,
    {
      weights: l3dWeights(network, settings),
      batch: settings.batch,
      objective: (given, components, x) => ({ ...l3dObjective(network, given, components, x, settings) }),
      normalised: (components) => normalisedDirections(network, components),
      steps: settings.steps,
      rate: cosineSchedule(settings.learningRate, settings.finalLearningRate),
      key,
      first: () => firstDirections(network, settings, foldIn(key, "components")),
    },
    options,
  );
}

/** Directions before anything has been learnt: the entries of factors from N(0, 1/√rows); `V_in` begins as `V_out`, its inverse were they orthogonal. */
export function firstDirections(network: Network, settings: L3dSettings, key: Key): NamedValues {
  const drawn = l3dWeights(network, settings).map(({ name, axes, shape }) => {
    if (name === THRESHOLD.name) return [name, values(axes, shape, [0])] as const;
    const rows = name.endsWith(".V") ? shape[0]! : shape[2]!;
    const numbers = randomNormal(foldIn(key, name.replace("V_in", "V_out")), sizeOf(shape));
    return [
      name,
      values(
        axes,
        shape,
        numbers.map((x) => x / Math.sqrt(rows * network.sites.length)),
      ),
    ] as const;
  });
  return Object.fromEntries(drawn);
}
