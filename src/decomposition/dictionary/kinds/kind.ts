/**
 * A kind of dictionary: what it makes of rows of activations in training, and what its loss is. Once trained, a dictionary is its weights and its code
 * (`encode.ts`), whichever kind it was.
 */
import { add, type Tensor } from "../../../tensor/index.ts";
import { type Code, type Dictionary, encoded } from "../dictionary.ts";

/** What a step gives a dictionary. */
export interface Given {
  readonly x: Tensor<"batch d_in">;
  /** What is to be written: `x` under other names, except in transcoders. */
  readonly y: Tensor<"batch d_out">;
  /** As it is trained; where the decoder is kept at length 1, its directions. */
  readonly dictionary: Dictionary;
  /** What the encoder's biases lack where it reads activations without the decoder's bias: `-b_dec W_enc`. */
  readonly offset?: Tensor<"C">;
  /** `C`, 1 where a latent counts as dead. */
  readonly dead: Tensor<"C">;
  /** A number of this step by its name, of those that the kind's `scalars` makes. */
  readonly scalar: (name: string) => Tensor<"">;
}

/** What a dictionary makes of it. */
export interface Made {
  readonly z: Tensor<"batch C">;
  readonly output: Tensor<"batch d_out">;
  /** Added up, the loss. */
  readonly terms: Readonly<Record<string, Tensor<"">>>;
  /** What the thresholds become after the step, where they are no parameters but a running mean. */
  readonly threshold?: Tensor<"C">;
}

/** A kind of dictionary, with its settings. */
export interface Kind<S = unknown> {
  /** What it is once trained. */
  readonly code: Code;
  /** Whether thresholds are trained by their logarithms. */
  readonly logThresholds?: boolean;
  make(given: Given, settings: S): Made;
  /** Numbers that change from step to step, by name; steps are counted from 0. */
  scalars?(settings: S, step: number): Readonly<Record<string, number>>;
  /** What every threshold is before the first step; 0 unless given. */
  threshold?(settings: S): number;
  /** What contradicts what; nothing where all is well. */
  complaint?(settings: S, C: number): string | undefined;
}

/** The encoder's output with its bias, before anything is cut off. */
export function preActivations({ x, dictionary, offset }: Given): Tensor<"batch C"> {
  const bias = offset === undefined ? dictionary.b_enc! : add(dictionary.b_enc!, offset);
  return add(encoded(x, dictionary), bias);
}

/** How much of a penalty is on at a step: from 0 to 1 in a straight line over a fraction of the run. */
export function pressureAt(warmUp: number, step: number, steps: number): number {
  return warmUp === 0 ? 1 : Math.min(1, step / Math.max(1, warmUp * steps));
}
