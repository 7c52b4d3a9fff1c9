/** How much memory a clustering takes, from what it is of: said, and held against what there is, before the work starts. */
import { MechanistError } from "../../error.ts";
import { samplerBytes } from "./samplers.ts";
import type { SamplerChoice } from "./settings.ts";

/**
 * Bytes at the most. A firing stands in a component's list, in its position's, in the union that merging makes of lists, and once more while
 * lists are put together: four numbers of 4 bytes.
 */
export function clusteringBytes(size: {
  readonly components: number;
  readonly positions: number;
  readonly firings: number;
  readonly sampler: SamplerChoice;
}): number {
  const { components, positions, firings, sampler } = size;
  return 16 * firings + 9 * positions + 512 * components + ("number" in sampler ? samplerBytes(components) : 0);
}

const mebibytes = (bytes: number): string => `${bytes.toLocaleString("en-US")} MiB`;

/** @throws `Unavailable` where memory does not suffice */
export function expectMemory(needed: number, available: number): void {
  if (needed <= available) return;
  throw new MechanistError(
    "Unavailable",
    `cluster: expected ${mebibytes(Math.ceil(needed / 2 ** 20))} of memory, got ${mebibytes(Math.floor(available / 2 ** 20))}; fewer positions or a higher threshold need less, the sampler greedy least`,
    { needed, available },
  );
}
