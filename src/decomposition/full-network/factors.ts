/**
 * Components of whole networks, factorised: the part of component c at a site is the matrix `P_c = Σ_m V[:, c, m] U[c, m, :]`
 * (APD, Braun et al. 2025; L3D, Chrisman et al. 2025). No part is ever multiplied out while a network runs.
 *
 * Components live among parameters. A matrix that a network uses twice is one parameter, so its components are held at the
 * first use, and the other use has their transposes.
 */
import type { Network, Site, WeightSpec } from "../../network/network.ts";
import { einsum, mul, rename, sub, sum, type Tensor, type Tensors, transpose } from "../../tensor/index.ts";
import type { Factors } from "../decomposition.ts";
import { masking } from "../stand-in.ts";

/** The earlier site of the network that has the same matrix, transposed; nothing where the matrix is a site's own. */
export function partnerOf({ sites }: Network, site: Site): Site | undefined {
  return sites.find(({ name }) => name === site.transposeOf);
}

/** The sites whose matrices are their own: together they have each parameter once. */
export function ownSites(network: Network): readonly Site[] {
  return network.sites.filter((site) => partnerOf(network, site) === undefined);
}

/** How many rank-one factors the part of a component at a site has: the matrix's rank, or at most `most` where that is not 0. */
export function factorCount({ dIn, dOut }: Site, most: number): number {
  const rank = Math.min(dIn, dOut);
  return most === 0 ? rank : Math.min(rank, most);
}

/** The weights `<prefix>.V` and `<prefix>.U` that hold a site's factors. */
export function factorWeights({ dIn, dOut }: Site, prefix: string, C: number, m: number): WeightSpec[] {
  return [
    { name: `${prefix}.V`, axes: "d_in C m", shape: [dIn, C, m] },
    { name: `${prefix}.U`, axes: "C m d_out", shape: [C, m, dOut] },
  ];
}

/** Factors among named tensors. */
export function factorsNamed(tensors: Tensors, prefix: string): Factors {
  return { V: tensors[`${prefix}.V`] as Tensor<"d_in C m">, U: tensors[`${prefix}.U`] as Tensor<"C m d_out"> };
}

/** The factors of the transposed matrices. */
export function transposed({ V, U }: Factors): Factors {
  return {
    V: transpose(rename(U, "d_out -> d_in"), "d_in C m"),
    U: transpose(rename(V, "d_in -> d_out"), "C m d_out"),
  };
}

/** `V[:, c, m] · a`, how strongly each factor reads. */
export function innerActivation(activation: Tensor<"batch d_in">, { V }: Pick<Factors, "V">): Tensor<"C m batch"> {
  return einsum("batch d_in, d_in C m -> C m batch", activation, V);
}

/**
 * `a Σ_c s_c P_c`, a site's product with only so much of each component; all of each where no mask is given.
 *
 * @param instead what stands in for what is out, `C m batch` or `C m`
 */
export function componentProduct(
  activation: Tensor<"batch d_in">,
  factors: Factors,
  mask?: Tensor<"C batch">,
  instead?: Tensor,
): Tensor<"batch d_out"> {
  const inner = innerActivation(activation, factors);
  const kept = mask === undefined ? inner : masking(inner, mask, instead);
  return einsum("C m batch, C m d_out -> batch d_out", kept, factors.U);
}

/** Every component's matrix at a site. For looking at and for tests; nothing that trains makes them. */
export function componentMatrices({ V, U }: Factors): Tensor<"C d_in d_out"> {
  return einsum("d_in C m, C m d_out -> C d_in d_out", V, U);
}

/** What the components leave over at a site, `W - Σ_c P_c`. */
export function remainderOf(W: Tensor<"d_in d_out">, { V, U }: Factors): Tensor<"d_in d_out"> {
  return sub(W, einsum("d_in C m, C m d_out -> d_in d_out", V, U));
}

/** The squared Frobenius norm of each factor, `‖V[:, c, m]‖² ‖U[c, m, :]‖²`. */
export function squaredNorms({ V, U }: Factors): Tensor<"C m"> {
  return mul(sum(mul(V, V), "d_in"), sum(mul(U, U), "d_out"));
}
