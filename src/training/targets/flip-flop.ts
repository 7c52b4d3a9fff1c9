/**
 * A recurrent network on the flip-flop task: it holds the last pulse of each channel. What it learns is a cube of fixed points, one stable
 * for each memory, with saddles on edges, faces and in the middle (Sussillo & Barak 2013, "Opening the Black Box"; found again by
 * `evidence/fixed-points.ts`).
 */
import { z } from "zod";
import { type FlipFlop, flipFlop } from "../../data/flip-flop.ts";
import { compile, itemOf, type NamedValues } from "../../engine/index.ts";
import { weightInputs } from "../../network/network.ts";
import { type RecurrentNetwork, rnn } from "../../network/rnn.ts";
import {
  cast,
  foldIn,
  greater,
  keyFromSeed,
  mean,
  mul,
  relabel,
  square,
  sub,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { linearStart } from "../linear-start.ts";
import type { LoopOptions } from "../loop.ts";
import { constantSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a trained flip-flop. */
const flipFlopSettings = z.strictObject({
  bits: z.int().min(1).max(16).default(3).describe("channels, each a memory of one bit"),
  hidden: z.int().min(1).max(1000).default(16).describe("hidden units"),
  context: z.int().min(2).max(512).default(64).describe("positions"),
  pulseProbability: z.number().gt(0).max(1).default(0.5).describe("how likely a channel has a pulse at a position"),
  batch: z.int().min(1).max(100_000).default(128).describe("sequences a step"),
  steps: z.int().min(1).max(10_000_000).default(1500).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(3e-3).describe("Adam's rate"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type FlipFlopSettings = z.infer<typeof flipFlopSettings>;

/** Sequences that the trained network is measured on. */
const HELD_OUT = 512;

/** The network that these settings describe. */
export function flipFlopNetwork({ bits, hidden, context }: FlipFlopSettings): RecurrentNetwork {
  return rnn({ features: bits, hidden, outputs: bits, positions: context });
}

function sequences(name: string, settings: FlipFlopSettings, batch: number): FlipFlop {
  const { context: pos, bits, pulseProbability } = settings;
  return flipFlop(name, { batch, pos, bits, pulseProbability });
}

/** What is read out, `batch pos bit`. */
function readout(network: RecurrentNetwork, weights: Tensors, pulses: Tensor): Tensor<"batch pos bit"> {
  return relabel(network.forward(weights, relabel(pulses, "batch pos feature")), "batch pos bit");
}

/** Trains it: Adam on the mean over batch, positions and bits of the squared distance from -1 or 1. */
async function trainFlipFlop(settings: FlipFlopSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = flipFlopNetwork(settings);
  const key = foldIn(keyFromSeed(settings.seed), "weights");
  const { pulses, targets } = sequences("data", settings, settings.batch);
  const trained = await trainNetwork(
    {
      network,
      start: Object.fromEntries(network.weights.map((spec) => [spec.name, linearStart(spec, settings.hidden, key)])),
      objective: (weights) => ({ loss: mean(square(sub(readout(network, weights, pulses), targets))) }),
      steps: settings.steps,
      seed: settings.seed,
      learningRate: constantSchedule(settings.learningRate),
    },
    options,
  );
  return { ...trained, metrics: { ...trained.metrics, ...(await flipFlopScores(settings, trained.weights, options)) } };
}

/** What a network has learnt, on new sequences: the numbers that `flipFlopTarget.success` explains. */
export async function flipFlopScores(
  settings: FlipFlopSettings,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const network = flipFlopNetwork(settings);
  const { pulses, targets } = sequences("held out", settings, HELD_OUT);
  const read = readout(network, weightInputs(network.weights), pulses);
  const accuracy = mean(cast(greater(mul(read, targets), 0), "f32"));
  const program = await compile({ accuracy, heldOutLoss: mean(square(sub(read, targets))) }, options);
  const found = await program.run(weights, foldIn(keyFromSeed(settings.seed), "held out"));
  await program.dispose();
  const { pulseProbability, context } = settings;
  return {
    accuracy: itemOf(found.accuracy),
    memorylessAccuracy: (1 + (context - 1) * (pulseProbability + (1 - pulseProbability) / 2)) / context,
    heldOutLoss: itemOf(found.heldOutLoss),
  };
}

const asFlipFlop = (settings: TrainDocument["settings"]): FlipFlopSettings => settings as unknown as FlipFlopSettings;

/** The flip-flop as a target. */
export const flipFlopTarget: Target = {
  summary: "recurrent network that holds the last pulse of each channel: a cube of fixed points",
  schema: flipFlopSettings,
  presets: {
    default: { summary: "3 bits, 16 tanh units, 64 positions", source: "Sussillo & Barak 2013, small", settings: {} },
    quick: {
      summary: "2 bits, 16 positions, 600 steps",
      source: "Mechanist",
      settings: { bits: 2, context: 16, steps: 600 },
    },
    "four-bits": { summary: "4 bits, 32 units", source: "Mechanist", settings: { bits: 4, hidden: 32 } },
  },
  success: [
    {
      metric: "accuracy",
      meaning: "readouts with the sign of the last pulse, over positions and bits; without memory: memorylessAccuracy",
    },
    {
      metric: "memorylessAccuracy",
      meaning: "chance level of accuracy: right where a pulse is seen, else a guess",
    },
    {
      metric: "heldOutLoss",
      meaning: "squared distance of readouts from -1 or 1 on new sequences; 1 for a network that says 0",
    },
  ],
  title: (settings) => `flip-flop-${asFlipFlop(settings).bits}`,
  network: (settings) => flipFlopNetwork(asFlipFlop(settings)),
  batch: (name, settings, batch) => relabel(sequences(name, asFlipFlop(settings), batch).pulses, "batch pos feature"),
  train: (settings, options) => trainFlipFlop(asFlipFlop(settings), options),
};
