/**
 * The reconstructions of parameter decomposition: how masks come about, which sites they are at, and what the masked network is held
 * against (SPD paper, section 2; SPD repository, the catalogue of reconstruction losses; VPD, adversarial reconstruction).
 */
import type { Network, Site } from "../../../network/network.ts";
import { add, axisSize, constant, mul, scalar, type Tensor, type Tensors } from "../../../tensor/index.ts";
import type { CleanRun } from "./clean-run.ts";
import type { Comparison } from "./blockwise-divergence.ts";
import { hiddenReconstruction } from "./reconstruction.ts";
import { maskFrom } from "../masks/mask.ts";
import { maskedHooks, overRows, type Rows, type SiteMask, type SiteMasks } from "../masks/masked-product.ts";
import { routes } from "../masks/routing.ts";
import type { ParameterSettings } from "../settings.ts";
import { drawnMask } from "../masks/sources.ts";

/** What is masked: one stream of data through the network. */
export interface Masking {
  readonly network: Network;
  readonly components: Tensors;
  readonly x: Tensor;
  readonly rows: Rows;
  readonly clean: CleanRun;
  /** How runs are compared, the clean one with the masked ones. */
  readonly comparison: Comparison;
  /** Stands before the names of draws; empty for the first stream. */
  readonly stream: string;
  readonly settings: ParameterSettings;
  /** What becomes of remainders in random runs: masked like the others, always whole, or absent. */
  readonly remainder: "masked" | "whole" | "absent";
}

/** How far a masked run is from the clean one. */
export function masked(what: Masking, masks: SiteMasks): Tensor<""> {
  return maskedWith(what, masks).error;
}

/** The same with the values at the hook points that the clean run looked at. */
function maskedWith(
  { components, x, clean, comparison }: Masking,
  masks: SiteMasks,
): { error: Tensor<"">; at: Tensors } {
  const at: Record<string, Tensor> = {};
  const output = comparison.run(x, {
    ...maskedHooks(components, masks),
    at: (point, value) => {
      if (clean.at[point] !== undefined) at[point] = value;
      return undefined;
    },
  });
  return { error: comparison.divergence(output, clean.output), at };
}

/** Masks at some sites, each drawn anew under a name. */
export function drawnMasks(what: Masking, name: string, sites: readonly Site[]): Record<string, SiteMask> {
  const { clean, settings } = what;
  return Object.fromEntries(
    sites.map((site) => {
      const { lower } = clean.importances[site.name]!;
      const source = { kind: settings.sampling };
      const drawn = drawnMask(source, lower, `${name}/${site.name}`, what.remainder === "masked");
      return [site.name, what.remainder === "whole" ? { ...drawn, remainder: scalar(1) } : drawn];
    }),
  );
}

/** Masks under given sources. */
export function sourcedMasks(
  { clean, rows, network }: Masking,
  sources: Readonly<Record<string, Tensor>>,
  remainders: Readonly<Record<string, Tensor>>,
): Record<string, SiteMask> {
  return Object.fromEntries(
    network.sites.flatMap(({ name }) => {
      const source = sources[name];
      if (source === undefined) return [];
      const shared = source.axes === "C" ? source : overRows(source, rows);
      const mask = maskFrom(clean.importances[name]!.lower, shared);
      const left = remainders[name];
      if (left === undefined) return [[name, { mask }]];
      return [[name, { mask, remainder: left.axes === "" ? left : overRows(left, rows) }]];
    }),
  );
}

/** Masks at a random subset of sites, drawn for each row. */
export function routed(
  { network, settings, rows }: Masking,
  name: string,
  masks: Readonly<Record<string, SiteMask>>,
): Record<string, SiteMask> {
  const routing =
    settings.routing === "probability"
      ? ({ kind: "fixed-probability", probability: settings.routingProbability } as const)
      : ({ kind: "uniform-subset" } as const);
  const chosen = routes(routing, name, network.sites, rows.example * rows.pos);
  return Object.fromEntries(Object.entries(masks).map(([site, mask]) => [site, { ...mask, route: chosen[site]! }]));
}

/** A reconstruction by name, with its coefficient. */
export interface Term {
  readonly name: string;
  readonly coefficient: number | Tensor<"">;
  readonly value: Tensor<"">;
}

/** A coefficient that may change during a run, times one that does not. */
export function times(scale: number | Tensor<"">, weight: number): number | Tensor<""> {
  return typeof scale === "number" ? scale * weight : mul(scale, weight);
}

/** All reconstructions whose masks are drawn or fixed, each with a coefficient above 0. */
export function passiveReconstructions(what: Masking): Term[] {
  const { settings, network, stream } = what;
  const sites = network.sites;
  const draws = (name: string, one: (name: string) => Tensor<"">): Tensor<""> =>
    meanOf(Array.from({ length: settings.samples }, (_, i) => one(stream + (i === 0 ? name : `${name}.${i}`))));
  const fixed = (mask: (lower: Tensor<"C batch">) => Tensor<"C batch">): SiteMasks =>
    Object.fromEntries(sites.map(({ name }) => [name, { mask: mask(what.clean.importances[name]!.lower) }]));
  const all: readonly (readonly [keyof ParameterSettings & string, () => Tensor<"">])[] = [
    ["stochasticRecon", () => draws("stochastic", (name) => masked(what, drawnMasks(what, name, sites)))],
    [
      "layerwiseRecon",
      () => draws("layerwise", (name) => meanOf(sites.map((site) => masked(what, drawnMasks(what, name, [site]))))),
    ],
    ["subsetRecon", () => draws("subset", (name) => masked(what, routed(what, name, drawnMasks(what, name, sites))))],
    [
      "ciMaskedRecon",
      () =>
        masked(
          what,
          fixed((g) => g),
        ),
    ],
    ["unmaskedRecon", () => masked(what, fixed(wholeLike))],
    [
      "hiddenRecon",
      () => {
        const { at } = maskedWith(what, drawnMasks(what, `${stream}stochastic`, sites));
        return hiddenReconstruction(Object.entries(what.clean.at).map(([point, own]) => ({ masked: at[point]!, own })));
      },
    ],
  ];
  return all.flatMap(([name, value]) => {
    const coefficient = settings[name] as number;
    return coefficient > 0 ? [{ name, coefficient, value: value() }] : [];
  });
}

/** Every component whole. */
export function wholeLike(g: Tensor<"C batch">): Tensor<"C batch"> {
  return constant("C batch", { C: axisSize(g, "C"), batch: axisSize(g, "batch") }, 1);
}

/** The mean of some numbers. */
export function meanOf(parts: readonly Tensor<"">[]): Tensor<""> {
  const total = parts.reduce((a, b) => add(a, b));
  return parts.length === 1 ? total : mul(total, 1 / parts.length);
}
