/** A convolutional network that finds lines of three pixels, by orientation: one kernel for each is all it takes. */
import { z } from "zod";
import { type Lines, lines, ORIENTATIONS } from "../../data/lines.ts";
import { compile, itemOf, type NamedValues } from "../../engine/index.ts";
import { conv } from "../../network/conv.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { foldIn, keyFromSeed, mean, relabel, sizeOf, square, sub, type Tensor } from "../../tensor/index.ts";
import { linearStart } from "../linear-start.ts";
import type { LoopOptions } from "../loop.ts";
import { cosineSchedule } from "../schedule.ts";
import type { Target, TrainDocument, Trained } from "../target.ts";
import { trainNetwork } from "../train-network.ts";

/** Everything that decides a trained finder of lines. */
const linesSettings = z.strictObject({
  height: z.int().min(3).max(64).default(8).describe("rows of an image"),
  width: z.int().min(3).max(64).default(8).describe("columns"),
  filters: z.int().min(1).max(1000).default(16).describe("kernels of 3 × 3"),
  density: z.number().gt(0).max(1).default(0.4).describe("how likely a pixel is ink"),
  batch: z.int().min(1).max(100_000).default(64).describe("images a step"),
  steps: z.int().min(1).max(10_000_000).default(3000).describe("optimiser steps"),
  learningRate: z.number().gt(0).default(1e-2).describe("Adam's rate at the start, to 0 along a cosine"),
  seed: z.int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).describe("of weights and data"),
});
export type LinesSettings = z.infer<typeof linesSettings>;

const KERNEL = 3;
/** Images that the trained network is measured on. */
const HELD_OUT = 1024;

/** The network that these settings describe. */
export function linesNetwork({ height, width, filters }: LinesSettings): Network {
  const outputs = Object.keys(ORIENTATIONS).length;
  return conv({ height, width, channels: 1, kernel: KERNEL, filters: [filters], outputs });
}

function images(name: string, { height, width, density }: LinesSettings, batch: number): Lines {
  return lines(name, { batch, height, width, density });
}

/** The mean over images, pixels and orientations of the squared error. */
function lossOf(output: Tensor, wanted: Lines["lines"]): Tensor<""> {
  return mean(square(sub(relabel(output, "batch pos output"), wanted)));
}

/** Trains it: Adam on the mean over images, pixels and orientations of the squared error. */
async function trainLines(settings: LinesSettings, options: LoopOptions = {}): Promise<Trained> {
  const network = linesNetwork(settings);
  const key = foldIn(keyFromSeed(settings.seed), "weights");
  const { ink, lines: wanted } = images("data", settings, settings.batch);
  const reads = { "blocks.0.conv.b": KERNEL ** 2, "unembed.b_U": settings.filters } as Readonly<Record<string, number>>;
  const trained = await trainNetwork(
    {
      network,
      start: Object.fromEntries(
        network.weights.map((spec) => [
          spec.name,
          linearStart(spec, reads[spec.name] ?? sizeOf(spec.shape.slice(0, -1)), key),
        ]),
      ),
      objective: (weights) => ({ loss: lossOf(network.forward(weights, ink), wanted) }),
      steps: settings.steps,
      seed: settings.seed,
      learningRate: cosineSchedule(settings.learningRate),
    },
    options,
  );
  return { ...trained, metrics: { ...trained.metrics, ...(await linesScores(settings, trained.weights, options)) } };
}

/** What a network has learnt, on new images: the numbers that `linesTarget.success` explains. */
export async function linesScores(
  settings: LinesSettings,
  weights: NamedValues,
  options: LoopOptions = {},
): Promise<Record<string, number>> {
  const network = linesNetwork(settings);
  const { ink, lines: wanted } = images("held out", settings, HELD_OUT);
  const loss = lossOf(network.forward(weightInputs(network.weights), ink), wanted);
  const program = await compile({ loss, mean: mean(wanted) }, options);
  const found = await program.run(weights, foldIn(keyFromSeed(settings.seed), "held out"));
  await program.dispose();
  // Of numbers that are 0 or 1, the variance.
  const [heldOutLoss, share] = [itemOf(found.loss), itemOf(found.mean)];
  return { explained: 1 - heldOutLoss / (share * (1 - share)), heldOutLoss };
}

const asLines = (settings: TrainDocument["settings"]): LinesSettings => settings as unknown as LinesSettings;

/** The finder of lines as a target. */
export const linesTarget: Target = {
  summary: "convolutional network that finds lines of three pixels in scattered ink, by orientation",
  schema: linesSettings,
  presets: {
    default: { summary: "8 × 8 pixels, 16 kernels of 3 × 3", source: "Mechanist", settings: {} },
    quick: {
      summary: "6 × 6 pixels, 1,000 steps",
      source: "Mechanist",
      settings: { height: 6, width: 6, steps: 1000 },
    },
  },
  success: [
    {
      metric: "explained",
      meaning:
        "share of the variance of lines that is explained on new images; 0 for a network that always says their mean",
    },
    { metric: "heldOutLoss", meaning: "squared error on new images, where there is a line 1, elsewhere 0" },
  ],
  title: (settings) => {
    const { height, width, filters } = asLines(settings);
    return `lines-${height}x${width}-${filters}`;
  },
  network: (settings) => linesNetwork(asLines(settings)),
  batch: (name, settings, batch) => images(name, asLines(settings), batch).ink,
  train: (settings, options) => trainLines(asLines(settings), options),
};
