/** What a trainable network is: how it is made, fed, trained, and what it has learnt. */
import type { TokenNames } from "../data/token-names.ts";
import type { NamedValues } from "../engine/index.ts";
import type { Network } from "../network/network.ts";
import type { Preset, SettingsSchema } from "../settings.ts";
import type { Tensor } from "../tensor/index.ts";
import type { KnownMechanisms } from "./known-mechanisms.ts";
import type { LoopOptions } from "./loop.ts";

/** Everything needed to train a network again. */
export interface TrainDocument {
  readonly target: string;
  readonly preset: string;
  readonly settings: Readonly<Record<string, unknown>> & { readonly steps: number; readonly seed: number };
}

/** A trained network. */
export interface Trained {
  readonly weights: NamedValues;
  /** The last step's numbers, and what was measured when it was done: the numbers that `Target.success` explains. */
  readonly metrics: Readonly<Record<string, number>>;
  readonly stepsPerSecond: number;
}

/** A number that says whether a network has learnt what it should. */
export interface Success {
  /** Its name among `Trained.metrics`. */
  readonly metric: string;
  /** What it is, with its unit and its chance level, in a few words. */
  readonly meaning: string;
}

/** A kind of network, with what it takes to train it and to feed it. */
export interface Target {
  readonly summary: string;
  readonly schema: SettingsSchema;
  /** None where it is not trained here, but imported. */
  readonly presets: Readonly<Record<string, Preset>>;
  /** What is measured when training is over, most telling first. */
  readonly success: readonly Success[];
  /** A short name for a trained one, from its settings. */
  title(settings: TrainDocument["settings"]): string;
  /** Settings that follow from others, filled in where a document is made. */
  completed?(settings: TrainDocument["settings"]): TrainDocument["settings"];
  network(settings: TrainDocument["settings"]): Network;
  /** Tables that batches are drawn from, as inputs of a program that stay the same from step to step. */
  tables?(settings: TrainDocument["settings"]): NamedValues | Promise<NamedValues>;
  /** A batch of the data it is trained on, as a traced program of draws called `name`, and of the tables. */
  batch(name: string, settings: TrainDocument["settings"], batch: number): Tensor;
  /** How its tokens read; absent, as their numbers. */
  tokens?(settings: TrainDocument["settings"]): TokenNames | Promise<TokenNames>;
  /** What is known of its mechanisms; absent or nothing, only how well components stand in for it can be judged. */
  known?(settings: TrainDocument["settings"]): KnownMechanisms | undefined;
  train(settings: TrainDocument["settings"], options?: LoopOptions): Promise<Trained>;
}
