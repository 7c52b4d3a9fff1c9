/**
 * JumpReLU (Rajamanoharan et al. 2024b): a threshold of its own for each latent, trained through straight-through estimates; the penalty is on how many
 * latents are on, or on `tanh` of how much (Conerly et al. 2025), so that nothing that is on is made smaller for it.
 */
import { mul, relu } from "../../../tensor/index.ts";
import { decoded } from "../dictionary.ts";
import { decoderNorms, preActivationPenalty, squaredError, tanhPenalty } from "../losses.ts";
import type { JumpReluSettings } from "../settings.ts";
import { countThrough, jumpReluThrough, thresholdsOf } from "../straight-through.ts";
import { type Kind, preActivations, pressureAt } from "./kind.ts";

export const jumpReluKind: Kind<JumpReluSettings> = {
  code: "jumprelu",
  logThresholds: true,
  make: (given, settings) => {
    const { dictionary, x, y, scalar } = given;
    const { bandwidth, l0Coefficient, sparsityLoss, tanhScale, preActivationCoefficient } = settings;
    const pre = preActivations(given);
    const threshold = thresholdsOf(dictionary.threshold!);
    const positive = relu(pre);
    const z = jumpReluThrough(positive, threshold, bandwidth);
    const output = decoded(z, dictionary, x);
    const lengths = decoderNorms(dictionary.W_dec);
    const penalty =
      sparsityLoss === "l0" ? countThrough(positive, threshold, bandwidth) : tanhPenalty(z, tanhScale, lengths);
    return {
      z,
      output,
      terms: {
        reconstruction: squaredError(y, output),
        sparsity: mul(penalty, mul(scalar("pressure"), l0Coefficient)),
        ...(preActivationCoefficient > 0 && {
          preActivation: mul(preActivationPenalty(pre, threshold, lengths), preActivationCoefficient),
        }),
      },
    };
  },
  scalars: ({ l0WarmUp, steps }, step) => ({ pressure: pressureAt(l0WarmUp, step, steps) }),
  threshold: ({ thresholdStart }) => thresholdStart,
};
