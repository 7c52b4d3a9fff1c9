/**
 * Interchange interventions: a part of a network's hidden value is taken from a run on other inputs, and its output is held against what
 * a causal model says should come out (Geiger et al. 2021).
 */
import { compile, interpret, type NamedValues } from "../../engine/index.ts";
import { type Network, weightInputs } from "../../network/network.ts";
import { foldIn, keyFromSeed, type Tensor, type Tensors, cast } from "../../tensor/index.ts";
import type { Interval } from "../bootstrap.ts";
import { wilson } from "./interval.ts";
import { exchanged } from "./subspace.ts";

/** A batch of pairs, as a traced program of draws. */
export interface Pairs {
  readonly base: Tensor;
  readonly source: Tensor;
  /** What the causal model says, `batch`, i32. */
  readonly label: Tensor<"batch">;
}

/** How an output is read: the loss of each example in nats, and whether it says what the label says. */
export interface Readout {
  loss(output: Tensor, label: Tensor<"batch">): Tensor<"batch">;
  /** bool */
  correct(output: Tensor, label: Tensor<"batch">): Tensor<"batch">;
}

/** Where values are exchanged. */
export interface Place {
  readonly network: Network;
  /** A hook point. */
  readonly point: string;
  /** The axis that the subspace lies in, `d_model` for instance. */
  readonly axis: string;
}

/** The output for the bases, with what lies in the subspace taken from the sources. */
export function interchanged(
  { network, point, axis }: Place,
  weights: Tensors,
  pairs: Pairs,
  frame: Tensor<"d k">,
): Tensor {
  let source: Tensor | undefined;
  network.forward(weights, pairs.source, {
    at: (name, value) => {
      if (name === point) source = value;
      return undefined;
    },
  });
  return network.forward(weights, pairs.base, {
    at: (name, value) => (name === point ? exchanged(value, source!, frame, axis) : undefined),
  });
}

/** How often the network does what the causal model says. */
export interface InterchangeAccuracy {
  readonly accuracy: number;
  /** Wilson's 95 % interval. */
  readonly interval: Interval;
  readonly n: number;
}

/**
 * Interchange-intervention accuracy: the fraction of pairs whose output, after the exchange, says what the causal model says.
 *
 * @param pairs   makes a batch; fresh draws from `seed`
 * @param subspace `d k`, orthonormal columns
 */
export async function interchangeAccuracy(
  place: Place,
  weights: NamedValues,
  subspace: NamedValues[string],
  {
    pairs,
    readout,
    n,
    seed,
    device,
  }: {
    readonly pairs: (batch: number) => Pairs;
    readonly readout: Readout;
    readonly n: number;
    readonly seed: number;
    readonly device?: "float64";
  },
): Promise<InterchangeAccuracy> {
  const drawn = pairs(n);
  const traced = weightInputs([
    ...place.network.weights,
    { name: "subspace", axes: subspace.axes, shape: subspace.shape },
  ]);
  const output = interchanged(place, traced, drawn, traced.subspace as Tensor<"d k">);
  const program = { correct: cast(readout.correct(output, drawn.label), "f32") };
  const feeds = { ...weights, subspace };
  const key = foldIn(keyFromSeed(seed), "interchange");
  const results = device === "float64" ? interpret(program, feeds, key) : await once(program, feeds, key);
  const hits = Array.from(results.correct.data).reduce((total, hit) => total + hit, 0);
  return { accuracy: hits / n, interval: wilson(hits, n), n };
}

async function once<O extends Readonly<Record<string, Tensor>>>(
  program: O,
  feeds: NamedValues,
  key: Parameters<typeof interpret>[2],
): Promise<{ [K in keyof O]: NamedValues[string] }> {
  const executable = await compile(program);
  try {
    return await executable.run(feeds, key);
  } finally {
    await executable.dispose();
  }
}
