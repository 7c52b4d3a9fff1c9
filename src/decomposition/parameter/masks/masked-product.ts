/**
 * One site's product with its components masked, what they leave over masked too, and rows routed around it (SPD paper, section 2;
 * VPD, delta component and subset routing; param-decomp SPEC, S1 to S4).
 */
import { type Hooks, type Network, type Site, weightInputs } from "../../../network/network.ts";
import {
  add,
  axisSize,
  einsum,
  mul,
  reshape,
  broadcast,
  sub,
  type Tensor,
  type Tensors,
} from "../../../tensor/index.ts";
import {
  fromRows,
  innerActivation,
  ownProduct,
  siteRows,
  type SiteRows,
  type Subcomponents,
  subcomponentsOf,
} from "../subcomponents.ts";

/** How one site runs. */
export interface SiteMask {
  /** How much of each component stays: `C batch`. */
  readonly mask: Tensor<"C batch">;
  /** How much of the remainder stays: `batch`, or one number for all rows; absent, none of it does. */
  readonly remainder?: Tensor;
  /** What stands in for what components that are out would have carried: `C batch`, or `C`; zero where absent. */
  readonly instead?: Tensor;
  /** Where it is 0 the row runs on the site's own matrix, where it is 1 on components; absent, all of them do. */
  readonly route?: Tensor<"batch">;
}

/** How each site runs; one that is not there runs on its own matrix. */
export type SiteMasks = Readonly<Record<string, SiteMask>>;

/** Hooks that run sites on masked components. */
export function maskedHooks(components: Tensors, masks: SiteMasks): Hooks {
  return {
    matmul: (site: Site, activation, matrix) => {
      const mask = masks[site.name];
      if (mask === undefined) return undefined;
      return fromRows(maskedProduct(siteRows(activation), subcomponentsOf(components, site), matrix, mask), activation);
    },
  };
}

/**
 * `route · (((a V) ⊙ m) U + δ ⊙ (a Δ)) + (1 - route) · a W`.
 *
 * Because `Δ = W - V U`, that is `((a V) ⊙ route (m - δ)) U + (1 - route (1 - δ)) ⊙ (a W)`: `Δ` is never made, and rows that are routed
 * around share the product that the remainder needs.
 */
export function maskedProduct(
  activation: SiteRows,
  parts: Subcomponents,
  W: Tensor<"d_in d_out">,
  { mask, remainder, instead, route }: SiteMask,
): Tensor<"batch d_out"> {
  const left = remainder === undefined ? mask : (sub(mask, remainder) as Tensor<"C batch">);
  const kept = route === undefined ? left : mul(left, route);
  const own = mul(innerActivation(activation, parts), kept);
  const carried = instead === undefined ? own : add(own, standIn(instead, mask, route));
  const product = einsum("C batch, C d_out -> batch d_out", carried, parts.U);
  const share = wholeShare(remainder, route);
  if (share === undefined) return product;
  const whole = ownProduct(activation, W);
  return add(product, mul(whole, share) as Tensor<"batch d_out">);
}

/** `route · (1 - m) b`: what is carried instead of what is out. */
function standIn(instead: Tensor, mask: Tensor<"C batch">, route: Tensor<"batch"> | undefined): Tensor<"C batch"> {
  const out = mul(sub(1, mask), instead) as Tensor<"C batch">;
  return route === undefined ? out : mul(out, route);
}

/** How much of `a W` is in the product: `1 - route (1 - δ)`. */
function wholeShare(remainder: Tensor | undefined, route: Tensor<"batch"> | undefined): Tensor | undefined {
  if (route === undefined) return remainder;
  if (remainder === undefined) return sub(1, route);
  return sub(1, mul(route, sub(1, remainder)) as Tensor) as Tensor;
}

/** How the rows of an activation come about: each position of each example is one. */
export interface Rows {
  readonly example: number;
  readonly pos: number;
}

/** The rows that a batch of inputs gives at a network's sites; a network may put its positions together before them. */
export function rowsIn({ sites, weights, forward }: Network, x: Tensor): Rows {
  let pos = 1;
  forward(weightInputs(weights), x, {
    matmul: (site, activation) => {
      if (site.name === sites[0]!.name && activation.axes.split(" ").includes("pos")) pos = axisSize(activation, "pos");
      return undefined;
    },
  });
  return { example: axisSize(x, "batch"), pos };
}

/**
 * A value that some rows share, one row at a time.
 *
 * @param shared any of `C`, `example` and `pos`, in this order; those that are absent are shared
 * @returns      `C batch`, or `batch` where there is no `C`
 */
export function overRows(shared: Tensor, { example, pos }: Rows): Tensor {
  const C = shared.axes.split(" ").includes("C") ? { C: axisSize(shared, "C") } : {};
  const axes = [...Object.keys(C), "example", "pos"].join(" ");
  const full = shared.axes === axes ? shared : broadcast(shared, axes, { ...C, example, pos });
  return reshape(full, [...Object.keys(C), "batch"].join(" "), { ...C, batch: example * pos });
}
