/**
 * Causal importance by scalar gates: one small network for each subcomponent, from its inner activation to a number in
 * [0, 1] (SPD paper, section 2): `h → Linear(1, width) → GELU → Linear(width, 1) → hard sigmoid`.
 *
 * A scalar gate sees nothing but its own component's activation: enough for these toys, blind to context elsewhere.
 * Tensors run `C gate batch` in memory: products and sums over the batch are then matrix products.
 */
import { type NamedValues, values } from "../../../engine/index.ts";
import type { Site } from "../../../network/network.ts";
import {
  add,
  axisSize,
  einsum,
  foldIn,
  gelu,
  type Key,
  randomNormal,
  slice,
  type Tensor,
  type Tensors,
} from "../../../tensor/index.ts";
import { inBlocks } from "./blocks.ts";
import type { ImportanceFunction } from "./importance.ts";

/**
 * How gates start: `normal` is the SPD repository's, Kaiming normal with gain √2 into the hidden layer and 1 out of it. `rising` is ours: the
 * same with gain √2 on both sides and all weights positive, so that importance rises with activation from the first step, and a component
 * and its mirror image do not start out as two answers to one question. Biases are 0.
 */
export type GateStart = "normal" | "rising";

/** Scalar gates of `width` hidden units. */
export function scalarGates(width: number, start: GateStart = "normal"): ImportanceFunction {
  return {
    weights: (slots) =>
      slots.flatMap(({ site, C }) => [
        { name: `${site.name}.gate.W_in`, axes: "C gate", shape: [C, width] },
        { name: `${site.name}.gate.b_in`, axes: "C gate", shape: [C, width] },
        { name: `${site.name}.gate.W_out`, axes: "C gate", shape: [C, width] },
        { name: `${site.name}.gate.b_out`, axes: "C", shape: [C] },
      ]),
    start: (slots, key) =>
      Object.assign({}, ...slots.map(({ site, C }) => initialGates(site, C, width, start, key))) as NamedValues,
    preactivations: (tensors, seen) =>
      Object.fromEntries(seen.map(({ site, inner }) => [site.name, gatePreactivations(tensors, site, inner)])),
  };
}

/** The gates' numbers at the start. */
function initialGates(site: Site, C: number, width: number, start: GateStart, key: Key): NamedValues {
  const draw = (name: string, deviation: number): NamedValues => {
    const numbers = randomNormal(foldIn(key, name), C * width);
    return {
      [name]: values(
        "C gate",
        [C, width],
        numbers.map((x) => deviation * (start === "rising" ? Math.abs(x) : x)),
      ),
    };
  };
  const gainOut = start === "rising" ? Math.SQRT2 : 1;
  return {
    ...draw(`${site.name}.gate.W_in`, Math.SQRT2),
    [`${site.name}.gate.b_in`]: values("C gate", [C, width], new Float32Array(C * width)),
    ...draw(`${site.name}.gate.W_out`, gainOut / Math.sqrt(width)),
    [`${site.name}.gate.b_out`]: values("C", [C], new Float32Array(C)),
  };
}

/** A site's pre-activations from its subcomponents' inner activations. */
function gatePreactivations(tensors: Tensors, site: Site, inner: Tensor<"C batch">): Tensor<"C batch"> {
  const weight = <A extends string>(name: string): Tensor<A> => tensors[`${site.name}.gate.${name}`] as Tensor<A>;
  const weights: GateWeights = {
    W_in: weight("W_in"),
    b_in: weight("b_in"),
    W_out: weight("W_out"),
    b_out: weight("b_out"),
  };
  const C = axisSize(inner, "C");
  const hiddenSize = axisSize(inner, "batch") * axisSize(weights.W_in, "gate");
  return inBlocks(C, hiddenSize, (start, end) => {
    const { W_in, b_in, W_out, b_out } = weights;
    return gatePreactivation(slice(inner, "C", start, end), {
      W_in: slice(W_in, "C", start, end),
      b_in: slice(b_in, "C", start, end),
      W_out: slice(W_out, "C", start, end),
      b_out: slice(b_out, "C", start, end),
    });
  });
}

interface GateWeights {
  readonly W_in: Tensor<"C gate">;
  readonly b_in: Tensor<"C gate">;
  readonly W_out: Tensor<"C gate">;
  readonly b_out: Tensor<"C">;
}

/** What goes into the hard sigmoids. */
function gatePreactivation(inner: Tensor<"C batch">, { W_in, b_in, W_out, b_out }: GateWeights): Tensor<"C batch"> {
  const hidden = gelu(add(einsum("C gate, C batch -> C gate batch", W_in, inner), b_in));
  return add(einsum("C gate batch, C gate -> C batch", hidden, W_out), b_out);
}
