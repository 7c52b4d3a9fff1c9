/** Running attribution-based parameter decomposition: the objective, by Adam, from components that begin at random. */
import { type NamedValues, values } from "../../engine/index.ts";
import type { Network } from "../../network/network.ts";
import {
  div,
  foldIn,
  type Key,
  keyFromSeed,
  mul,
  randomNormal,
  sqrt,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import type { LoopOptions, StageResult } from "../../training/loop.ts";
import { type FullNetworkProgram, runFullNetwork } from "../full-network/run.ts";
import { warmedUpCosine } from "../../training/schedule.ts";
import type { DecompositionTarget } from "../full-network/target.ts";
import { THRESHOLD } from "../full-network/threshold.ts";
import { apdObjective } from "./objective.ts";
import { apdWeights } from "./parts.ts";
import type { ApdSettings } from "./settings.ts";

/** What a run found: `<site>.parts.V` and `<site>.parts.U` of each matrix, and `threshold`, above which an attribution makes a component active. */
export interface ApdResult extends Omit<StageResult, "tensors"> {
  readonly components: NamedValues;
}

/** Takes a network apart. */
export function apd(target: DecompositionTarget, settings: ApdSettings, options: LoopOptions = {}): Promise<ApdResult> {
  const key = keyFromSeed(settings.seed);
  return runFullNetwork(
    target,
    {
      ...apdProgram(target.network, settings),
      steps: settings.steps,
      rate: warmedUpCosine(settings.learningRate, settings.warmUp, settings.finalLearningRate),
      key,
      first: () => firstFactors(target.network, settings, foldIn(key, "components")),
    },
    options,
  );
}

/** How large factors are at the start, beside what would make all components together as large as a matrix of ordinary weights. */
const SMALL = 0.03;

/**
 * Factors before anything has been learnt: normal with the standard deviations `SMALL / √d_in` for `V` and `SMALL / √(C m)` for `U`. How the
 * paper began is not known to us; from ordinary factors about as many seeds find one component a feature.
 */
export function firstFactors(network: Network, settings: ApdSettings, key: Key): NamedValues {
  const drawn = apdWeights(network, settings).map(({ name, axes, shape }) => {
    if (name === THRESHOLD.name) return [name, values(axes, shape, [0])] as const;
    const [a, b] = shape as [number, number];
    const deviation = SMALL / Math.sqrt(name.endsWith(".V") ? a : a * b);
    const count = shape.reduce((x, y) => x * y, 1);
    return [
      name,
      values(
        axes,
        shape,
        randomNormal(foldIn(key, name), count).map((x) => x * deviation),
      ),
    ] as const;
  });
  return Object.fromEntries(drawn);
}

/** What a step is. */
export function apdProgram(network: Network, settings: ApdSettings): FullNetworkProgram {
  return {
    weights: apdWeights(network, settings),
    batch: settings.batch,
    objective: (given, components, x) => ({ ...apdObjective(network, given, components, x, settings) }),
    ...(settings.unitNorm && { normalised }),
  };
}

/** Every factor's `V` at length 1. */
function normalised(components: Tensors): Tensors {
  const read = Object.entries(components).filter(([name]) => name.endsWith(".V"));
  return Object.fromEntries(
    read.map(([name, tensor]) => {
      const V = tensor as Tensor<"d_in C m">;
      return [name, div(V, sqrt(sum(mul(V, V), "d_in")))];
    }),
  );
}
