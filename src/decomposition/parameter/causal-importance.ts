/**
 * Causal importance by scalar gates: one small network for each subcomponent, from its inner activation to a number in
 * [0, 1] (SPD paper, section 2): `h → Linear(1, width) → GELU → Linear(width, 1) → hard sigmoid`.
 *
 * A scalar gate sees nothing but its own component's activation: enough for these toys, blind to context elsewhere.
 * Tensors run `C gate batch` in memory: products and sums over the batch are then matrix products.
 */
import { type NamedValues, values } from "../../engine/index.ts";
import type { Site, WeightSpec } from "../../network/network.ts";
import { add, einsum, foldIn, gelu, type Key, randomNormal, type Tensor, type Tensors } from "../../tensor/index.ts";
import { lowerLeakyHardSigmoid, slopedHardSigmoid, upperLeakyHardSigmoid } from "./hard-sigmoid.ts";

/** How the importance that makes masks treats pre-activations below 0. */
export type LowerLeak = "straight-through" | "slope";

/** One site's importances `C batch`. */
export interface CausalImportance {
  /** What masks are made of. */
  readonly lower: Tensor<"C batch">;
  /** What importance minimality pays for. */
  readonly upper: Tensor<"C batch">;
}

/** The weights of a site's gates. */
export function gateWeights(site: Site, C: number, width: number): WeightSpec[] {
  return [
    { name: `${site.name}.gate.W_in`, axes: "C gate", shape: [C, width] },
    { name: `${site.name}.gate.b_in`, axes: "C gate", shape: [C, width] },
    { name: `${site.name}.gate.W_out`, axes: "C gate", shape: [C, width] },
    { name: `${site.name}.gate.b_out`, axes: "C", shape: [C] },
  ];
}

/** Their numbers at the start: Kaiming normal with gain √2 into the hidden layer and 1 out of it, biases 0. */
export function initialGates(site: Site, C: number, width: number, key: Key): NamedValues {
  const normal = (name: string, deviation: number): NamedValues => ({
    [name]: values(
      "C gate",
      [C, width],
      randomNormal(foldIn(key, name), C * width).map((x) => x * deviation),
    ),
  });
  return {
    ...normal(`${site.name}.gate.W_in`, Math.SQRT2),
    [`${site.name}.gate.b_in`]: values("C gate", [C, width], new Float32Array(C * width)),
    ...normal(`${site.name}.gate.W_out`, 1 / Math.sqrt(width)),
    [`${site.name}.gate.b_out`]: values("C", [C], new Float32Array(C)),
  };
}

/** A site's causal importances from its subcomponents' inner activations. */
export function causalImportance(
  tensors: Tensors,
  site: Site,
  inner: Tensor<"C batch">,
  lowerLeak: LowerLeak = "straight-through",
): CausalImportance {
  const weight = <A extends string>(name: string): Tensor<A> => tensors[`${site.name}.gate.${name}`] as Tensor<A>;
  const scaled = einsum("C gate, C batch -> C gate batch", weight<"C gate">("W_in"), inner);
  const hidden = gelu(add(scaled, weight<"C gate">("b_in")));
  const product = einsum("C gate batch, C gate -> C batch", hidden, weight<"C gate">("W_out"));
  const z = add(product, weight<"C">("b_out"));
  const lower = lowerLeak === "slope" ? slopedHardSigmoid(z) : lowerLeakyHardSigmoid(z);
  return { lower, upper: upperLeakyHardSigmoid(z) };
}
