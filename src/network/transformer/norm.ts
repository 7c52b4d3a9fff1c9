/** The norms of a transformer, with their hook points. */
import { add, div, mean, mul, sqrt, square, sub, type Tensor, type Tensors } from "../../tensor/index.ts";
import { type Hooks, passing } from "../network.ts";
import type { NormConfig } from "./config.ts";

/**
 * Layer norm (Ba et al. 2016) or RMS norm (Zhang & Sennrich 2019) over `d_model`.
 *
 * `hook_scale` is what the centred input is divided by, `hook_normalized` the quotient, before weight and bias, `hook_out` what comes
 * out: `docs/decisions/010-hook-point-names.md` says how this compares with TransformerLens.
 *
 * @param name of the norm: `blocks.0.ln1`
 * @param x    `… d_model`
 */
export function norm(config: NormConfig, weights: Tensors, name: string, x: Tensor, hooks: Hooks): Tensor {
  if (config.kind === "none") return x;
  const centred = config.kind === "layer" ? sub(x, mean(x, "d_model") as Tensor) : x;
  const deviation = sqrt(add(mean(square(centred), "d_model") as Tensor, config.epsilon));
  const scaled = div(centred, passing(hooks, `${name}.hook_scale`, deviation));
  const normalized = passing(hooks, `${name}.hook_normalized`, scaled);
  const weight = weights[`${name}.w`]!;
  const gained = mul(normalized, config.unitOffset ? add(weight, 1) : weight);
  const bias = weights[`${name}.b`];
  return passing(hooks, `${name}.hook_out`, bias === undefined ? gained : add(gained, bias));
}

/** An RMS norm over each head's `d_head`, for queries and keys (Qwen 3). */
export function headNorm({ epsilon, unitOffset }: NormConfig, weight: Tensor, x: Tensor): Tensor {
  const deviation = sqrt(add(mean(square(x), "d_head") as Tensor, epsilon));
  return mul(div(x, deviation), unitOffset ? add(weight, 1) : weight);
}
