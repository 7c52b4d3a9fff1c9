/** What a masked component carries: its own, nothing, or something else in its stead. */
import { add, mul, sub, type Tensor } from "../tensor/index.ts";

/**
 * `m z + (1 - m) b`.
 *
 * @param carried z: `C m batch`, or `C batch`
 * @param mask    m: `C batch`
 * @param instead b: like z, or without `batch`; zero unless given
 */
export function masking<A extends string>(carried: Tensor<A>, mask: Tensor<"C batch">, instead?: Tensor): Tensor<A> {
  if (instead === undefined) return mul(carried as Tensor, mask) as Tensor<A>;
  return add(mul(sub(carried as Tensor, instead), mask) as Tensor, instead) as Tensor<A>;
}
