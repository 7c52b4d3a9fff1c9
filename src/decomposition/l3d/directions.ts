/**
 * L3D's directions in the space of all matrices: direction c is, at each site, a sum of rank-one factors, so that its products with gradients and
 * with other directions never need its entries.
 */
import type { Network, WeightSpec } from "../../network/network.ts";
import { add, clamp, div, einsum, mul, rename, sqrt, sum, type Tensor, type Tensors } from "../../tensor/index.ts";
import type { Factors } from "../decomposition.ts";
import { factorCount, factorsNamed, factorWeights, innerActivation } from "../full-network/factors.ts";
import type { GradientFactors } from "./gradient-factors.ts";

/** What gradients are read with, `V_in`, and what they are put together from, `V_out`. */
export type Side = "V_in" | "V_out";

/** `<site>.V_in.V`, `<site>.V_in.U` and the same of `V_out`, for every site. */
export function directionWeights(network: Network, subnetworks: number, factors: number): WeightSpec[] {
  return network.sites.flatMap((site) =>
    (["V_in", "V_out"] as const).flatMap((side) =>
      factorWeights(site, `${site.name}.${side}`, subnetworks, factorCount(site, factors)),
    ),
  );
}

/** The directions' factors at every site, in the order of the sites. */
export function directionsOf({ sites }: Network, tensors: Tensors, side: Side): readonly Factors[] {
  return sites.map(({ name }) => factorsNamed(tensors, `${name}.${side}`));
}

/** `⟨v, g⟩` of every direction v with every example's gradient, from their factors at each site: `Σ_l Σ_m (V · a) (U · δ)`. */
export function projections(gradients: readonly GradientFactors[], directions: readonly Factors[]): Tensor<"C batch"> {
  const parts = gradients.map(({ a, delta }, i) => {
    const written = einsum("batch d_out, C m d_out -> C m batch", delta, directions[i]!.U);
    return sum(mul(innerActivation(a, directions[i]!), written), "m");
  });
  return parts.reduce((x, y) => add(x, y));
}

/** `⟨v, w⟩` of every two directions. */
export function gram(directions: readonly Factors[]): Tensor<"C D"> {
  return directions.map(gramAt).reduce((x, y) => add(x, y));
}

function gramAt({ V, U }: Factors): Tensor<"C D"> {
  const again = { V: rename<"d_in D n">(V, "C -> D, m -> n"), U: rename<"D n d_out">(U, "C -> D, m -> n") };
  const read = einsum("d_in C m, d_in D n -> C m D n", V, again.V);
  const written = einsum("C m d_out, D n d_out -> C m D n", U, again.U);
  return sum(mul(read, written), "m n");
}

/** `‖v‖²` of every direction. */
export function squaredNormsOf(directions: readonly Factors[]): Tensor<"C"> {
  const parts = directions.map(({ V, U }) => {
    const read = einsum("d_in C m, d_in C n -> C m n", V, rename<"d_in C n">(V, "m -> n"));
    const written = einsum("C m d_out, C n d_out -> C m n", U, rename<"C n d_out">(U, "m -> n"));
    return sum(mul(read, written), "m n");
  });
  return parts.reduce((x, y) => add(x, y));
}

/**
 * The same map with every `V_out` at length 1: its length goes to `V_in`, so that `V_in g` is how far the gradient goes along each direction,
 * and selecting by it compares like with like. Both at length 1, as one may read the paper, could not be inverse to each other
 * unless all directions were at right angles.
 */
export function normalisedDirections(network: Network, tensors: Tensors): Tensors {
  const length = sqrt(clamp(squaredNormsOf(directionsOf(network, tensors, "V_out")), 1e-24, Infinity));
  return Object.fromEntries(
    network.sites.flatMap(({ name }) => [
      [`${name}.V_in.U`, mul(tensors[`${name}.V_in.U`] as Tensor<"C m d_out">, length)],
      [`${name}.V_out.U`, div(tensors[`${name}.V_out.U`] as Tensor<"C m d_out">, length)],
    ]),
  );
}
