/**
 * Contractions of products, and scaled sums, so arranged that large intermediate results are never made.
 *
 * A gradient often contracts `wide ⊙ a ⊙ b` where `a` and `b` have fewer axes than `wide`. Multiplying first makes another wide
 * tensor; but a narrow factor without a summed axis can wait until after the sum, and the others can be multiplied
 * with one another, narrow, before it. One pass over memory then does the work of several, since these programs are bound
 * by memory and not by arithmetic.
 */
import { axisNames, sizeOf } from "../tensor/axes.ts";
import { mul } from "../tensor/ops/arithmetic.ts";
import { contract } from "../tensor/ops/einsum.ts";
import { sum } from "../tensor/ops/reduce.ts";
import { isOp, type NodeOf, type Tensor } from "../tensor/tensor.ts";

/** The single number of a constant that has the same number everywhere. */
export function filled(x: Tensor): number | undefined {
  return isOp(x, "constant") && x.attributes.data.length === 1 ? x.attributes.data[0] : undefined;
}

const size = (x: Tensor): number => sizeOf(x.shape);
const has = (x: Tensor, axis: string): boolean => axisNames(x.axes).includes(axis);

/** A product taken apart: at most one wide factor, some narrow ones, and a number. */
interface Factors {
  readonly wide: Tensor | undefined;
  readonly narrow: readonly Tensor[];
  readonly scale: number;
}

/** Whether a contraction sums nothing and is a mere product. */
function isOuter(x: Tensor): x is NodeOf<"einsum"> {
  return isOp(x, "einsum") && x.inputs.every((input) => axisNames(input.axes).every((axis) => has(x, axis)));
}

/** The factors of a product; one that is not a product, or of two wide ones, is its own only factor. */
function factorsOf(x: Tensor, limit: number): Factors {
  const whole: Factors = { wide: x, narrow: [], scale: 1 };
  if (size(x) <= limit) {
    const number = filled(x);
    return number === undefined
      ? { wide: undefined, narrow: [x], scale: 1 }
      : { wide: undefined, narrow: [], scale: number };
  }
  if (x.op === "neg")
    return joined({ wide: undefined, narrow: [], scale: -1 }, factorsOf(x.inputs[0]!, limit)) ?? whole;
  if (x.op === "broadcast" && size(x.inputs[0]!) <= limit) return factorsOf(x.inputs[0]!, limit);
  if (x.op !== "mul" && !isOuter(x)) return whole;
  const both = joined(factorsOf(x.inputs[0]!, limit), factorsOf(x.inputs[1]!, limit));
  if (both === undefined) return whole;
  return isOp(x, "einsum") ? { ...both, scale: both.scale * x.attributes.alpha } : both;
}

/** Two lists of factors as one, unless both have a wide factor. */
function joined(a: Factors, b: Factors): Factors | undefined {
  if (a.wide !== undefined && b.wide !== undefined) return undefined;
  return { wide: a.wide ?? b.wide, narrow: [...a.narrow, ...b.narrow], scale: a.scale * b.scale };
}

/**
 * A contraction of products as one contraction of a wide factor with a narrow one, times narrow ones; nothing where that would
 * not save a wide product.
 *
 * @param operands what is multiplied
 * @param axes     the axes of the result; all others are summed
 */
export function contractNarrowly(operands: readonly Tensor[], axes: string, alpha: number): Tensor | undefined {
  const limit = Math.max(...operands.map(size)) / 4;
  const factors = operands
    .map((x): Factors | undefined => factorsOf(x, limit))
    .reduce((a, b) => (a && b ? joined(a, b) : undefined), { wide: undefined, narrow: [], scale: alpha });
  if (factors === undefined) return undefined;
  const { wide, narrow, scale } = factors;
  // Unless something was split off a wide operand there is nothing to gain.
  if (wide === undefined || operands.includes(wide)) return undefined;
  const summed = axisNames(wide.axes).filter((axis) => !axisNames(axes).includes(axis));
  const inside = narrow.filter((x) => axisNames(x.axes).some((axis) => summed.includes(axis)));
  const outside = narrow.filter((x) => !inside.includes(x));
  if (summed.length === 0 || narrow.some((x) => axisNames(x.axes).some((axis) => !has(wide, axis)))) return undefined;
  const partner = multiplied(inside);
  if (partner === undefined && inside.length > 0) return undefined;
  const core = partner === undefined ? (sum(wide, summed.join(" ")) as Tensor) : contract(wide, partner, axes);
  if (core.axes !== axes) return undefined;
  return [...outside.map((x): Tensor | number => x), scale].reduce<Tensor>(
    (product, factor) => (factor === 1 ? product : mul(product, factor as Tensor)),
    core,
  );
}

/** The product of narrow tensors, where one of any two has all the axes of the other. */
function multiplied(factors: readonly Tensor[]): Tensor | undefined {
  const sorted = factors.slice().sort((a, b) => axisNames(b.axes).length - axisNames(a.axes).length);
  const [first, ...rest] = sorted;
  if (first === undefined || rest.some((x) => axisNames(x.axes).some((axis) => !has(first, axis)))) return undefined;
  return rest.reduce((product, x) => mul(product, x), first);
}

/**
 * `x · factor` with the factor moved into the small operands that `x` is made of, so that no pass over `x` is needed.
 *
 * @param onlyHere whether nothing else uses a node, which alone makes it free to change
 */
export function scaledInside(
  x: Tensor,
  factor: number,
  onlyHere: (x: Tensor) => boolean,
  limit: number = size(x) / 4,
): Tensor | undefined {
  if (size(x) <= limit) return mul(x, factor);
  if (!onlyHere(x)) return undefined;
  if (isOp(x, "einsum")) return { ...x, attributes: { alpha: x.attributes.alpha * factor } };
  if (x.op !== "add" && x.op !== "sub") return undefined;
  const [a, b] = x.inputs.map((input) => scaledInside(input, factor, onlyHere, limit));
  return a === undefined || b === undefined ? undefined : { ...x, inputs: [a, b] };
}

/**
 * `Σ (Σ A B) y`, where the outer sum is over axes of `B`, as `Σ A (Σ y B)` where that inner contraction is computed anyway: nothing of
 * the size of `y` is made. In the gradient of attention, `A` is the gradient of what a head reads, `B` its values and `y` its
 * pattern, whose contraction with the values is what the head has read (Dao et al. 2022, appendix B).
 *
 * @param product `Σ A B`, as wide as `y`
 * @param sum     the outer sum, whose axes the result has
 */
export function contractThrough(
  product: Tensor,
  y: Tensor,
  sum: NodeOf<"sum">,
  exists: (x: Tensor) => boolean,
): Tensor | undefined {
  if (!isOp(product, "einsum")) return undefined;
  const [first, second] = product.inputs as [Tensor, Tensor];
  const { over } = sum.attributes;
  for (const [A, B] of [
    [first, second],
    [second, first],
  ] as const) {
    if (!over.every((axis) => has(B, axis) && !has(A, axis) && has(y, axis))) continue;
    const [left, right] = [y, B].map((x) => axisNames(x.axes).filter((axis) => !over.includes(axis)));
    if (!axisNames(A.axes).every((axis) => left!.includes(axis) || right!.includes(axis))) continue;
    if (![...left!, ...right!].every((axis) => has(A, axis))) continue;
    const inner = contract(y, B, A.axes);
    if (!exists(inner)) continue;
    const result = contract(A, inner, sum.axes) as NodeOf<"einsum">;
    return { ...result, attributes: { alpha: result.attributes.alpha * product.attributes.alpha } };
  }
  return undefined;
}
