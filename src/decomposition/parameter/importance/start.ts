/**
 * Where the weights of importance functions start: biases at 0, layers by Kaiming's rule (He et al. 2015), attention evenly between bounds
 * (param-decomp, initialisation of its causal-importance functions).
 */
import { type NamedValues, values } from "../../../engine/index.ts";
import type { WeightSpec } from "../../../network/network.ts";
import { foldIn, type Key, randomNormal, randomUniform, sizeOf } from "../../../tensor/index.ts";

/** How the numbers of a weight are drawn: 0, normal around 0 with a deviation, or evenly between the bound and its negative. */
export type Start =
  | { readonly kind: "zero" }
  | { readonly kind: "normal"; readonly deviation: number }
  | { readonly kind: "even"; readonly bound: number };

/** A weight that knows where it starts. */
export interface StartedWeight extends WeightSpec {
  readonly start: Start;
}

export const ZERO: Start = { kind: "zero" };

/** Normal with deviation `gain / √fanIn`: what comes out is `gain` times as large as what goes in. A GELU wants √2 before it. */
export function kaiming(fanIn: number, gain: number): Start {
  return { kind: "normal", deviation: gain / Math.sqrt(fanIn) };
}

/** The weights' numbers, each from a key of its own name. */
export function drawn(weights: readonly StartedWeight[], key: Key): NamedValues {
  return Object.fromEntries(
    weights.map(({ name, axes, shape, start }) => {
      const numbers = numbersOf(start, foldIn(key, name), sizeOf(shape));
      return [name, values(axes, shape, numbers)];
    }),
  );
}

function numbersOf(start: Start, key: Key, count: number): Float32Array {
  switch (start.kind) {
    case "zero":
      return new Float32Array(count);
    case "normal":
      return randomNormal(key, count).map((x) => x * start.deviation);
    case "even":
      return randomUniform(key, count).map((x) => (2 * x - 1) * start.bound);
  }
}
