/** ReLU with a penalty on what is on: plain, weighed by the decoder's lengths, or with a power that falls (p-annealing). */
import { mul, relu } from "../../../tensor/index.ts";
import { decoded } from "../dictionary.ts";
import { decoderNorms, l1Penalty, powerPenalty, squaredError } from "../losses.ts";
import type { SaeSettings } from "../settings.ts";
import { type Kind, preActivations, pressureAt } from "./kind.ts";

/** Bricken et al. 2023; with lengths Conerly et al. 2024; with a power Karvonen et al. 2024. */
export const reluKind: Kind<SaeSettings> = {
  code: "relu",
  make: (given, settings) => {
    const { dictionary, x, y, scalar } = given;
    const z = relu(preActivations(given));
    const output = decoded(z, dictionary, x);
    const lengths = settings.decoderNormInPenalty ? decoderNorms(dictionary.W_dec) : undefined;
    const penalty = settings.pEnd < 1 ? powerPenalty(z, scalar("p"), lengths) : l1Penalty(z, lengths);
    return {
      z,
      output,
      terms: {
        reconstruction: squaredError(y, output),
        sparsity: mul(penalty, mul(scalar("pressure"), settings.l1Coefficient)),
      },
    };
  },
  scalars: ({ l1WarmUp, pEnd, pFrom, steps }, step) => ({
    pressure: pressureAt(l1WarmUp, step, steps),
    ...(pEnd < 1 && {
      p: 1 - (1 - pEnd) * Math.max(0, (step / Math.max(1, steps - 1) - pFrom) / Math.max(1e-9, 1 - pFrom)),
    }),
  }),
  complaint: ({ pEnd, pFrom }) =>
    pEnd < 1 && pFrom === 1 ? `pFrom: expected less than 1 where p falls, got 1` : undefined,
};
