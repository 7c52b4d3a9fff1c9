/**
 * The objective of local loss-landscape decomposition (Chrisman, Bushnaq & Sharkey 2025): gradients put together again from few directions each,
 *
 *   L = Σ_x ‖g(x) - ĝ(x)‖² / Σ_x ‖g(x)‖²,   ĝ = V_out Λ V_in g
 *
 * where Λ keeps the pairs of direction and example with the largest `|V_in g|` of the batch. The loss does not change when gradients are
 * scaled.
 */
import type { Network } from "../../network/network.ts";
import {
  abs,
  add,
  axisSize,
  clamp,
  div,
  einsum,
  mul,
  rename,
  sub,
  sum,
  type Tensor,
  type Tensors,
} from "../../tensor/index.ts";
import { batchTopK } from "../full-network/batch-top-k.ts";
import { directionsOf, gram, projections } from "./directions.ts";
import { type GradientFactors, gradientFactors, squaredLengths } from "./gradient-factors.ts";
import type { L3dSettings } from "./settings.ts";

/** The loss, and the smallest `|V_in g|` that was kept. */
export interface L3dObjective {
  readonly loss: Tensor<"">;
  readonly threshold: Tensor<"">;
}

/** Gradients whose squares sum to less than this are nothing to put together. */
const NOTHING = 1e-30;

/**
 * The objective on one batch.
 *
 * @param weights    the network's own
 * @param components the directions, `<site>.V_in.…` and `<site>.V_out.…`
 */
export function l3dObjective(
  network: Network,
  weights: Tensors,
  components: Tensors,
  x: Tensor,
  { reference, topK }: Pick<L3dSettings, "reference" | "topK">,
): L3dObjective {
  return reconstructionLoss(network, gradientFactors(network, weights, x, reference), components, topK);
}

/**
 * The loss on gradients that are there already.
 *
 * @param topK the fraction of all pairs of direction and example that is kept
 */
export function reconstructionLoss(
  network: Network,
  gradients: readonly GradientFactors[],
  components: Tensors,
  topK: number,
): L3dObjective {
  const V_out = directionsOf(network, components, "V_out");
  const coefficients = projections(gradients, directionsOf(network, components, "V_in"));
  const { mask, threshold } = batchTopK(abs(coefficients), topK * axisSize(coefficients, "C"));
  const kept = mul(coefficients, mask);
  const whole = sum(squaredLengths(gradients)) as Tensor as Tensor<"">;
  // ‖g - ĝ‖² by its three parts: neither g nor ĝ is ever made.
  const across = sum(mul(kept, projections(gradients, V_out)));
  const along = einsum("C batch, C D -> D batch", kept, gram(V_out));
  const length = sum(mul(along, rename<"D batch">(kept, "C -> D")));
  const error = add(sub(whole, mul(across, 2)), length);
  return { loss: div(error, clamp(whole, NOTHING, Infinity)), threshold };
}
