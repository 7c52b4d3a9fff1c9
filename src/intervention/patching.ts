/**
 * Activation patching: parts of one run put into another (Vig et al. 2020; Meng et al. 2022). `denoise` asks what is enough to bring an
 * answer back, `noise` what is needed to keep it; the two differ wherever parts work together (Heimersheim & Nanda 2024).
 */
import type { RunnableNetwork } from "../network/run.ts";
import type { Question } from "./ablation.ts";
import { measured } from "./capture.ts";
import { effectsOf } from "./effects.ts";
import { type Examples, expectAlike } from "./examples.ts";
import type { Variant } from "./selection.ts";
import { fromRun } from "./sources.ts";
import type { Direction, EffectTable } from "./table.ts";

/** Two runs, row for row, and which way values go. */
export interface Contrast {
  readonly clean: Examples;
  readonly corrupt: Examples;
  readonly direction: Direction;
}

/** The run that is changed, and the one that values are taken from. */
export function runsOf({ clean, corrupt, direction }: Contrast): { base: Examples; source: Examples } {
  return direction === "denoise" ? { base: corrupt, source: clean } : { base: clean, source: corrupt };
}

/** Patches each variant on every example. */
export async function patch(
  runnable: RunnableNetwork,
  contrast: Contrast,
  { variants, metric, key, ...options }: Question & { readonly variants: readonly Variant[] },
): Promise<EffectTable> {
  const { base, source: other } = runsOf(contrast);
  expectAlike("activation patching", base, other);
  const source = fromRun(other);
  const target = await measured(runnable, other, metric, options);
  const { direction } = contrast;
  return effectsOf(runnable, { base, variants, source, metric, target, direction, key }, options);
}
