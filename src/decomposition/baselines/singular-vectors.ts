/**
 * Weight matrices by their singular vectors: `W = Σ_c σ_c u_c v_cᵀ`, the largest first; of all matrices of rank k the first k terms are nearest to W (Eckart
 * & Young 1936). What a matrix does most strongly, whatever the data: no input has a say in it.
 */
import { type NamedValues, values } from "../../engine/index.ts";
import { abs, type Tensor } from "../../tensor/index.ts";
import type { Masks } from "../decomposition.ts";
import { RankOneDecomposition } from "../parameter/rank-one-decomposition.ts";
import {
  dense,
  type Dense,
  dot,
  product,
  rowsOfMatrix,
  scaledRows,
  symmetricEigen,
  transposed,
} from "./linear-algebra.ts";

/** Each singular vector of each matrix is a component, and as active as what it writes is long. */
export class SingularVectorDecomposition extends RankOneDecomposition {
  readonly measure = "magnitude";

  activity(x: Tensor): Masks {
    return Object.fromEntries(Object.entries(this.activations(x)).map(([site, signed]) => [site, abs(signed)]));
  }
}

/**
 * The first `count` terms as subcomponents: `V` has length 1, `U` the singular value.
 *
 * With all eigenvectors `v` of `Wᵀ W`, or of `W Wᵀ` where that is smaller, `Σ (W v) vᵀ` is W to rounding, however well the small ones are known.
 */
export function singularVectors(site: string, W: Dense, count: number): NamedValues {
  const wide = W.rows < W.columns;
  const A = wide ? transposed(W) : W;
  const gram = product(transposed(A), A);
  const { vectors } = symmetricEigen(gram);
  const right = rowsOfMatrix(
    vectors,
    Array.from({ length: count }, (_, i) => i),
  );
  const left = transposed(product(A, transposed(right)));
  const lengths = Array.from({ length: count }, (_, c) => {
    const row = left.data.subarray(c * left.columns, (c + 1) * left.columns);
    return Math.sqrt(dot(row, row)) || 1;
  });
  const unit = scaledRows(left, (c) => 1 / lengths[c]!);
  const [reads, writes] = wide ? [right, unit] : [unit, right];
  const V = transposed(dense(count, W.rows, reads.data));
  const U = scaledRows(dense(count, W.columns, writes.data), (c) => lengths[c]!);
  return {
    [`${site}.V`]: values("d_in C", [W.rows, count], V.data),
    [`${site}.U`]: values("C d_out", [count, W.columns], U.data),
  };
}
