/**
 * Distributed alignment search: the subspace of a hook point that plays the part of a causal variable, learnt by gradient descent
 * (Geiger et al. 2023, "Finding alignments between interpretable causal variables and distributed neural representations").
 */
import { interpret, type NamedValues, type Values, values } from "../../engine/index.ts";
import { MechanistError } from "../../error.ts";
import { weightInputs } from "../../network/network.ts";
import { cast, foldIn, input, type Key, keyFromSeed, mean, randomNormal, type Tensor } from "../../tensor/index.ts";
import type { LoopOptions } from "../../training/loop.ts";
import { cosineSchedule } from "../../training/schedule.ts";
import { trainNetwork } from "../../training/train-network.ts";
import { interchanged, type Pairs, type Place, type Readout } from "./interchange.ts";
import { orthonormalFrame } from "./subspace.ts";

export interface AlignmentSearch extends Place {
  /** The network's weights; they stay as they are. */
  readonly weights: NamedValues;
  /** How many dimensions the hook point has along the axis. */
  readonly d: number;
  /** How many of them the variable is looked for in. */
  readonly k: number;
  readonly pairs: (batch: number) => Pairs;
  readonly readout: Readout;
  readonly batch: number;
  readonly steps: number;
  readonly learningRate: number;
  readonly seed: number;
}

/** A learnt subspace. */
export interface Alignment {
  /** `d k`, orthonormal columns. */
  readonly subspace: Values<"d k">;
  /** The last step's. */
  readonly loss: number;
  readonly accuracy: number;
}

/**
 * Learns the subspace: gradient descent on the loss of the causal model's labels under interchange interventions.
 *
 * @throws `BadArgument` where k is not from 1 to d
 */
export async function alignmentSearch(what: AlignmentSearch, options: LoopOptions = {}): Promise<Alignment> {
  const { d, k, readout, weights } = what;
  if (!Number.isInteger(k) || k < 1 || k > d) {
    throw new MechanistError("BadArgument", `alignment: expected from 1 to ${d} dimensions, got ${k}`);
  }
  const frozen = weightInputs(what.network.weights);
  const pairs = what.pairs(what.batch);
  const { weights: found, metrics } = await trainNetwork(
    {
      network: { weights: [{ name: "reflections", axes: "k d", shape: [k, d] }] },
      start: { reflections: firstReflections(d, k, foldIn(keyFromSeed(what.seed), "reflections")) },
      objective: ({ reflections }) => {
        const output = interchanged(what, frozen, pairs, orthonormalFrame(reflections!));
        return {
          loss: mean(readout.loss(output, pairs.label)) as Tensor<"">,
          accuracy: mean(cast(readout.correct(output, pairs.label), "f32")) as Tensor<"">,
        };
      },
      tables: weights,
      steps: what.steps,
      seed: what.seed,
      learningRate: cosineSchedule(what.learningRate),
    },
    options,
  );
  return { subspace: frameOf(found.reflections!), loss: metrics.loss!, accuracy: metrics.accuracy! };
}

/** A subspace in a random direction, of the same size: what any alignment is held against. */
export function randomSubspace(d: number, k: number, key: Key): Values<"d k"> {
  return frameOf(firstReflections(d, k, key));
}

function firstReflections(d: number, k: number, key: Key): Values<"k d"> {
  return values("k d", [k, d], randomNormal(key, k * d));
}

function frameOf(reflections: Values): Values<"d k"> {
  const [k, d] = reflections.shape as [number, number];
  const frame = orthonormalFrame(input("reflections", "k d", { k, d }));
  const { data } = interpret({ frame }, { reflections: { ...reflections, axes: "k d" } }).frame;
  return values("d k", [d, k], data);
}
