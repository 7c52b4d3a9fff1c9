/**
 * Routing: which sites run on components, and which on the network's own matrix, drawn anew for every row.
 *
 * Reconstruction with all sites masked and with one masked at a time are the two ends; a random subset lies between them (VPD, stochastic
 * reconstruction; the SPD repository's `uniform_k_subset` and `static_probability`). One site at a time is no draw: the caller masks that
 * site alone.
 */
import {
  add,
  broadcast,
  cast,
  constant,
  einsum,
  floor,
  less,
  lessEqual,
  mul,
  rename,
  select,
  sizesOf,
  type Tensor,
  uniform,
} from "../../../tensor/index.ts";
import type { Site } from "../../../network/network.ts";

/** How sites are chosen for each row. */
export type Routing =
  /** Every site runs on components. */
  | { readonly kind: "all" }
  /** k from 1 to the number of sites, each equally likely, then any k of them, each set equally likely. */
  | { readonly kind: "uniform-subset" }
  /** Each site on its own with this probability; a row may have none. */
  | { readonly kind: "fixed-probability"; readonly probability: number };

/**
 * Where a site runs on components, 1, and where on its own matrix, 0: `batch` for each site by name; nothing for a site that always runs on
 * components.
 *
 * @param name of the draws, `<name>/…`; give each forward pass its own, so that draws share nothing
 * @param rows how many rows there are: examples times positions
 */
export function routes(
  routing: Routing,
  name: string,
  sites: readonly Site[],
  rows: number,
): Readonly<Record<string, Tensor<"batch">>> {
  if (routing.kind === "all") return {};
  const noise = uniform(`${name}/route`, "site batch", { site: sites.length, batch: rows });
  const chosen = routing.kind === "uniform-subset" ? uniformSubset(noise, name) : below(noise, routing.probability);
  return Object.fromEntries(sites.map((site, i) => [site.name, select(chosen, "site", i)]));
}

/** k = 1 + ⌊u L⌋, and a site is in where fewer than k others drew less than it did. */
function uniformSubset(noise: Tensor<"site batch">, name: string): Tensor<"site batch"> {
  const { site: L, batch } = sizesOf(noise) as { site: number; batch: number };
  const count = add(floor(mul(uniform(`${name}/route/count`, "batch", { batch }), L)), 1);
  const others = broadcast(rename<"other batch">(noise, "site -> other"), "site other batch", {
    site: L,
    other: L,
    batch,
  });
  // Of two sites that drew the same, the earlier one counts as less: exactly k sites are in.
  const earlier = (is: (site: number, other: number) => boolean): Tensor<"site other"> =>
    constant(
      "site other",
      { site: L, other: L },
      Array.from({ length: L * L }, (_, i) => Number(is(Math.floor(i / L), i % L))),
    );
  const total = (compared: Tensor<"site other batch">, among: Tensor<"site other">): Tensor<"site batch"> =>
    einsum("site other batch, site other -> site batch", cast(compared, "f32"), among);
  const rank = add(
    total(
      lessEqual(others, noise),
      earlier((site, other) => other < site),
    ),
    total(
      less(others, noise),
      earlier((site, other) => other > site),
    ),
  );
  return cast(less(rank, count), "f32");
}

/** 1 where a draw lies below a number, 0 elsewhere. */
function below(noise: Tensor<"site batch">, probability: number): Tensor<"site batch"> {
  return cast(less(noise, probability), "f32");
}
