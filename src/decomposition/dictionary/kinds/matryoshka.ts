/**
 * Matryoshka (Bussmann et al. 2025): batch top-k latents, of which the first few have to reconstruct by themselves, and so have the first some more,
 * up to all: nested dictionaries in one. A general feature cannot be left to the latents of its special cases, which come later.
 */
import { add, axisSize, einsum, slice, type Tensor } from "../../../tensor/index.ts";
import { squaredError } from "../losses.ts";
import type { MatryoshkaSettings } from "../settings.ts";
import { batchTop, runningThreshold } from "./batchtopk.ts";
import { type Kind, preActivations } from "./kind.ts";
import { revived, tooMany } from "./topk.ts";

export const matryoshkaKind: Kind<MatryoshkaSettings> = {
  code: "jumprelu",
  make: (given, settings) => {
    const { dictionary, x, y } = given;
    const pre = preActivations(given);
    const { z, least } = batchTop(pre, settings.k);
    const ends = prefixEnds(settings.prefixes, axisSize(pre, "C"));
    let written: Tensor<"batch d_out"> | undefined;
    const outputs = ends.map((end, i) => {
      const start = i === 0 ? 0 : ends[i - 1]!;
      const part = einsum(
        "batch C, C d_out -> batch d_out",
        slice(z, "C", start, end),
        slice(dictionary.W_dec, "C", start, end),
      ) as Tensor<"batch d_out">;
      written = written === undefined ? part : add(written, part);
      return add(written, dictionary.b_dec);
    });
    const { W_skip } = dictionary;
    const skipped = W_skip && einsum("batch d_in, d_in d_out -> batch d_out", x, W_skip);
    const all = outputs.map((one) => (skipped ? add(one, skipped) : one));
    const errors = all.map((one) => squaredError(y, one));
    const output = all.at(-1)!;
    return {
      z,
      output,
      terms: {
        reconstruction: errors.at(-1)!,
        ...Object.fromEntries(errors.slice(0, -1).map((error, i) => [`first ${ends[i]}`, error])),
        ...revived(given, pre, output, settings),
      },
      threshold: runningThreshold(dictionary.threshold!, least),
    };
  },
  complaint: ({ k, prefixes }, C) => tooMany(k, C) ?? prefixComplaint(prefixes, C),
};

/** Where the nested dictionaries end: fractions of all latents, rising to 1. */
function prefixEnds(prefixes: string, C: number): number[] {
  const ends = prefixes.split(",").map((part) => Math.max(1, Math.round(Number(part) * C)));
  return [...new Set([...ends.filter((end) => end < C), C])];
}

function prefixComplaint(prefixes: string, C: number): string | undefined {
  const parts = prefixes.split(",").map(Number);
  const isRising = parts.every((part, i) => part > 0 && part <= 1 && (i === 0 || part > parts[i - 1]!));
  if (!isRising) return `prefixes: expected rising fractions up to 1, got ${prefixes}`;
  const ends = prefixEnds(prefixes, C);
  return ends.length === 1 && C > 1 ? `prefixes: expected one below 1, got ${prefixes}` : undefined;
}
