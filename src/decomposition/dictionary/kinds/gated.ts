/**
 * Gated (Rajamanoharan et al. 2024a, eq. 8): the penalty is on what the gate reads, so that it shrinks no latent; a second reconstruction by the gate
 * alone, through the decoder as it is and left untouched, is where the gate learns from.
 */
import { add, cast, exp, greater, mul, relu, stopGradient } from "../../../tensor/index.ts";
import { decoded, encoded } from "../dictionary.ts";
import { l1Penalty, squaredError } from "../losses.ts";
import type { GatedSettings } from "../settings.ts";
import { type Kind, pressureAt } from "./kind.ts";

export const gatedKind: Kind<GatedSettings> = {
  code: "gated",
  make: ({ x, y, dictionary, offset, scalar }, { l1Coefficient }) => {
    const { b_gate, b_mag, r_mag, W_dec, b_dec, W_skip } = dictionary;
    const read = encoded(x, dictionary);
    const centred = offset === undefined ? read : add(read, offset);
    const gate = add(centred, b_gate!);
    const open = relu(gate);
    const z = mul(cast(greater(gate, 0), "f32"), relu(add(mul(centred, exp(r_mag!)), b_mag!)));
    const output = decoded(z, dictionary, x);
    const frozen = {
      ...dictionary,
      W_dec: stopGradient(W_dec),
      b_dec: stopGradient(b_dec),
      ...(W_skip && { W_skip: stopGradient(W_skip) }),
    };
    return {
      z,
      output,
      terms: {
        reconstruction: squaredError(y, output),
        sparsity: mul(l1Penalty(open), mul(scalar("pressure"), l1Coefficient)),
        auxiliary: squaredError(y, decoded(open, frozen, x)),
      },
    };
  },
  scalars: ({ l1WarmUp, steps }, step) => ({ pressure: pressureAt(l1WarmUp, step, steps) }),
};
