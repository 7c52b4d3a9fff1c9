/** The `k` largest latents of each row (Gao et al. 2024). Dead ones learn from what the others left over. */
import {
  add,
  axisSize,
  einsum,
  mul,
  relu,
  scatterAlong,
  stopGradient,
  sub,
  type Tensor,
  topK,
} from "../../../tensor/index.ts";
import { auxiliaryLoss, squaredError } from "../losses.ts";
import type { RevivalSettings, TopKSettings } from "../settings.ts";
import { gatherDecode } from "../sparse-decode.ts";
import { type Given, type Kind, preActivations } from "./kind.ts";

export const topKKind: Kind<TopKSettings> = {
  code: "topk",
  make: (given, settings) => {
    const { dictionary, x, y } = given;
    const pre = preActivations(given);
    const { values, indices } = topK(pre, "C", settings.k);
    const kept = relu(values) as Tensor<"batch k">;
    const written = add(gatherDecode(kept, indices as Tensor<"batch k">, dictionary.W_dec), dictionary.b_dec);
    const { W_skip } = dictionary;
    const output = W_skip ? add(written, einsum("batch d_in, d_in d_out -> batch d_out", x, W_skip)) : written;
    // Seen by what counts latents alone.
    const z = stopGradient(scatterAlong(kept, indices, "C", pre)) as Tensor<"batch C">;
    return {
      z,
      output,
      terms: { reconstruction: squaredError(y, output), ...revived(given, pre, output, settings) },
    };
  },
  complaint: ({ k }, C) => tooMany(k, C),
};

/** What a number of latents to keep contradicts. */
export function tooMany(k: number, C: number): string | undefined {
  return k > C ? `k: expected at most ${C}, the latents there are, got ${k}` : undefined;
}

/** The auxiliary loss of dead latents, where there is to be one. */
export function revived(
  { y, dictionary, dead }: Given,
  pre: Tensor<"batch C">,
  output: Tensor<"batch d_out">,
  { auxCoefficient, auxK }: RevivalSettings,
): Record<string, Tensor<"">> {
  if (auxCoefficient === 0) return {};
  const [width, C] = [axisSize(y, "d_out"), axisSize(pre, "C")];
  const k = Math.min(C, auxK === 0 ? Math.max(1, Math.floor(width / 2)) : auxK);
  return { auxiliary: mul(auxiliaryLoss(sub(y, output), pre, dead, dictionary.W_dec, k), auxCoefficient) };
}
