/**
 * The ways to mask a decomposition whose outputs are compared with the network's own (SPD and VPD repositories, `CEandKLLosses`). In none but
 * those that say so does the remainder, what the components leave over, take part.
 */
import type { Decomposition, Masks } from "../decomposition/decomposition.ts";
import { maskFrom } from "../decomposition/parameter/masks/mask.ts";
import { cast, constant, greater, type Tensor, uniform } from "../tensor/index.ts";
import { columns, type GivenBatch } from "./fresh-data.ts";

/** What each regime does, for people. */
export const REGIMES = {
  unmasked: "every component whole",
  ciMasked: "importances as masks",
  rounded: "components with importance above 0 whole, the others out",
  rounded0p1: "components with importance above 0.1 whole, the others out",
  stochastic: "random masks between importance and 1",
  stochasticDelta: "the same, and the remainder at random",
  random: "random masks, whatever the importance",
  zero: "every component out",
} as const;
export type Regime = keyof typeof REGIMES;

/** Masks, and how much of each site's remainder stays; absent, none of it. */
export interface Masking {
  readonly masks: Masks;
  readonly remainder?: Readonly<Record<string, Tensor>>;
}

/** The masks of a regime on a batch. */
export function maskingOf(regime: Regime, { importances }: Pick<GivenBatch, "importances">): Masking {
  const each = <T extends Tensor>(f: (g: Tensor<"C batch">, site: string) => T): Readonly<Record<string, T>> =>
    Object.fromEntries(Object.entries(importances).map(([site, g]) => [site, f(g, site)]));
  const filled = (value: number): Masks => each((g) => constant("C batch", columns(g), value));
  const rounded = (threshold: number): Masks => each((g) => cast(greater(g, threshold), "f32"));
  const drawn = (name: string): Masks => each((g, site) => uniform(`${name}/${site}`, "C batch", columns(g)));
  const between = (): Masks => {
    const sources = drawn("evaluation");
    return each((g, site) => maskFrom(g, sources[site]!));
  };
  switch (regime) {
    case "unmasked":
      return { masks: filled(1) };
    case "ciMasked":
      return { masks: importances };
    case "rounded":
      return { masks: rounded(0) };
    case "rounded0p1":
      return { masks: rounded(0.1) };
    case "stochastic":
      return { masks: between() };
    case "stochasticDelta": {
      const remainder = each((g, site) => uniform(`evaluation/delta/${site}`, "batch", { batch: columns(g).batch }));
      return { masks: between(), remainder };
    }
    case "random":
      return { masks: drawn("evaluation/random") };
    case "zero":
      return { masks: filled(0) };
  }
}

/** The network's output under a regime. */
export function maskedBy(decomposition: Decomposition, regime: Regime, given: GivenBatch): Tensor {
  const { masks, ...rest } = maskingOf(regime, given);
  return decomposition.masked(given.x, masks, rest);
}
